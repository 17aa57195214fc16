package merge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

var errFault = errors.New("injected fault")

// world is a BigQuery in memory, shared by the processes of a test. Jobs have their effect at once and once per name;
// tables expire. A process sees it through a [view].
type world struct {
	t *testing.T

	mu      sync.Mutex
	objects map[string][]string // rows by URI
	tables  map[string]*table   // by name, all in one dataset
	jobs    map[string]batch.JobResult
	effects []string          // what happened, in order
	sent    map[string]string // the statement that was sent last, by the job's kind
	refused time.Time         // until then the target takes no rows
	step    step
	memory  Memory // of processes that merge
}

// step takes one call: it may delay it and make it fail before or after its effect.
type step func(call string, effect func() error) error

func calm(_ string, effect func() error) error { return effect() }

// view is the world as one process finds it: every call goes through its step.
type view struct {
	*world
	step step
}

var _ Warehouse = (*view)(nil)

type table struct {
	columns          []batch.Column
	rows             []string
	created, expires time.Time
}

const target = "events"

func newWorld(t *testing.T) *world {
	w := &world{t: t, objects: map[string][]string{}, jobs: map[string]batch.JobResult{}, sent: map[string]string{}}
	w.tables = map[string]*table{target: {created: time.Now()}}
	w.step = calm
	return w
}

// manifest has two parts of 3 and 4 rows, which it puts into the bucket.
func (w *world) manifest() *batch.Manifest {
	id := batch.ID(uuid.MustParse("0198f0a3-7c1e-7000-8000-0123456789ab"))
	m := &batch.Manifest{ID: id, Period: batch.Period{Start: time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)}}
	t := batch.Table{Target: batch.Target{Model: "events", Project: "acme-prod", Location: "EU", Dataset: "posthog", Table: target,
		Columns: []batch.Column{{Name: "uuid", Type: "STRING"}, {Name: "properties", Type: "JSON"}, {Name: "team_id", Type: "INT64"}}}}
	for i, rows := range []int{3, 4} {
		p := batch.Part{Object: fmt.Sprintf("parts/%d.parquet", i), Team: 2, Rows: int64(rows)}
		for r := range rows {
			w.objects["gs://bucket/"+p.Object] = append(w.objects["gs://bucket/"+p.Object], fmt.Sprintf("row-%d-%d", i, r))
		}
		t.Parts = append(t.Parts, p)
	}
	m.Tables = []batch.Table{t}
	return m
}

// process is a fresh process, to which happens what w.step says.
func (w *world) process() *Inserter { return w.processOf(w.step) }

func (w *world) processOf(s step) *Inserter {
	return NewInserter("bucket", &view{w, s}, slog.New(slog.DiscardHandler))
}

// apply is one call of a fresh process.
func (w *world) apply(m *batch.Manifest) (int64, error) {
	return w.process().Apply(w.t.Context(), m, &m.Tables[0])
}

// checkOnce fails the test unless every row is in the target, once.
func (w *world) checkOnce() {
	w.t.Helper()
	var want []string
	for _, rows := range w.objects {
		want = append(want, rows...)
	}
	got := slices.Clone(w.tables[target].rows)
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(w.t, want, got, "effects: %v", w.effects)
}

func (w *view) call(name string, effect func() error) error {
	return w.step(name, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		for name, t := range w.tables {
			if !t.expires.IsZero() && !time.Now().Before(t.expires) {
				delete(w.tables, name)
				w.effects = append(w.effects, "expire "+name)
			}
		}
		return effect()
	})
}

// run has a job's effect unless the job is done, and returns its result either way. A failed attempt leaves no trace:
// the next call submits the next attempt.
func (w *world) run(ref batch.JobRef, effect func() (rows int, err error)) (res batch.JobResult, err error) {
	require.NotEmpty(w.t, ref.Location)
	if res, ok := w.jobs[ref.Base]; ok {
		return res, nil
	}
	rows, err := effect()
	if err != nil {
		return res, err
	}
	w.effects = append(w.effects, ref.Base)
	w.jobs[ref.Base] = batch.JobResult{ID: ref.Base + "-g1", Attempt: 1, Rows: int64(rows), Created: time.Now(), Ended: time.Now()}
	return w.jobs[ref.Base], nil
}

// Load implements [Warehouse].
func (w *view) Load(_ context.Context, job batch.LoadJob) (res batch.JobResult, err error) {
	err = w.call("load", func() (err error) {
		res, err = w.run(job.JobRef, func() (int, error) {
			t := w.tables[job.Table]
			switch {
			case t == nil:
				return 0, fmt.Errorf("not found: table %s", job.Table)
			case job.Empty && len(t.rows) > 0:
				return 0, fmt.Errorf("duplicate: table %s is not empty", job.Table)
			case !slices.Equal(t.columns, job.Columns):
				return 0, fmt.Errorf("invalid: schema %v does not match %v", job.Columns, t.columns)
			}
			for _, c := range job.Columns {
				if c.Type == batch.JSONType {
					return 0, errors.New("unsupported field type: JSON")
				}
			}
			var rows []string
			for _, uri := range job.URIs {
				rows = append(rows, w.objects[uri]...)
			}
			t.rows = append(t.rows, rows...)
			return len(rows), nil
		})
		return err
	})
	return res, err
}

