package sqlcheck

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/batch"
	"tidemark/merge"
	"tidemark/model"
)

// schema is the columns of tables by full name.
type schema map[string][]batch.Column

// with returns a schema that has one more table, or another one of the name.
func (s schema) with(name string, columns []batch.Column) schema {
	more := maps.Clone(s)
	more[name] = columns
	return more
}

// The tables that the golden files name. One name stands for the stages of both models, as both have one batch.
const (
	eventsTable  = "acme-prod.posthog.events"
	personsTable = "acme-prod.posthog.persons"
	stageTable   = "acme-prod.posthog.tidemark_stage_0198f0a37c1e700080000123456789ab_0123456789abcdef_1"
)

// columnsOf turns a model's columns into a table's; documents have the type json. A nil keep keeps all.
func columnsOf(all []model.Column, json string, keep func(model.Column) bool) (columns []batch.Column) {
	for _, c := range all {
		if keep != nil && !keep(c) {
			continue
		}
		typ := c.Type.String()
		if c.JSON {
			typ = json
		}
		columns = append(columns, batch.Column{Name: c.Name, Type: typ})
	}
	return columns
}

// target is a table with the columns, which has the name of its model.
func target(name string, columns []batch.Column) batch.Target {
	return batch.Target{
		Model: name, Project: "acme-prod", Location: "EU", Dataset: "posthog", Table: name, Columns: columns, StatusTable: "tidemark_status",
	}
}

// manifest is a batch with one part for the table.
func manifest(t batch.Target, keys *batch.Keys) *batch.Manifest {
	at := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	return &batch.Manifest{
		ID: batch.ID{1}, Period: batch.Period{Start: at}, IngestedAt: at,
		Contents: batch.Contents{Tables: []batch.Table{{Target: t, Keys: keys, Parts: []batch.Part{{Object: "part.parquet", Rows: partRows}}}}},
	}
}

const partRows = 7

// recorder is a warehouse where everything succeeds at once. It keeps the tables that package merge makes and the
// statements it sends, so that both are analyzed as they are, not as this module remembers them.
type recorder struct {
	tables schema
	stage  string // full name of the stage that was made last
	sent   []batch.QueryJob
}

var _ merge.Warehouse = (*recorder)(nil)

// newRecorder returns a warehouse that has the target.
func newRecorder(t batch.Target) *recorder {
	return &recorder{tables: schema{t.String(): t.Columns}}
}

// Load implements [merge.Warehouse].
func (*recorder) Load(context.Context, batch.LoadJob) (batch.JobResult, error) {
	return batch.JobResult{Rows: partRows}, nil
}

// Query implements [merge.Warehouse].
func (r *recorder) Query(_ context.Context, job batch.QueryJob) (batch.JobResult, error) {
	r.sent = append(r.sent, job)
	return batch.JobResult{Rows: partRows}, nil
}

// Find implements [merge.Warehouse]: no job has run yet.
func (*recorder) Find(context.Context, batch.JobRef) (batch.JobResult, bool, error) {
	return batch.JobResult{}, false, nil
}

// Look implements [merge.Warehouse]: no job has run yet.
func (*recorder) Look(context.Context, batch.JobRef) (batch.Evidence, error) {
	return batch.Evidence{}, nil
}

// CreateSide implements [merge.Tables].
func (r *recorder) CreateSide(_ context.Context, project, dataset string, side merge.Side) error {
	r.tables[project+"."+dataset+"."+side.Table] = side.Columns
	return nil
}

// CreateView implements [merge.Tables]: its query is analyzed like a statement.
func (r *recorder) CreateView(_ context.Context, _, _ string, view merge.View) error {
	r.sent = append(r.sent, batch.QueryJob{SQL: view.SQL})
	return nil
}

// CreateStage implements [merge.Tables].
func (r *recorder) CreateStage(_ context.Context, project, dataset, table string, columns []batch.Column, _ time.Time,
	_ map[string]string,
) error {
	r.stage = project + "." + dataset + "." + table
	r.tables[r.stage] = columns
	return nil
}

// CreatedAt implements [merge.Tables]: not after the load, or the stage would count as lost.
func (*recorder) CreatedAt(context.Context, string, string, string) (created time.Time, found bool, err error) {
	return time.Time{}, true, nil
}

// Rows implements [merge.Tables].
func (*recorder) Rows(context.Context, string, string, string) (int64, error) { return 1, nil }

// DropTable implements [merge.Tables].
func (*recorder) DropTable(context.Context, string, string, string) error { return nil }

// eventsSchema is what an INSERT of a batch of events meets: a table with all columns and the stage, by the name the
// golden files give it.
func eventsSchema(t *testing.T) schema {
	r := record(t, target("events", columnsOf(model.EventColumns(), batch.JSONType, nil)), nil)
	return r.tables.with(stageTable, r.tables[r.stage])
}

// personsSchema is the same for persons, with the tables beside it; properties have the type json.
func personsSchema(t *testing.T, json string) schema {
	r := record(t, target("persons", columnsOf(model.PersonColumns(), json, nil)), &batch.Keys{LastPerson: "1", LastDistinctID: "1"})
	require.Len(t, r.tables, 6)
	return r.tables.with(stageTable, r.tables[r.stage])
}
