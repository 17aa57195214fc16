package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/gcs"
	"tidemark/local/emulate/stack"
	"tidemark/service"
)

// B6: what an operator reads when the bucket is elsewhere speaks of locations.
func TestB6_StatusSpeaksOfLocations(t *testing.T) {
	w := newWorld(t)
	refuse := w.faults.OnJob(bigquery.JobRule{Kind: "load", Count: -1, Fault: bigquery.JobFault{Reason: "invalid",
		Message: "Cannot read and write in different locations: source: EU, destination: US"}})
	r := w.start(nil)
	w.produce(500)
	url := w.addr(r)
	var st service.Status
	w.eventually("status names it", func() bool {
		code, body := w.read(url + "/status")
		return code == http.StatusOK && json.Unmarshal([]byte(body), &st) == nil && st.Failing == 1
	})
	require.Contains(t, st.Batches["events"][0].Hint, "different locations")
	require.NotContains(t, st.Batches["events"][0].Hint, "column")
	refuse.Remove()
	w.waitExported()
	r.HandOver()
	w.requireExact()
}

// A13: physical billing is told of where there are merges. A11: nothing is said of locations that cost nothing.
func TestA13_PhysicalBillingIsToldOfAtStart(t *testing.T) {
	const warning = "storage is billed by physical bytes"
	w := newWorld(t, withPersons)
	// logOf is what a replica says until it works.
	logOf := func(change map[string]string) string {
		r := w.start(change)
		url := w.addr(r)
		w.eventually("ready", func() bool {
			code, _ := w.read(url + "/readyz")
			return code == http.StatusOK
		})
		r.HandOver()
		return r.Log.String()
	}
	log := logOf(nil)
	require.NotContains(t, log, warning)
	require.NotContains(t, log, "different locations")

	_, err := w.Client.Dataset(stack.Dataset).Update(t.Context(),
		gbq.DatasetMetadataToUpdate{StorageBillingModel: gbq.PhysicalStorageBillingModel, MaxTimeTravel: 48 * time.Hour}, "")
	require.NoError(t, err)
	log = logOf(nil)
	require.Contains(t, log, warning)
	require.Contains(t, log, "2 days of time travel")
	require.NotContains(t, logOf(map[string]string{"TIDEMARK_MODELS": "events"}), warning, "events are never rewritten")
}

// A9 and A18: a replica outlives a reply of each kind that looks permanent, and nothing is doubled or lost.
func TestA18_StorageThatDoubtsStopsNobody(t *testing.T) {
	w := newWorld(t)
	lost := w.GCS.Inject(gcs.Fault{Op: gcs.OpInsert, Object: "tidemark/parts/", Apply: true, Status: http.StatusBadRequest, Message: `Provided CRC32C "AAAAAA==" doesn't match calculated CRC32C "2HvlZg==".`})
	taken := w.GCS.Inject(gcs.Fault{Op: gcs.OpInsert, Object: "tidemark/parts/", Status: http.StatusForbidden, Message: "Caller does not have storage.objects.delete access to the Google Cloud Storage object."})
	token := w.GCS.Inject(gcs.Fault{Op: gcs.OpInsert, Object: "tidemark/batches/", Count: 2, Status: http.StatusUnauthorized, Message: "Invalid Credentials"})
	r := w.start(nil)
	w.produce(500)
	w.waitExported()
	r.HandOver()
	w.requireExact()
	for _, f := range []*gcs.Injected{lost, taken} {
		require.Equal(t, 1, f.Hits())
	}
	require.Equal(t, 2, token.Hits())
}
