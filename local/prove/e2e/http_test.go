package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
	"tidemark/service"
)

// addr is where a replica serves, as it says in its log.
func (w *world) addr(r *harness.Replica) string {
	w.Helper()
	w.eventually("serving", func() bool { return r.Addr() != "" })
	return "http://" + r.Addr()
}

func (w *world) read(url string) (int, string) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, url, nil)
	require.NoError(w, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(w, err)
	defer func() { require.NoError(w, resp.Body.Close()) }()
	b, err := io.ReadAll(resp.Body)
	require.NoError(w, err)
	return resp.StatusCode, string(b)
}

func TestHTTP_ShowsWhatOperatorsNeed(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.produce(1000)
	w.waitExported()
	url := w.addr(r)
	for _, path := range []string{"/healthz", "/readyz", "/debug/pprof/"} {
		code, _ := w.read(url + path)
		require.Equal(t, http.StatusOK, code, path)
	}
	_, metrics := w.read(url + "/metrics")
	for _, name := range []string{"tidemark_flush_lag_seconds", "tidemark_watermark_timestamp_seconds", `tidemark_batch_step_duration_seconds_count{step="apply"}`,
		"tidemark_batch_step_failures_total", "tidemark_buffer_bytes", "tidemark_buffer_budget_bytes", `tidemark_rows_committed_total{model="events"}`,
		`tidemark_records_rejected_total{reason="not_json"}`, `tidemark_jobs_total{kind="load",result="ok"}`, "tidemark_rebalances_total", "tidemark_kafka_fetch_bytes"} {
		require.Contains(t, metrics, name)
	}
	r.HandOver()
}

// A destination that refuses shows in status and metrics, with what to do about it; so does a second session.
func TestHTTP_StatusNamesWhatFails(t *testing.T) {
	w := newWorld(t)
	// The first session ends in doubt: the metrics of the second one's Kafka client take the place of the first one's.
	w.Kafka.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, When: prepares, Count: 1, Err: kerr.UnknownServerError})
	refuse := w.faults.OnJob(bigquery.JobRule{Kind: "load", Count: -1, Fault: bigquery.JobFault{Reason: "accessDenied", Message: "Access Denied: Table local:posthog.events"}})
	r := w.start(nil)
	w.produce(500)
	w.eventually("refused", func() bool { return refuse.Hits() >= 2 })
	url := w.addr(r)
	var st service.Status
	w.eventually("status names it", func() bool {
		code, body := w.read(url + "/status")
		return code == http.StatusOK && json.Unmarshal([]byte(body), &st) == nil && st.Failing == 1
	})
	require.Equal(t, []string{stack.EventsTable()}, st.Targets)
	require.Contains(t, st.Batches["events"][0].Error, "accessDenied")
	require.NotEmpty(t, st.Batches["events"][0].Hint)
	lag, err := time.ParseDuration(st.FlushLag)
	require.NoError(t, err)
	require.Positive(t, lag)
	_, metrics := w.read(url + "/metrics")
	require.Contains(t, metrics, "tidemark_batches_failing 1")
	require.Contains(t, metrics, "tidemark_sessions_total 2")
	require.Contains(t, metrics, "tidemark_kafka_")
	refuse.Remove()
	w.waitExported()
	r.HandOver()
	w.requireExact()
}
