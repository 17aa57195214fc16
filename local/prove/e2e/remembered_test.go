package e2e

import (
	"strings"
	"testing"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
)

// A4: whatever table of tidemark's own has an end is told of at start.
func TestA4_ExpirationsOfItsOwnTablesAreWarnedOf(t *testing.T) {
	w := newWorld(t, withPersons)
	r := w.start(nil)
	w.produce(300)
	w.waitExported()
	w.eventually("published", func() bool { return !w.through(stack.PersonsTable).IsZero() })
	r.HandOver()
	own := []string{stack.PersonsTable + "_person_state", stack.PersonsTable + "_distinct_id_state", stack.PersonsTable + "_fence", stack.StatusTable}
	for _, name := range own {
		require.NotContains(t, r.Log.String(), name+" expires")
		_, err := w.Client.Dataset(stack.Dataset).Table(name).Update(t.Context(), gbq.TableMetadataToUpdate{ExpirationTime: time.Now().Add(time.Hour)}, "")
		require.NoError(t, err)
	}
	r = w.start(nil)
	for _, name := range own {
		w.eventually(name+" is told of", logged(r, name+" expires at"))
	}
	r.HandOver()
}

// Without a status table tables are looked at all the same: partitions are counted, and persons that were deleted are derived again
// with no batch to come.
func TestA5_TablesAreLookedAtWithoutAStatusTable(t *testing.T) {
	w := newWorld(t, withPersons)
	w.env["TIDEMARK_STATUS_TABLE"] = ""
	r := w.start(nil)
	w.produce(800)
	w.waitExported()
	w.eventually("partitions are counted", func() bool { return w.partitionsShown(r) })
	md, err := w.personsTable().Metadata(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.personsTable().Delete(t.Context()))
	w.eventually("persons are whole again", func() bool {
		found, err := w.personsTable().Metadata(t.Context())
		return err == nil && found.NumRows == md.NumRows
	})
	r.HandOver()
	w.requireExact()
}

// The marks are below TIDEMARK_PREFIX. With another one the row of the status table tells, and a table that it tells of is marked.
func TestA5_AnotherPrefixForgetsNoTable(t *testing.T) {
	for name, again := range map[string]bool{"the same table": false, "made again": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.start(nil)
			w.produce(300)
			w.waitExported()
			w.eventually("published", func() bool { return !w.through(stack.Table).IsZero() })
			w.eventually("the status row tells when", func() bool {
				return w.scalar("SELECT COUNT(*) FROM `"+stack.Project+"."+stack.Dataset+"."+stack.StatusTable+"` WHERE table_created_at IS NOT NULL") == 1
			})
			r.HandOver()
			if again {
				events := w.Client.Dataset(stack.Dataset).Table(stack.Table)
				md, err := events.Metadata(t.Context())
				require.NoError(t, err)
				require.NoError(t, events.Delete(t.Context()))
				require.NoError(t, events.Create(t.Context(), &gbq.TableMetadata{Schema: md.Schema, TimePartitioning: md.TimePartitioning}))
			}
			w.env["TIDEMARK_PREFIX"] = "other"
			r = w.start(nil)
			w.produce(100)
			if again {
				w.eventually("events stop, and say why", logged(r, "tidemark tables accept"))
				require.Empty(t, w.objects("other/creations/"))
				require.False(t, w.allCommitted())
				w.do("tables", "accept", stack.Table, "--yes")
			}
			w.waitExported()
			require.NotEmpty(t, w.objects("other/creations/"))
			r.HandOver()
		})
	}
}

// TRUNCATE keeps the creation time. That the table took rows is remembered, so a process that never saw them warns, too.
func TestA5_ATruncatedTableIsWarnedOfAfterARestart(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.produce(300)
	w.waitExported()
	r.HandOver()
	require.NotContains(t, r.Log.String(), "took rows and has none")
	w.rows("TRUNCATE TABLE `" + stack.Project + "." + stack.Dataset + "." + stack.Table + "`")
	r = w.start(nil)
	w.eventually("it is told of", logged(r, "took rows and has none"))
	r.HandOver()
}

