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

// warehouse holds tables by name. A created one gets its fields from the spec, as BigQuery does.
type warehouse struct {
	tables  map[string]*Table
	created []Spec
	err     error
	dataset Dataset
	// rival is a table that another replica creates just before ours.
	rival *Table
}

// holding has an events table.
func holding(t *Table) *warehouse { return &warehouse{tables: map[string]*Table{"events": t}} }

func (w *warehouse) Table(_ context.Context, _, _, name string) (Table, bool, error) {
	if w.err != nil || w.tables[name] == nil {
		return Table{}, false, w.err
	}
	return *w.tables[name], true, nil
}

func (w *warehouse) Dataset(context.Context, string, string) (Dataset, error) {
	ds := w.dataset
	ds.Location = "EU"
	return ds, w.err
}

func (w *warehouse) EnsureTable(_ context.Context, s Spec) error {
	w.created = append(w.created, s)
	if w.tables == nil {
		w.tables = make(map[string]*Table)
	}
	if w.tables[s.Table] = w.rival; w.rival != nil {
		return nil
	}
	made := &Table{Kind: "TABLE", Location: "EU", Partitions: s.Partitions}
	w.tables[s.Table] = made
	for _, c := range s.Columns {
		f := Field{Name: c.Name, Type: c.Type.String()}
		if s.JSON && c.JSON {
			f.Type = "JSON"
		}
		made.Fields = append(made.Fields, f)
	}
	return nil
}

func config(json bool, models ...string) Config {
	return Config{Models: models, Dataset: "posthog", EventsTable: "events", PersonsTable: "persons", PersonDeletes: "mark",
		StatusTable: "tidemark_status", JSONColumns: json, EventsPartitions: "day", EventsFrom: Date{time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)}, StageAbove: 100}
}

