package persons

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/batch"
	"tidemark/destination"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/verify"
	"tidemark/merge"
)

type mem map[string][]time.Time

func (m mem) Known(_ context.Context, table string, created time.Time, _ []batch.Column) (bool, error) {
	if len(m[table]) == 0 {
		m[table] = append(m[table], created)
	}
	for _, c := range m[table] {
		if c.Equal(created) {
			return true, nil
		}
	}
	return false, nil
}

func (m mem) Accept(_ context.Context, table string, created time.Time, _ []batch.Column) error {
	m[table] = append(m[table], created)
	return nil
}

func (p *people) merger2(m mem) *merge.Merger {
	return merge.NewMerger(stack.Bucket, p.client(), m, slog.New(slog.DiscardHandler))
}

func first() []message {
	return messages(1, mapping("d", "P", 0), person("P", 0), mapping("e", "Q", 0), person("Q", 0))
}

// In view mode the side tables are the only copy.
func TestDerive_NothingIsLeftOfAViewWithoutItsSideTables(t *testing.T) {
	w := newWorld(t)
	p := w.people(variant{deletes: verify.DeletesMark, view: true})
	p.verbatim = true
	m := mem{}
	p.merger = p.merger2(m)
	require.NoError(t, p.merge(p.seal(first()), first()))
	w.exec("DROP TABLE `" + stack.Project + "." + stack.Dataset + "." + p.name + "_person_state`")
	w.exec("DROP TABLE `" + stack.Project + "." + stack.Dataset + "." + p.name + "_distinct_id_state`")
	p.merger = p.merger2(m) // a restart (or a failed merge)
	require.ErrorIs(t, p.merger.Prepare(t.Context(), p.resolved.Target), merge.ErrUnderivable, "the view is empty")
}

// The hint of ErrUnderivable: restore one of them, then accept.
func TestDerive_WhatAPersonRestoresIsWholeAgain(t *testing.T) {
	for _, restored := range []string{"sides", "table"} {
		t.Run(restored, func(t *testing.T) {
			w := newWorld(t)
			p := w.people(variant{deletes: verify.DeletesMark})
			p.verbatim = true
			m := mem{}
			p.merger = p.merger2(m)
			require.NoError(t, p.merge(p.seal(first()), first()))
			full := func(s string) string { return "`" + stack.Project + "." + stack.Dataset + "." + p.name + s + "`" }
			side1 := "(team_id INT64, person_id STRING, version INT64, is_deleted BOOL, properties STRING, created_at TIMESTAMP, is_identified BOOL)"
			side2 := "(team_id INT64, distinct_id STRING, version INT64, is_deleted BOOL, person_id STRING)"
			main := "(team_id INT64, distinct_id STRING, person_id STRING, properties STRING, person_distinct_id_version INT64, person_version INT64, created_at TIMESTAMP, is_deleted BOOL, is_identified BOOL, bq_ingested_timestamp TIMESTAMP)"
			cp := func(from, to, cols string) {
				w.exec("CREATE TABLE " + full(to) + " " + cols)
				list := map[string]string{side1: "team_id, person_id, version, is_deleted, properties, created_at, is_identified", side2: "team_id, distinct_id, version, is_deleted, person_id", main: "team_id, distinct_id, person_id, properties, person_distinct_id_version, person_version, created_at, is_deleted, is_identified, bq_ingested_timestamp"}[cols]
				w.exec("INSERT INTO " + full(to) + " (" + list + ") SELECT " + list + " FROM " + full(from))
			}
			cp("_person_state", "_b1", side1)
			cp("_distinct_id_state", "_b2", side2)
			cp("", "_b3", main)
			w.exec("DROP TABLE " + full(""))
			w.exec("DROP TABLE " + full("_person_state"))
			w.exec("DROP TABLE " + full("_distinct_id_state"))
			w.nextMillisecond()
			w.exec("CREATE TABLE " + full("") + " " + main) // as applier.check does
			p.merger = p.merger2(m)
			err := p.merger.Prepare(t.Context(), p.resolved.Target)
			require.ErrorIs(t, err, merge.ErrUnderivable)
			w.nextMillisecond()
			if restored == "sides" {
				w.exec("DROP TABLE " + full("_person_state"))
				w.exec("DROP TABLE " + full("_distinct_id_state"))
				cp("_b1", "_person_state", side1)
				cp("_b2", "_distinct_id_state", side2)
			} else {
				w.exec("DROP TABLE " + full(""))
				cp("_b3", "", main)
			}
			// tables accept: all three marks
			house := p.client()
			for _, s := range []string{"_person_state", "_distinct_id_state"} {
				created, there, err := house.CreatedAt(t.Context(), stack.Project, stack.Dataset, p.name+s)
				require.NoError(t, err)
				require.True(t, there)
				require.NoError(t, m.Accept(t.Context(), stack.Project+"."+stack.Dataset+"."+p.name+s, created, nil))
			}
			p.merger = p.merger2(m)
			next := messages(1, person("P", 1))
			require.NoError(t, p.merge(p.seal(next), next))
		})
	}
}

// The view is dropped and persons become a table: it is derived from the side tables, which are older.
func TestDerive_AViewThatBecomesATableIsFilled(t *testing.T) {
	t.Run("view to table, nothing in flight", func(t *testing.T) {
		w := newWorld(t)
		p := w.people(variant{deletes: verify.DeletesMark, view: true})
		p.verbatim = true
		m := mem{}
		p.merger = p.merger2(m)
		require.NoError(t, p.merge(p.seal(first()), first()))
		require.NoError(t, w.Client.Dataset(stack.Dataset).Table(p.name).Delete(t.Context()))
		p.view = false
		p.resolve()
		p.merger = p.merger2(m)
		next := messages(1, mapping("f", "R", 0), person("R", 0))
		require.NoError(t, p.merge(p.seal(next), next))
	})
}