// A table that never took a row may be deleted: nothing is lost with it, and nobody is asked.
func TestA5_AnEmptyTableMayGo(t *testing.T) {
	w := newWorld(t, withPersons)
	r := w.start(nil)
	w.eventually("it is told to be complete", func() bool { return !w.through(stack.Table).IsZero() && !w.through(stack.PersonsTable).IsZero() })
	require.Empty(t, w.objects("tidemark/creations/"))
	r.HandOver()
	for _, table := range []string{stack.Table, stack.PersonsTable} {
		require.NoError(t, w.Client.Dataset(stack.Dataset).Table(table).Delete(t.Context()))
	}
	r = w.start(nil)
	w.produce(300)
	w.waitExported()
	require.NotContains(t, r.Log.String(), "tidemark tables accept")
	r.HandOver()
	require.Positive(t, w.scalar("SELECT COUNT(*) FROM `"+stack.Project+"."+stack.Dataset+"."+stack.Table+"`"))
	w.requirePersons()
}

// A table counts as filled before the first job that brings rows has had its effect: whoever crashes then, and whoever finds the
// table gone, knows.
func TestA5_ATableIsMarkedBeforeItsFirstRows(t *testing.T) {
	w := newWorld(t)
	hold := make(chan struct{})
	load := w.faults.OnJob(bigquery.JobRule{Kind: "load", Fault: bigquery.JobFault{HoldPending: hold}})
	r := w.start(nil)
	w.eventually("it is told to be complete", func() bool { return !w.through(stack.Table).IsZero() })
	require.Empty(t, w.objects("tidemark/creations/"))
	w.produce(300)
	<-load.Hit()
	require.Len(t, w.objects("tidemark/creations/"), 1)
	require.NoError(t, w.Client.Dataset(stack.Dataset).Table(stack.Table).Delete(t.Context()))
	close(hold)
	w.eventually("events stop, and say why", logged(r, "tidemark tables accept"))
	w.do("tables", "accept", stack.Table, "--create", "--yes")
	w.waitExported()
	r.HandOver()
}

// A group that is refused leaves no mark of a table's creation.
func TestStart_AGroupThatIsRefusedMarksNoCreation(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.produce(300)
	w.waitExported()
	w.eventually("published", func() bool { return !w.through(stack.Table).IsZero() })
	r.HandOver()
	second := harness.Start(w.T, w.changed(map[string]string{"TIDEMARK_GROUP": "second", "TIDEMARK_PREFIX": "other"}))
	<-second.Done()
	require.ErrorContains(t, second.Err(), `is filled by consumer group "tidemark"`)
	require.Empty(t, w.objects("other/creations/"))
}

// A batch on its way is for a table that was dropped, and the configuration names another one: a person can have it made.
func TestA5_ATableOfABatchThatIsNotConfiguredIsAccepted(t *testing.T) {
	for name, c := range map[string]struct{ variable, table, says string }{
		"events":  {"TIDEMARK_EVENTS_TABLE", stack.Table, "tidemark tables accept"},
		"persons": {"TIDEMARK_PERSONS_TABLE", stack.PersonsTable, "the configuration names another one"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withPersons)
			r := w.start(nil)
			w.produce(300)
			w.waitExported()
			r.HandOver()
			refuse := w.faults.OnJob(bigquery.JobRule{Kind: "load", Count: -1, Fault: bigquery.JobFault{Reason: "accessDenied", Message: "Access Denied: injected"}})
			r = w.start(nil)
			w.produce(300)
			w.eventually("batches of both streams wait", func() bool {
				named := map[string]bool{}
				for tp, o := range w.committed() {
					meta, err := batch.ParseMetadata(o.Metadata)
					require.NoError(w, err)
					named[tp.Topic] = named[tp.Topic] || len(meta.Chain) > 0
				}
				return named[stack.Topic] && named[stack.PersonsTopic]
			})
			r.HandOver()
			refuse.Remove()
			require.NoError(t, w.Client.Dataset(stack.Dataset).Table(c.table).Delete(t.Context()))
			w.env[c.variable] = "another"
			r = w.start(nil)
			w.eventually("its batch waits, and says why", logged(r, c.says))
			require.Contains(t, w.do("tables"), c.table)
			_, refusal, code := w.tidemark("tables", "accept", c.table, "--yes")
			require.Equal(t, 1, code)
			require.Contains(t, refusal, "--create") // the other stream goes on meanwhile, so the offsets are not compared
			w.do("tables", "accept", c.table, "--create", "--yes")
			w.waitExported()
			r.HandOver()
		})
	}
}

// partitionsShown says whether a replica shows how many partitions a table has.
func (w *world) partitionsShown(r *harness.Replica) bool {
	_, metrics := w.read(w.addr(r) + "/metrics")
	return strings.Contains(metrics, "tidemark_table_partitions{")
}
