package destination

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/batch"
	"tidemark/model"
)

// memory knows when the tables of one name were made.
type memory struct {
	made    []time.Time
	columns []batch.Column
	took    bool // rows
}

func (m *memory) Took(context.Context, string, time.Time) (bool, error) { return m.took, nil }

func (m *memory) Known(_ context.Context, _ string, created time.Time, columns []batch.Column) (bool, error) {
	if len(m.made) == 0 {
		m.made, m.columns = append(m.made, created), columns
	}
	return slices.ContainsFunc(m.made, created.Equal), nil
}

func (m *memory) Creations(context.Context, string) ([]time.Time, error) { return m.made, nil }

func (m *memory) Columns(context.Context, string) ([]batch.Column, error) { return m.columns, nil }

// A5, B8: a table of events that was filled and is gone is not made again without a word, and one that somebody else made again is
// not taken for it.
func TestResolve_ATableThatWasFilledIsNotReplaced(t *testing.T) {
	first, later := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 9, 2, 0, 0, 0, 0, time.UTC)
	table := func(created time.Time) *Table {
		return &Table{Kind: "TABLE", Created: created, Fields: []Field{{Name: "uuid", Type: "STRING"}}}
	}
	w, m := holding(table(first)), new(memory)
	d, err := New(config(false, EventsModel), "acme", w, m)
	require.NoError(t, err)
	res, err := d.Resolve(t.Context())
	require.NoError(t, err)
	require.Empty(t, res.Lost)
	require.Empty(t, m.made, "to be looked at is not to be filled")
	m.made, m.columns = []time.Time{first}, res.Tables[0].Target.Columns // a batch is applied

	delete(w.tables, "events")
	res, err = d.Resolve(t.Context())
	require.NoError(t, err, "rows are collected, and nothing else is held up")
	require.Len(t, res.Lost, 1)
	require.ErrorContains(t, res.Lost[0], "table acme.posthog.events is gone, and the one made at 2026-09-01T00:00:00Z was filled")
	require.Contains(t, batch.HintOf(res.Lost[0]), "tidemark tables accept")
	require.Equal(t, []batch.Column{{Name: "uuid", Type: "STRING"}}, res.Tables[0].Target.Columns)
	require.Empty(t, w.created)

	require.NoError(t, d.Create(t.Context(), "acme.posthog.events", nil), "a person may want an empty one")
	require.Len(t, w.created, 1)
	require.Equal(t, []string{"uuid"}, names(w.created[0].Columns, func(c model.Column) string { return c.Name }), "with the columns of the one before, which batches on their way fill")
	require.Nil(t, w.created[0].Partitions)
	require.Empty(t, w.created[0].ClusterBy)

	w.tables["events"] = table(later)
	res, err = d.Resolve(t.Context())
	require.NoError(t, err, "rows are collected")
	require.Len(t, res.Lost, 1)
	require.ErrorContains(t, res.Lost[0], "was made at 2026-09-02T00:00:00Z, and the one that was filled at 2026-09-01T00:00:00Z")
	require.Equal(t, "acme.posthog.events", res.Tables[0].Target.String())

	m.made = append(m.made, later)
	res, err = d.Resolve(t.Context())
	require.NoError(t, err)
	require.Empty(t, res.Lost, "a person has accepted it")
}

// A table that never took a row may go: nothing is lost with it.
func TestA5_ATableThatNeverTookARowIsMadeAgain(t *testing.T) {
	w := new(warehouse)
	d, err := New(config(false, EventsModel), "acme", w, new(memory))
	require.NoError(t, err)
	for range 2 {
		res, err := d.Resolve(t.Context())
		require.NoError(t, err)
		require.Empty(t, res.Lost)
		delete(w.tables, "events")
	}
	require.Len(t, w.created, 2)
}

// A batch on its way may be for a table that the configuration does not name any more: what to do is said, and a person can have it
// made.
func TestCreate_ATableOfABatchThatIsNotConfigured(t *testing.T) {
	for _, kind := range []string{EventsModel, PersonsModel} {
		w := new(warehouse)
		d, err := New(config(false, EventsModel, PersonsModel), "acme", w, new(memory))
		require.NoError(t, err)
		old := batch.Target{Model: kind, Project: "acme", Dataset: "posthog", Table: "old", Columns: []batch.Column{{Name: "team_id", Type: "INT64"}}}
		require.False(t, d.Configured(old))
		err = d.Create(t.Context(), old.String(), old.Columns)
		require.ErrorAs(t, err, new(*NotConfigured))
		require.Contains(t, batch.HintOf(err), "tidemark tables accept TABLE --create")
		require.Contains(t, batch.HintOf(err), "tidemark batches void")
		require.Empty(t, w.created)
		require.NoError(t, d.Restore(t.Context(), old))
		require.Equal(t, "old", w.created[0].Table)
		require.Equal(t, []string{"team_id"}, names(w.created[0].Columns, func(c model.Column) string { return c.Name }))
	}
}

// Each column is of the type that was filled: a table may have some documents as JSON and others as STRING.
func TestCreate_EachColumnHasTheTypeThatWasFilled(t *testing.T) {
	w := new(warehouse)
	d, err := New(config(false, EventsModel), "acme", w, new(memory))
	require.NoError(t, err)
	filled := []batch.Column{{Name: "uuid", Type: "STRING"}, {Name: "properties", Type: batch.JSONType}, {Name: "set", Type: "STRING"}}
	require.NoError(t, d.Create(t.Context(), "acme.posthog.events", filled))
	found := map[string]string{}
	for _, f := range w.tables["events"].Fields {
		found[f.Name] = f.Type
	}
	require.Equal(t, map[string]string{"uuid": "STRING", "properties": batch.JSONType, "set": "STRING"}, found)
}

// Persons are derived again, so their table is.
func TestResolve_ATableOfPersonsIsMadeAgain(t *testing.T) {
	w := new(warehouse)
	d, err := New(config(false, PersonsModel), "acme", w, &memory{made: []time.Time{time.Unix(1, 0)}})
	require.NoError(t, err)
	res, err := d.Resolve(t.Context())
	require.NoError(t, err)
	require.Empty(t, res.Lost)
	require.Len(t, w.created, 1)
}

// A batch on its way may be for persons of the other kind than what has the name by now.
func TestCheckKind_ABatchWaitsForItsOwnKind(t *testing.T) {
	for _, view := range []bool{false, true} {
		target := batch.Target{Model: PersonsModel, Project: "acme", Dataset: "posthog", Table: "persons", View: view}
		own, other := "TABLE", "VIEW"
		if view {
			own, other = other, own
		}
		require.NoError(t, CheckKind(target, Table{Kind: own}))
		err := CheckKind(target, Table{Kind: other})
		require.ErrorContains(t, err, "it is of the kind "+other+", and a batch on its way is for a "+own)
		require.ErrorContains(t, err, "until `tidemark batches` is empty")
	}
	require.NoError(t, CheckKind(batch.Target{Model: EventsModel}, Table{Kind: "VIEW"}), "of events that is found when it is resolved")
}