// A table that was truncated keeps its creation time, and the side tables know what it had: it is derived again before the next
// merge, and also where none comes. A replica that does not wait for the job attaches to it.
func TestA5_PersonsThatWereTruncatedAreDerivedAgain(t *testing.T) {
	for name, next := range map[string][]message{"a merge comes": messages(1, person("P", 1)), "none comes": nil} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.people(variant{deletes: verify.DeletesMark})
			p.verbatim = true
			m := mem{}
			p.merger = p.merger2(m)
			require.NoError(t, p.merge(p.seal(first()), first()))
			w.exec("TRUNCATE TABLE " + p.sql())
			if next != nil {
				require.NoError(t, p.merge(p.seal(next), next)) // compares the whole table
			}
			for range 2 { // the second has nothing to do
				require.NoError(t, p.merger.Prepare(t.Context(), p.resolved.Target))
				require.EqualValues(t, 2, w.scalar("SELECT COUNT(*) FROM "+p.sql()))
			}
		})
	}
}

// Nothing is prepared, and nothing counts as filled, before anything is merged.
func TestDerive_ATableThatNeverTookARowIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	p := w.people(variant{deletes: verify.DeletesMark})
	m := mem{}
	require.NoError(t, p.merger2(m).Prepare(t.Context(), p.resolved.Target))
	require.Empty(t, m)
	_, there, err := p.client().CreatedAt(t.Context(), stack.Project, stack.Dataset, p.name+"_person_state")
	require.NoError(t, err)
	require.False(t, there)
}

// The marks are gone, and the status table tells when the table was made that was filled: side tables that are younger than the one
// that is there know nothing of it.
func TestDerive_SideTablesWithoutMarksThatAreYoungerKnowNothing(t *testing.T) {
	w := newWorld(t)
	p := w.people(variant{deletes: verify.DeletesMark})
	m := mem{p.resolved.Target.String(): {time.Unix(1, 0)}} // as told by the status table
	sealed := p.seal(first())
	_, err := p.merger2(m).Apply(t.Context(), sealed, &sealed.Tables[0])
	require.ErrorIs(t, err, merge.ErrUnderivable)
}

func (m mem) Creations(_ context.Context, table string) ([]time.Time, error) { return m[table], nil }

// memWithColumns is service.creations: the columns are those of the first sight.
type memWithColumns struct {
	mem
	columns map[string][]batch.Column
}

func (m memWithColumns) Known(ctx context.Context, table string, created time.Time, c []batch.Column) (bool, error) {
	m.columns[table] = c
	return m.mem.Known(ctx, table, created, c)
}
func (m memWithColumns) Took(context.Context, string, time.Time) (bool, error) { return false, nil }

func (m memWithColumns) Columns(_ context.Context, table string) ([]batch.Column, error) {
	return m.columns[table], nil
}

// README: "Add bq_ingested_timestamp by hand". Then the table is deleted while a batch is on its way.
func TestDerive_AColumnAddedByHandIsThereAgain(t *testing.T) {
	w := newWorld(t)
	p := w.peopleWith(variant{deletes: verify.DeletesMark}, "team_id INT64, distinct_id STRING, person_id STRING, properties STRING, person_distinct_id_version INT64, person_version INT64, created_at TIMESTAMP, is_deleted BOOL")
	p.countOnly = true
	m := memWithColumns{mem{}, map[string][]batch.Column{}}
	house := func() *merge.Merger {
		return merge.NewMerger(stack.Bucket, p.client(), m, slog.New(slog.DiscardHandler))
	}
	p.merger = house()
	require.NoError(t, p.merge(p.seal(first()), first()))
	w.exec("ALTER TABLE " + p.sql() + " ADD COLUMN bq_ingested_timestamp TIMESTAMP")
	p.resolve()
	next := messages(1, person("P", 1))
	opened := p.seal(next)
	w.exec("DROP TABLE " + p.sql())
	w.nextMillisecond()
	cfg := destination.Config{Models: []string{destination.PersonsModel}, Dataset: stack.Dataset, EventsTable: stack.Table, PersonsTable: p.name, PersonDeletes: "mark"}
	d, err := destination.New(cfg, stack.Project, p.client(), m)
	require.NoError(t, err)
	require.NoError(t, d.Create(t.Context(), opened.Tables[0].Target.String(), opened.Tables[0].Target.Columns)) // applier.check
	p.merger = house()
	_, err = p.merger.Apply(t.Context(), opened, &opened.Tables[0])
	require.NoError(t, err)
}

func TestStatus_AnOlderTableGetsTheColumnsThatItLacks(t *testing.T) {
	w := newWorld(t)
	p := w.people(variant{deletes: verify.DeletesMark})
	w.exec("DROP TABLE IF EXISTS `" + stack.Project + "." + stack.Dataset + "." + stack.StatusTable + "`")
	w.exec("CREATE TABLE `" + stack.Project + "." + stack.Dataset + "." + stack.StatusTable + "` (table_name STRING, consumer_group STRING, model STRING, complete_through TIMESTAMP, last_batch STRING, last_batch_rows INT64, updated_at TIMESTAMP)")
	err := merge.NewStatusTable(p.client(), "g").Publish(t.Context(), p.resolved.Target, time.Now(), time.Now(), nil)
	t.Log("hint:", batch.HintOf(err))
	require.NoError(t, err)
}

// nextMillisecond waits until what is made has another creation time.
func (w *world) nextMillisecond() {
	now := time.Now().UnixMilli()
	require.Eventually(w, func() bool { return time.Now().UnixMilli() > now }, time.Second, time.Millisecond)
}