// Query implements [Warehouse] for the statements there are.
func (w *view) Query(_ context.Context, job batch.QueryJob) (res batch.JobResult, err error) {
	if strings.Contains(job.SQL, "@table_name") || strings.Contains(job.SQL, "_fence`") {
		err = w.call("query", func() (err error) {
			res, err = w.run(job.JobRef, func() (int, error) { return w.oneRow(job) })
			return err
		})
		return res, err
	}
	insert := regexp.MustCompile("^INSERT INTO `acme-prod.posthog.(.+)` \\([^)]*\\)\nSELECT\n[^;]*\nFROM `acme-prod.posthog.(.+)`\n$")
	names := insert.FindStringSubmatch(job.SQL)
	require.NotNil(w.t, names, job.SQL)
	err = w.call("query", func() (err error) {
		res, err = w.run(job.JobRef, func() (int, error) {
			into, from := w.tables[names[1]], w.tables[names[2]]
			if time.Now().Before(w.refused) {
				return 0, errors.New("access denied")
			}
			if into == nil || from == nil {
				return 0, fmt.Errorf("not found: table %s or %s", names[1], names[2])
			}
			into.rows = append(into.rows, from.rows...)
			return len(from.rows), nil
		})
		return err
	})
	return res, err
}

// oneRow runs the statements around the tables with a row to find, the status table and the fence: what they do to other rows
// is for the embedded BigQuery to show.
func (w *world) oneRow(job batch.QueryJob) (int, error) {
	kind := strings.Split(strings.TrimPrefix(job.Base, "tidemark_"), "_")
	for _, known := range []string{"seed", "apply", "merge"} {
		if slices.Contains(kind, known) {
			w.sent[strings.Replace(known, "merge", "apply", 1)] = job.SQL
		}
	}
	names := regexp.MustCompile("`acme-prod.posthog.([^`]+)`").FindAllStringSubmatch(job.SQL, -1)
	for _, name := range names {
		if w.tables[name[1]] == nil {
			return 0, fmt.Errorf("not found: table %s", name[1])
		}
	}
	t := w.tables[names[0][1]]
	if strings.HasPrefix(job.SQL, "INSERT INTO") {
		t.rows = append(t.rows, "row")
	}
	if len(t.rows) != 1 {
		return 0, fmt.Errorf("table %s has %d rows", names[0][1], len(t.rows))
	}
	return 1, nil
}

// Look implements [Warehouse].
func (w *view) Look(_ context.Context, ref batch.JobRef) (e batch.Evidence, err error) {
	err = w.call("look", func() error {
		e.State = batch.NoJob
		if _, found := w.jobs[ref.Base]; found {
			e.State = batch.Succeeded
		}
		return nil
	})
	return e, err
}

// Find implements [Warehouse].
func (w *view) Find(_ context.Context, ref batch.JobRef) (res batch.JobResult, found bool, err error) {
	err = w.call("find", func() error { res, found = w.jobs[ref.Base]; return nil })
	return res, found && err == nil, err
}

// CreateSide implements [Warehouse].
func (w *view) CreateSide(_ context.Context, _, _ string, side Side) error {
	return w.call("side", func() error {
		if w.tables[side.Table] == nil {
			w.tables[side.Table] = &table{columns: side.Columns, created: time.Now()}
			w.effects = append(w.effects, "create "+side.Table)
		}
		return nil
	})
}

// CreateView implements [Warehouse].
func (w *view) CreateView(_ context.Context, _, _ string, v View) error {
	return w.call("view", func() error {
		if w.tables[v.Table] == nil {
			w.tables[v.Table] = &table{created: time.Now()}
			w.effects = append(w.effects, "create "+v.Table)
		}
		return nil
	})
}

// CreateStage implements [Warehouse].
func (w *view) CreateStage(_ context.Context, _, _, name string, columns []batch.Column, expires time.Time, _ map[string]string) error {
	return w.call("create", func() error {
		if w.tables[name] == nil {
			w.tables[name] = &table{columns: columns, created: time.Now(), expires: expires}
			w.effects = append(w.effects, "create "+name)
		}
		return nil
	})
}

// CreatedAt implements [Warehouse].
func (w *view) CreatedAt(_ context.Context, _, _, name string) (created time.Time, found bool, err error) {
	err = w.call("created", func() error {
		if t := w.tables[name]; t != nil {
			created, found = t.created, true
		}
		return nil
	})
	return created, found && err == nil, err
}

// Rows implements [Warehouse].
func (w *view) Rows(_ context.Context, _, _, name string) (rows int64, err error) {
	err = w.call("rows", func() error { rows = w.rows(name); return nil })
	return rows, err
}

// DropTable implements [Warehouse].
func (w *view) DropTable(_ context.Context, _, _, name string) error {
	require.True(w.t, strings.HasPrefix(name, "tidemark_stage_"), name)
	return w.call("drop", func() error { delete(w.tables, name); return nil })
}

// wait passes time in a bubble.
func wait(d time.Duration) { <-time.After(d) }
