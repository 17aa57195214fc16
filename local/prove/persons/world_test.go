package persons

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
	"tidemark/buffer"
	"tidemark/destination"
	"tidemark/loader"
	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/verify"
	"tidemark/merge"
	"tidemark/warehouse"
)

// variant is one of the shapes in which persons are kept.
type variant struct {
	deletes verify.Deletes
	json    bool // properties are JSON, not STRING
	view    bool // over the side tables
}

func (v variant) String() string {
	kind := "STRING"
	if v.json {
		kind = batch.JSONType
	}
	if v.view {
		kind += "/view"
	}
	return string(v.deletes) + "/" + kind
}

func variants() []variant {
	return []variant{{verify.DeletesMark, false, false}, {verify.DeletesMark, true, false}, {verify.DeletesRemove, false, false}, {verify.DeletesRemove, true, false}}
}

// world is an object store and a BigQuery, with a buffer of tidemark's in front.
type world struct {
	*testing.T
	*stack.Stack
	faults *bigquery.FaultScript
	buffer *buffer.Buffer
	clock  time.Time // of bq_ingested_timestamp
}

func newWorld(t *testing.T, change ...func(*bigquery.Config)) *world {
	t.Helper()
	w := &world{T: t, faults: bigquery.NewFaultScript(), clock: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)}
	cfg := stack.Config{Brokers: []string{"none"}, NoTable: true, BigQuery: bigquery.Config{Threads: 1, Faults: w.faults}}
	for _, c := range change {
		c(&cfg.BigQuery)
	}
	var err error
	w.Stack, err = stack.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	lc := loader.Config{Bucket: stack.Bucket, Prefix: "tidemark", Compression: "zstd", GCSEndpoint: w.GCS.Endpoint()}
	require.NoError(t, lc.Validate())
	store, err := loader.NewGCS(t.Context(), lc, loader.NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	parts, err := loader.NewParts(lc, store)
	require.NoError(t, err)
	bc := buffer.Config{Memory: 512 << 20, PartSize: 32 << 20, MaxRecordSize: 1 << 20, Deduplicate: buffer.DeduplicateBatch}
	require.NoError(t, bc.Validate())
	w.buffer = buffer.New(bc, parts, buffer.NewMetrics(prometheus.NewRegistry()), 2)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.buffer.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.ErrorIs(t, <-ended, context.Canceled)
		require.NoError(t, store.Close())
	})
	return w
}

// client is BigQuery as one replica has it.
func (w *world) client() *warehouse.Client {
	w.Helper()
	cfg := warehouse.Config{Project: stack.Project, BigQueryEndpoint: w.BigQuery.Endpoint(), BigQueryCallTimeout: time.Minute, BigQueryPollMax: time.Second}
	c, err := warehouse.New(w.Context(), cfg, slog.New(slog.DiscardHandler), warehouse.NewMetrics(prometheus.NewRegistry()))
	require.NoError(w, err)
	w.Cleanup(func() { require.NoError(w, c.Close()) })
	return c
}

// replica merges. edit, if not nil, changes the merge scripts on their way.
func (w *world) replica(edit func(sql string) string) *merge.Merger {
	w.Helper()
	var house merge.Warehouse = w.client()
	if edit != nil {
		house = editor{house, edit}
	}
	return merge.NewMerger(stack.Bucket, house, nil, slog.New(slog.DiscardHandler))
}

// editor changes merge scripts.
type editor struct {
	merge.Warehouse
	edit func(sql string) string
}

func (e editor) Query(ctx context.Context, job batch.QueryJob) (batch.JobResult, error) {
	if strings.HasSuffix(job.Base, "_apply") {
		job.SQL = e.edit(job.SQL)
	}
	return e.Warehouse.Query(ctx, job)
}

// allColumns are those that a persons table can have.
const allColumns = "team_id INT64, distinct_id STRING, person_id STRING, properties %s, person_distinct_id_version INT64, person_version INT64, " +
	"created_at TIMESTAMP, is_deleted BOOL, is_identified BOOL, bq_ingested_timestamp TIMESTAMP"

// people is a persons table with what should be in it.
type people struct {
	*world
	variant
	name      string
	resolved  destination.ResolvedTable
	merger    *merge.Merger
	fold      *verify.PersonsFold
	rows      map[verify.PersonKey]verify.PersonRow // that should be there
	written   map[verify.PersonKey]time.Time        // when they should have been
	countOnly bool                                  // compares the number of rows only
	verbatim  bool                                  // messages are PostHog's, with documents that read differently as STRING and as JSON
}

// people makes a table with all columns.
func (w *world) people(v variant) *people {
	w.Helper()
	kind := "STRING"
	if v.json {
		kind = batch.JSONType
	}
	return w.peopleWith(v, fmt.Sprintf(allColumns, kind))
}

// peopleWith makes a table with the columns, of which tidemark finds out by itself.
func (w *world) peopleWith(v variant, columns string) *people {
	w.Helper()
	w.clock = w.clock.Add(time.Hour)
	p := &people{world: w, variant: v, name: fmt.Sprintf("persons_%d", w.clock.Unix()), merger: w.replica(nil), fold: verify.NewPersonsFold(),
		rows: map[verify.PersonKey]verify.PersonRow{}, written: map[verify.PersonKey]time.Time{}}
	if !v.view {
		w.exec("CREATE TABLE " + p.sql() + " (" + columns + ") CLUSTER BY team_id, distinct_id")
	}
	p.resolve()
	return p
}

func (p *people) resolve() {
	p.Helper()
	cfg := destination.Config{Models: []string{destination.PersonsModel}, Dataset: stack.Dataset, EventsTable: stack.Table, PersonsTable: p.name,
		PersonDeletes: string(p.deletes), StatusTable: stack.StatusTable, JSONColumns: p.json}
	if p.view {
		cfg.PersonsAs = "view"
	}
	d, err := destination.New(cfg, stack.Project, p.client(), nil)
	require.NoError(p, err)
	resolved, err := d.Resolve(p.Context())
	require.NoError(p, err)
	require.Len(p, resolved.Tables, 1)
	p.resolved = resolved.Tables[0]
}

// sql is the table's name in statements.
func (p *people) sql() string { return fmt.Sprintf("`%s.%s.%s`", stack.Project, stack.Dataset, p.name) }

// exec runs a statement.
func (w *world) exec(sql string) {
	w.Helper()
	job, err := w.Client.Query(sql).Run(w.Context())
	require.NoError(w, err, sql)
	status, err := job.Wait(w.Context())
	require.NoError(w, err, sql)
	require.NoError(w, status.Err(), sql)
}

// scalar returns the only value of a query.
func (w *world) scalar(sql string) gbq.Value {
	w.Helper()
	it, err := w.Client.Query(sql).Read(w.Context())
	require.NoError(w, err, sql)
	var values []gbq.Value
	require.NoError(w, it.Next(&values), sql)
	return values[0]
}
