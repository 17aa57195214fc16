package e2e

import (
	"strings"
	"testing"

	gbq "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"

	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
)

// A5, B7: the table of persons is deleted, made again, or restored with older rows, under a running replica. It is derived again,
// whole, from the side tables, whether or not new persons come.
func TestA5_PersonsAreDerivedAgainWhole(t *testing.T) {
	for name, c := range map[string]struct {
		again func(*world, *gbq.TableMetadata)
		more  bool
	}{
		"deleted, and more persons come": {func(*world, *gbq.TableMetadata) {}, true},
		"deleted, and none come":         {func(*world, *gbq.TableMetadata) {}, false},
		"made again, empty": {func(w *world, md *gbq.TableMetadata) {
			require.NoError(w, w.personsTable().Create(w.Context(), &gbq.TableMetadata{Schema: md.Schema, Clustering: md.Clustering}))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withPersons)
			r := w.start(nil)
			w.produce(1500)
			w.waitExported()
			md, err := w.personsTable().Metadata(t.Context())
			require.NoError(t, err)
			require.Positive(t, md.NumRows)
			require.NoError(t, w.personsTable().Delete(t.Context()))
			c.again(w, md)
			if c.more {
				w.produce(100)
			}
			w.eventually("persons are whole again", func() bool {
				found, err := w.personsTable().Metadata(t.Context())
				return err == nil && found.NumRows >= md.NumRows
			})
			w.waitExported()
			r.HandOver()
			w.requireExact()
		})
	}
}

// Where the table and a side table of it are gone at once, nothing can be derived: a person decides.
func TestA5_PersonsAndASideTableAtOnceStop(t *testing.T) {
	w := newWorld(t, withPersons)
	r := w.start(nil)
	w.produce(800)
	w.waitExported()
	r.HandOver()
	require.NoError(t, w.personsTable().Delete(t.Context()))
	require.NoError(t, w.Client.Dataset(stack.Dataset).Table(stack.PersonsTable+"_person_state").Delete(t.Context()))
	r = w.start(nil)
	w.produce(100)
	w.eventually("persons stop, and say why", logged(r, "neither can be derived from the other"))
	w.eventually("events go on", func() bool { return w.allCommittedOf(stack.Topic) })
	require.Contains(t, w.do("tables"), "neither can be derived from the other")
	w.do("tables", "accept", stack.PersonsTable, "--yes")
	w.waitExported()
	r.HandOver()
}

func (w *world) personsTable() *gbq.Table {
	return w.Client.Dataset(stack.Dataset).Table(stack.PersonsTable)
}

// logged says whether a replica's log has a text.
func logged(r *harness.Replica, text string) func() bool {
	return func() bool { return strings.Contains(r.Log.String(), text) }
}

// A view that is deleted under a running replica is made again.
func TestA5_AViewOfPersonsIsMadeAgain(t *testing.T) {
	w := newWorld(t, withPersons)
	r := w.start(map[string]string{"TIDEMARK_PERSONS_AS": "view", "TIDEMARK_PERSONS_TABLE": "pv"})
	w.produce(500)
	w.waitExported()
	view := w.Client.Dataset(stack.Dataset).Table("pv")
	require.NoError(t, view.Delete(t.Context()))
	w.produce(300)
	w.eventually("it is there", func() bool { _, err := view.Metadata(t.Context()); return err == nil })
	w.waitExported()
	r.HandOver()
}
