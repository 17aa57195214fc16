package e2e

import (
	"slices"
	"strings"
	"testing"

	gbq "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
)

// A persons table that cannot be merged into holds up the offsets of persons, and nothing of events, which is another stream.
// Once it is mended the batch is finished, and nothing is lost.
func TestPersons_ABrokenTableDoesNotHoldUpEvents(t *testing.T) {
	for name, damage := range map[string]func(*world) (mend func()){
		"merge refused": func(w *world) func() {
			return w.faults.OnJob(bigquery.JobRule{When: jobOf(stack.PersonsTable, applyJob), Count: -1,
				Fault: bigquery.JobFault{Reason: "accessDenied", Message: "Access Denied: injected"}}).Remove
		},
		"stage refused": func(w *world) func() {
			return w.faults.OnJob(bigquery.JobRule{When: jobOf(stack.PersonsTable, stageJob), Count: -1,
				Fault: bigquery.JobFault{Reason: "accessDenied", Message: "Access Denied: injected"}}).Remove
		},
		"column gone": func(w *world) func() {
			return w.replacePersons(func(s gbq.Schema) gbq.Schema {
				return slices.DeleteFunc(s, func(f *gbq.FieldSchema) bool { return f.Name == "person_version" })
			})
		},
		"column of a wrong type": func(w *world) func() {
			return w.replacePersons(func(s gbq.Schema) gbq.Schema {
				for _, f := range s {
					if f.Name == "person_version" {
						f.Type = gbq.StringFieldType
					}
				}
				return s
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withPersons)
			r := w.start(nil)
			w.eventually("started", func() bool { return len(w.committed()) == 3*4 })
			mend := damage(w)
			w.produce(1000)
			w.eventually("refused", func() bool { return strings.Contains(r.Log.String(), "batch not applied") })
			w.eventually("every event is there", func() bool { return w.undecided() == 0 && w.eventsReport().OK() })
			w.eventually("and committed", func() bool { return w.allCommittedOf(stack.Topic) })
			for tp, o := range w.committed() {
				require.True(t, tp.Topic == stack.Topic || o.Offset == 0, tp)
			}
			require.Contains(t, r.Log.String(), "hint=")
			mend()
			w.waitExported()
			r.HandOver()
			w.requireExact()
		})
	}
}

// allCommittedOf says whether every partition of a topic is committed to its end.
func (w *world) allCommittedOf(topic string) bool {
	w.Helper()
	committed := w.committed()
	for tp, end := range w.ends() {
		if tp.Topic == topic && committed[tp].Offset < end {
			return false
		}
	}
	return true
}

// undecided counts the records that no batch holds that is decided.
func (w *world) undecided() (n int64) {
	w.Helper()
	decided := w.decided()
	for tp, end := range w.ends() {
		n += end - decided[tp]
	}
	return n
}

// replacePersons drops the table of persons and makes one with another schema; mend puts back what was there.
func (w *world) replacePersons(change func(gbq.Schema) gbq.Schema) (mend func()) {
	w.Helper()
	table := w.Client.Dataset(stack.Dataset).Table(stack.PersonsTable)
	replace := func(schema gbq.Schema) {
		w.Helper()
		require.NoError(w, table.Delete(w.Context()))
		require.NoError(w, table.Create(w.Context(), &gbq.TableMetadata{Schema: schema}))
	}
	right, err := table.Metadata(w.Context())
	require.NoError(w, err)
	wrong, err := table.Metadata(w.Context())
	require.NoError(w, err)
	replace(change(wrong.Schema))
	return func() { replace(right.Schema) }
}