// resolve resolves the events table.
func resolve(t *testing.T, w *warehouse, json bool) (ResolvedTable, error) {
	t.Helper()
	d, err := New(config(json, EventsModel), "acme", w, new(memory))
	require.NoError(t, err)
	res, err := d.Resolve(t.Context())
	require.Len(t, res.Tables, 1)
	return res.Tables[0], err
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
		require.Equal(t, &batch.Partitioning{Unit: batch.Day, Column: "timestamp"}, spec.Partitions)
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
		require.Equal(t, "tidemark_status", res.Target.StatusTable)
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
	w := holding(&Table{Kind: "TABLE", Location: "EU", Fields: []Field{
		{Name: "Properties", Type: "JSON"}, // names have no case
		{Name: "note", Type: "GEOGRAPHY"},  // unknown: stays NULL
		{Name: "set", Type: "STRING"},
		{Name: "_kafka_offset", Type: "INT64"}, // known, not created by us
		{Name: "tags", Type: "STRING", Repeated: true},
	}})
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
		_, err := resolve(t, holding(&c.table), false)
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

func TestResolve_CreatesThePersonsTableWithDocumentedColumns(t *testing.T) {
	for _, json := range []bool{false, true} {
		w := new(warehouse)
		cfg := config(json, PersonsModel)
		cfg.PersonDeletes = "remove"
		d, err := New(cfg, "acme", w, new(memory))
		require.NoError(t, err)
		res, err := d.Resolve(t.Context())
		require.NoError(t, err)
		require.Len(t, w.created, 1, "no events table is made")
		require.Nil(t, w.created[0].Partitions)
		require.Equal(t, []string{"team_id", "distinct_id"}, w.created[0].ClusterBy)
		require.Equal(t, []string{"team_id", "distinct_id", "person_id", "properties", "person_distinct_id_version", "person_version", "created_at", "is_deleted"},
			names(w.created[0].Columns, func(c model.Column) string { return c.Name }))
		table := res.Tables[0]
		require.Equal(t, "persons", table.Target.Model)
		require.True(t, table.Target.RemoveDeleted)
		require.Equal(t, json, table.Target.HasJSON())
		require.Equal(t, names(model.ChangeColumns(), func(c model.Column) string { return c.Name }),
			names(table.Columns, func(c model.Selected) string { return c.Name }), "the parts are the same for every table")
		for _, c := range table.Columns {
			require.Equal(t, json && c.Name == "properties", c.Loadable, c.Name)
		}
	}
}

func TestResolve_PersonsNeedTheColumnsTheyAreMergedBy(t *testing.T) {
	w := &warehouse{tables: map[string]*Table{"persons": {Kind: "TABLE", Fields: []Field{
		{Name: "team_id", Type: "INT64"}, {Name: "Distinct_ID", Type: "STRING"}, {Name: "person_id", Type: "STRING"},
		{Name: "person_version", Type: "FLOAT64"}, {Name: "note", Type: "STRING"},
	}}}}
	d, err := New(config(false, EventsModel, PersonsModel), "acme", w, new(memory))
	require.NoError(t, err)
	res, err := d.Resolve(t.Context())
	require.ErrorContains(t, err, "column person_distinct_id_version is missing; want INT64")
	require.ErrorContains(t, err, "column person_version has type FLOAT64; want INT64")
	require.NotContains(t, err.Error(), "distinct_id is missing")
	require.Contains(t, batch.HintOf(err), "TIDEMARK_PERSONS_TABLE")
	require.Equal(t, "events", res.Tables[0].Target.Model)
}

func TestWants(t *testing.T) {
	all, err := New(config(false, EventsModel), "p", nil, new(memory))
	require.NoError(t, err)
	require.True(t, all.Wants(7))
	cfg := config(false, EventsModel)
	cfg.Teams = []int64{1, 7}
	some, err := New(cfg, "p", nil, new(memory))
	require.NoError(t, err)
	require.True(t, some.Wants(7))
	require.False(t, some.Wants(2))
}

func TestConfig_ValidateNamesEveryFault(t *testing.T) {
	require.NoError(t, config(false, EventsModel, PersonsModel).Validate())
	for _, c := range []struct {
		change func(*Config)
		want   []string
	}{
		{func(c *Config) { c.Dataset, c.EventsTable, c.Teams = "a-b", "a`b", []int64{0, 5, 5} },
			[]string{`TIDEMARK_DATASET is "a-b"`, "TIDEMARK_EVENTS_TABLE is \"a`b\"", "TIDEMARK_TEAMS has 0", "TIDEMARK_TEAMS has 5"}},
		{func(c *Config) { c.Dataset = "" }, []string{"TIDEMARK_DATASET is empty"}},
		{func(c *Config) { c.EventsTable = "persons_person_state" }, []string{`TIDEMARK_EVENTS_TABLE is "persons_person_state"; want another name`}},
		{func(c *Config) { c.PersonsTable = "events" }, []string{`TIDEMARK_EVENTS_TABLE and TIDEMARK_PERSONS_TABLE are both "events"`}},
		{func(c *Config) { c.Models = nil }, []string{"TIDEMARK_MODELS is empty; want events, persons or both"}},
		{func(c *Config) { c.Models = []string{"events", "event", "events"} }, []string{`TIDEMARK_MODELS has "event"`, `TIDEMARK_MODELS has "events"`}},
		{func(c *Config) { c.EventsPartitions = "week" }, []string{`TIDEMARK_EVENTS_PARTITIONS is "week"; want day, month, hour or none`}},
		{func(c *Config) { c.EventsPartitions = "hour" }, []string{"TIDEMARK_EVENTS_PARTITION_DAYS is 0"}},
		{func(c *Config) { c.EventsPartitions, c.EventsPartitionDays = "hour", 400 }, []string{"want 1 to 350 with hour"}},
		{func(c *Config) { c.StageAbove = 0 }, []string{"TIDEMARK_STAGE_ABOVE_PARTITIONS is 0"}},
		{func(c *Config) { c.EventsFrom = Date{time.Now().AddDate(0, 0, 2)} }, []string{"TIDEMARK_EVENTS_FROM is "}},
		{func(c *Config) { c.StatusTable = "persons_fence" }, []string{`TIDEMARK_STATUS_TABLE is "persons_fence"; want another name`}},
		{func(c *Config) { c.PersonsAs = "views" }, []string{`TIDEMARK_PERSONS_AS is "views"; want table or view`}},
		{func(c *Config) { c.PersonDeletes = "keep" }, []string{`TIDEMARK_PERSON_DELETES is "keep"; want mark or remove`}},
	} {
		cfg := config(false, EventsModel, PersonsModel)
		c.change(&cfg)
		for _, want := range c.want {
			require.ErrorContains(t, cfg.Validate(), want)
		}
	}
	alone := config(false, EventsModel, PersonsModel)
	alone.StatusTable = ""
	require.NoError(t, alone.Validate(), "nothing needs the status table")
	_, err := New(config(false, EventsModel), "", nil, new(memory))
	require.ErrorContains(t, err, "project")
}
