package destination

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
	"tidemark/model"
)

// warehouse holds at most one table. A created one gets its fields from the spec, as BigQuery does.
type warehouse struct {
	table   *Table
	created []Spec
	err     error
	// rival is a table that another replica creates just before ours.
	rival *Table
}

func (w *warehouse) Table(context.Context, string, string, string) (Table, bool, error) {
	if w.err != nil || w.table == nil {
		return Table{}, false, w.err
	}
	return *w.table, true, nil
}

func (w *warehouse) EnsureTable(_ context.Context, s Spec) error {
	w.created = append(w.created, s)
	if w.table = w.rival; w.table != nil {
		return nil
	}
	w.table = &Table{Kind: "TABLE", Location: "EU"}
	for _, c := range s.Columns {
		f := Field{Name: c.Name, Type: c.Type.String()}
		if s.JSON && c.JSON {
			f.Type = "JSON"
		}
		w.table.Fields = append(w.table.Fields, f)
	}
	return nil
}

func resolve(t *testing.T, w *warehouse, json bool) (Resolved, error) {
	t.Helper()
	d, err := New(Config{Dataset: "posthog", EventsTable: "events", JSONColumns: json}, "acme", w)
	require.NoError(t, err)
	return d.Resolve(t.Context(), time.Unix(1, 0))
}

func names[T any](list []T, name func(T) string) (out []string) {
	for _, e := range list {
		out = append(out, name(e))
	}
	return out
}

func TestResolve_CreatesMissingTableWithDocumentedColumns(t *testing.T) {
	for _, json := range []bool{false, true} {
		w := new(warehouse)
		res, err := resolve(t, w, json)
		require.NoError(t, err)
		require.Len(t, w.created, 1)
		spec := w.created[0]
		require.Equal(t, "timestamp", spec.PartitionBy)
		require.Equal(t, []string{"team_id", "event"}, spec.ClusterBy)
		documented := []string{"uuid", "event", "properties", "elements", "set", "set_once", "distinct_id", "team_id", "ip",
			"site_url", "timestamp", "bq_ingested_timestamp"}
		require.Equal(t, documented, names(spec.Columns, func(c model.Column) string { return c.Name }))
		require.Equal(t, documented, names(res.Target.Columns, func(c batch.Column) string { return c.Name }))
		require.Equal(t, documented, names(res.Columns, func(c model.Selected) string { return c.Name }))
		require.Equal(t, json, res.Target.HasJSON())
		for i, c := range res.Columns {
			require.Equal(t, json && c.JSON, c.Loadable, c.Name)
			require.Equal(t, c.Loadable, res.Target.Columns[i].Type == batch.JSONType, c.Name)
		}
		require.Equal(t, "acme.posthog.events", res.Target.String())
		require.Equal(t, "EU", res.Target.Location)
		require.Equal(t, "events", res.Target.Model)
		require.Equal(t, time.Unix(1, 0), res.ReadAt)
	}
}

// Another replica may win the race to create the table, with another configuration: what is there counts.
func TestResolve_UsesTheTableThatIsThere(t *testing.T) {
	w := &warehouse{rival: &Table{Kind: "TABLE", Location: "US", Fields: []Field{{Name: "uuid", Type: "STRING"}}}}
	res, err := resolve(t, w, true)
	require.NoError(t, err)
	require.Equal(t, []batch.Column{{Name: "uuid", Type: "STRING"}}, res.Target.Columns)
	require.Equal(t, "US", res.Target.Location)
}

func TestResolve_LoadsOnlyColumnsTheTableHas(t *testing.T) {
	w := &warehouse{table: &Table{Kind: "TABLE", Location: "EU", Fields: []Field{
		{Name: "Properties", Type: "JSON"}, // names have no case
		{Name: "note", Type: "GEOGRAPHY"},  // unknown: stays NULL
		{Name: "set", Type: "STRING"},
		{Name: "_kafka_offset", Type: "INT64"}, // known, not created by us
		{Name: "tags", Type: "STRING", Repeated: true},
	}}}
	res, err := resolve(t, w, false)
	require.NoError(t, err)
	require.Empty(t, w.created)
	want := []batch.Column{{Name: "properties", Type: "JSON"}, {Name: "set", Type: "STRING"}, {Name: "_kafka_offset", Type: "INT64"}}
	require.Empty(t, cmp.Diff(want, res.Target.Columns))
	require.Equal(t, []bool{true, false, false}, []bool{res.Columns[0].Loadable, res.Columns[1].Loadable, res.Columns[2].Loadable})
}

func TestResolve_TableThatCannotTakeRowsIsAnErrorWithEveryFault(t *testing.T) {
	for _, c := range []struct {
		table Table
		want  []string
	}{
		{Table{Kind: "VIEW"}, []string{"kind VIEW; want a TABLE"}},
		{Table{Fields: []Field{{Name: "note", Type: "STRING"}}}, []string{"none of the known columns"}},
		{Table{Fields: []Field{
			{Name: "event", Type: "STRING"}, {Name: "uuid", Type: "BYTES"}, {Name: "team_id", Type: "STRING"},
			{Name: "set", Type: "INT64"}, {Name: "ip", Type: "STRING", Repeated: true}, {Name: "timestamp", Type: "DATETIME"},
			{Name: "elements", Type: "JSON"}, {Name: "must", Type: "DATE", Required: true}, {Name: "distinct_id", Type: "STRING", Required: true},
		}}, []string{"acme.posthog.events", "column uuid has type BYTES; want STRING", "column team_id has type STRING; want INT64",
			"column set has type INT64; want STRING or JSON", "column ip has type ARRAY<STRING>; want STRING",
			"column timestamp has type DATETIME; want TIMESTAMP", "column elements has type JSON; want STRING",
			"column must is REQUIRED", "column distinct_id is REQUIRED"}},
	} {
		_, err := resolve(t, &warehouse{table: &c.table}, false)
		var e *Error
		require.ErrorAs(t, err, &e)
		for _, want := range c.want {
			require.ErrorContains(t, err, want)
		}
		require.Contains(t, batch.HintOf(err), "TIDEMARK_EVENTS_TABLE")
	}
}

func TestResolve_WarehouseErrorsPassThrough(t *testing.T) {
	down := errors.New("down")
	_, err := resolve(t, &warehouse{err: down}, false)
	require.ErrorIs(t, err, down)
}

func TestWants(t *testing.T) {
	all, err := New(Config{Dataset: "d", EventsTable: "e"}, "p", nil)
	require.NoError(t, err)
	require.True(t, all.Wants(7))
	some, err := New(Config{Dataset: "d", EventsTable: "e", Teams: []int64{1, 7}}, "p", nil)
	require.NoError(t, err)
	require.True(t, some.Wants(7))
	require.False(t, some.Wants(2))
}

func TestConfig_ValidateNamesEveryFault(t *testing.T) {
	require.NoError(t, Config{Dataset: "posthog_1", EventsTable: "my-events"}.Validate())
	err := Config{Dataset: "a-b", EventsTable: "a`b", Teams: []int64{0, 5, 5}}.Validate()
	for _, want := range []string{`TIDEMARK_DATASET is "a-b"`, "TIDEMARK_EVENTS_TABLE is \"a`b\"", "TIDEMARK_TEAMS has 0", "TIDEMARK_TEAMS has 5"} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, Config{EventsTable: "events"}.Validate(), "TIDEMARK_DATASET is empty")
	_, err = New(Config{Dataset: "d", EventsTable: "e"}, "", nil)
	require.ErrorContains(t, err, "project")
}
