package e2e

import (
	"strings"
	"testing"

	gbq "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"

	"tidemark/local/emulate/stack"
)

// A5, B8: the table of events is deleted under a running replica. It is not made again without a word: nothing is committed over
// the gap, complete_through stands still, and the log says what to do. The other stream goes on. Once a person has accepted an
// empty table, everything that is not committed yet is in it.
func TestA5_ATableOfEventsStopsUntilAPersonAccepts(t *testing.T) {
	for name, again := range map[string]bool{"deleted": false, "made again": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withPersons)
			r := w.start(nil)
			w.produce(500)
			w.waitExported()
			w.eventually("it is said to be complete", func() bool { return !w.through(stack.Table).IsZero() })
			events := w.Client.Dataset(stack.Dataset).Table(stack.Table)
			md, err := events.Metadata(t.Context())
			require.NoError(t, err)
			require.NoError(t, events.Delete(t.Context()))
			if again {
				require.NoError(t, events.Create(t.Context(), &gbq.TableMetadata{Schema: md.Schema, TimePartitioning: md.TimePartitioning}))
			}
			before := w.committed()
			w.produce(500)
			w.eventually("persons go on", func() bool { return w.allCommittedOf(stack.PersonsTopic) && w.allCommittedOf(stack.DistinctIDsTopic) })
			w.eventually("events stop, and say why", func() bool { return strings.Contains(r.Log.String(), "tidemark tables accept") })
			stood := w.through(stack.Table)
			for tp, o := range w.committed() {
				require.True(t, tp.Topic != stack.Topic || o.Offset == before[tp].Offset, tp)
			}

			list := w.do("tables", "--json")
			require.Contains(t, list, `"problem": "table `)
			w.refused("is well", "tables", "accept", stack.PersonsTable, "--yes")
			w.refused("want one of", "tables", "accept", "nothing", "--yes")
			args := []string{"tables", "accept", stack.Table, "--yes"}
			if !again {
				w.refused("--create", args...)
				args = append(args, "--create")
			}
			require.True(t, w.through(stack.Table).Equal(stood), "nothing was promised meanwhile")
			if !again { // it may be accepted at any time: without a replica, or under a running one
				r.HandOver()
			}
			w.do(args...)
			if !again {
				r = w.start(nil)
			}
			w.waitExported()
			w.eventually("promises go on", func() bool { return w.through(stack.Table).After(stood) })
			r.HandOver()
			report := w.eventsReport()
			require.Zero(t, report.Duplicated+report.Extra+report.Different, report)
			require.Positive(t, report.Missing, "what the table that was deleted had is gone")
		})
	}
}

// A replica that starts while the table of events is gone exports persons, and collects events.
func TestA5_AStartWhileEventsAreGoneHoldsUpNothingElse(t *testing.T) {
	w := newWorld(t, withPersons)
	r := w.start(nil)
	w.produce(300)
	w.waitExported()
	r.HandOver()
	require.NoError(t, w.Client.Dataset(stack.Dataset).Table(stack.Table).Delete(t.Context()))
	w.produce(300)
	r = w.start(nil)
	w.eventually("persons go on", func() bool { return w.allCommittedOf(stack.PersonsTopic) && w.allCommittedOf(stack.DistinctIDsTopic) })
	require.False(t, w.allCommittedOf(stack.Topic))
	w.do("tables", "accept", stack.Table, "--create", "--yes")
	w.waitExported()
	r.HandOver()
	w.requirePersons()
}

// "Nothing is changed."
func TestA5_ListingTablesChangesNothing(t *testing.T) {
	w := newWorld(t, withPersons)
	before := w.objects("tidemark/creations/")
	w.do("tables")
	require.Equal(t, before, w.objects("tidemark/creations/"))
}
