package merge

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"tidemark/batch"
	"tidemark/model"
)

// Merger applies the persons of a batch: by way of a stage table, and of one script that merges the stage into the side
// tables by version and their join into the persons table, all in one transaction. It is safe for concurrent use, here
// and in other processes, for any batches of the same table.
//
// BigQuery has no unique keys, and two MERGEs that only insert do not conflict, so both could insert one key. That is why
// the script begins with the update of the one row of the table's fence table: scripts that run at the same time conflict
// there, and all but one are cancelled and run again under the next attempt's ID.
type Merger struct {
	staged
	memory Memory
	turns  turns

	mu      sync.Mutex
	sides   map[string]sides  // of the tables whose side tables are there, by full name
	refills map[string]string // the kinds of the jobs that derive truncated tables and are not known to have succeeded, likewise
}

// sides is what is known of a table's side tables, its fence among them, once they are there.
type sides struct {
	// created is when the table of persons, or the view, was made; columns are those that it was merged in.
	created time.Time
	columns []batch.Column
	// until then merges update the row of the status table as well.
	alongside time.Time
	// refilled says that the table had no row when it was looked at last, and was derived.
	refilled bool
}

// withStatus says whether a merge of t updates the row of the status table as well.
func (s sides) withStatus(t batch.Target) bool {
	return t.StatusTable != "" && time.Now().Before(s.alongside)
}

var _ batch.Applier = (*Merger)(nil)

// NewMerger returns an applier for parts in the bucket. Without a memory, which may be nil, tables are taken as they are found.
func NewMerger(bucket string, w Warehouse, memory Memory, log *slog.Logger) *Merger {
	m := &Merger{memory: memory, sides: make(map[string]sides), refills: make(map[string]string)}
	m.staged = staged{bucket: bucket, warehouse: w, log: log, columns: changeColumns, query: m.merge}
	return m
}

// Apply implements [batch.Applier]. The rows it returns are those of the stage: the script counts them before it begins,
// and so has merged all of them if it succeeded. Merging again what was merged changes nothing.
func (m *Merger) Apply(ctx context.Context, mf *batch.Manifest, t *batch.Table) (int64, error) {
	if len(t.Parts) == 0 {
		return 0, nil
	}
	if _, err := m.apply(ctx, mf, t); err != nil {
		return 0, fmt.Errorf("merge batch %s: %w", mf.ID, err)
	}
	return t.Rows(), nil
}

// merge runs a script in its turn. BigQuery runs two statements at a time that change one table and queues twenty, and
// of two scripts one is cancelled anyhow; so those of one process wait for each other here.
func (m *Merger) merge(ctx context.Context, s stage, job batch.QueryJob) (batch.JobResult, error) {
	t := s.table.Target
	if s.fresh { // the driver spreads what comes again
		if !batch.Pause(ctx, spread(s.manifest.Period)) {
			return batch.JobResult{}, ctx.Err()
		}
	}
	done, err := m.turns.take(ctx, t.String())
	if err != nil {
		return batch.JobResult{}, err
	}
	defer done()
	there, err := m.prepare(ctx, t)
	if err != nil {
		return batch.JobResult{}, err
	}
	if job.SQL, job.Params, err = mergeStatement(s, there.withStatus(t)); err != nil {
		return batch.JobResult{}, err
	}
	result, err := m.warehouse.Query(ctx, job)
	if err != nil {
		m.forget(t) // somebody may have dropped a side table
	}
	return result, err
}

// maxSpread bounds how long a first attempt waits for others to go first.
const maxSpread = 30 * time.Second

// spread returns a random pause, of a twentieth of the period at most, before the first attempt to merge a batch. All replicas
// of a group seal at the same boundary, and BigQuery takes 25 statements in ten seconds that change one table, of which 2 run
// and 20 wait (cloud.google.com/bigquery/quotas, data manipulation language statements, 2026-08-22).
func spread(p batch.Period) time.Duration {
	most := min(maxSpread, p.End.Sub(p.Start)/20)
	return rand.N(max(most, 0) + 1)
}

// Prepare sees to it that the tables of persons that are merged are there, with what they should have: one that was deleted or
// truncated is derived again, in its turn among merges. Where nothing was merged yet there is nothing to see to. It is safe to
// repeat, and asks for little where all is well. What ctx does not wait for goes on in BigQuery, and a later call attaches to it.
func (m *Merger) Prepare(ctx context.Context, t batch.Target) error {
	if merged, err := m.merged(ctx, t); err != nil || !merged {
		return err
	}
	_, ready, err := m.ready(ctx, t)
	if err != nil || ready {
		return err
	}
	done, err := m.turns.take(ctx, t.String())
	if err != nil {
		return err
	}
	defer done()
	_, err = m.prepare(ctx, t)
	return err
}

// merged says whether anything may have been merged into t, by whomever: it, or a side table, is marked or there.
func (m *Merger) merged(ctx context.Context, t batch.Target) (bool, error) {
	if _, known := m.known(t); known {
		return true, nil
	}
	if m.memory != nil {
		for _, one := range append(SideTables(t), t) {
			if before, err := m.memory.Creations(ctx, one.String()); err != nil || len(before) > 0 {
				return len(before) > 0, err
			}
		}
	}
	for _, side := range SideTables(t) {
		if _, found, err := m.warehouse.CreatedAt(ctx, side.Project, side.Dataset, side.Table); err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// ready says whether nothing has changed since t was prepared.
func (m *Merger) ready(ctx context.Context, t batch.Target) (there sides, ready bool, err error) {
	created, err := m.createdAt(ctx, t)
	if err != nil {
		return there, false, err
	}
	if there, ready = m.known(t); !ready || !there.created.Equal(created) || !slices.Equal(there.columns, t.Columns) {
		return sides{created: created, columns: t.Columns}, false, nil
	}
	empty, err := m.emptied(ctx, t)
	return there, empty == there.refilled, err
}

// prepare sees to it that the fence is there, and the side tables with what the table knows.
func (m *Merger) prepare(ctx context.Context, t batch.Target) (there sides, err error) {
	there, ready, err := m.ready(ctx, t)
	if err != nil || ready {
		return there, err
	}
	created := there.created
	if there.alongside, err = m.ensureFence(ctx, t); err != nil {
		return there, err
	}
	var made []time.Time
	for _, side := range []Side{personState(t), mappingState(t)} {
		created, err := createSide(ctx, m.warehouse, t, side)
		if err != nil {
			return there, err
		}
		made = append(made, created)
	}
	if err := m.seed(ctx, t, created, made, there.withStatus(t)); err != nil {
		return there, err
	}
	if err := m.rebuild(ctx, t, created, made, there.withStatus(t)); err != nil {
		return there, err
	}
	if there, err = m.refill(ctx, t, there); err != nil {
		return there, err
	}
	if t.View {
		if there.created, err = m.createView(ctx, t); err != nil {
			return there, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sides[t.String()] = there
	return there, nil
}

// createView makes the view unless it is there, and returns when it was made.
func (m *Merger) createView(ctx context.Context, t batch.Target) (created time.Time, err error) {
	view, err := personsView(t)
	if err != nil {
		return created, err
	}
	if err := m.warehouse.CreateView(ctx, t.Project, t.Dataset, view); err != nil {
		return created, err
	}
	created, _, err = m.warehouse.CreatedAt(ctx, t.Project, t.Dataset, t.Table)
	return created, err
}

// createdAt is when the table of persons, or the view, was made: somebody may have deleted it, or made it again, since the last
// merge.
func (m *Merger) createdAt(ctx context.Context, t batch.Target) (time.Time, error) {
	created, found, err := m.warehouse.CreatedAt(ctx, t.Project, t.Dataset, t.Table)
	if err == nil && !found && !t.View { // a view is made along with the rest
		err = fmt.Errorf("table %s is not there; it is made, and filled, again when the next batch is opened", t)
	}
	return created, err
}

func (m *Merger) known(t batch.Target) (there sides, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	there, ok = m.sides[t.String()]
	return there, ok
}

func (m *Merger) forget(t batch.Target) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sides, t.String())
}

// changeColumns are those of the stage: both kinds of changes in one table, so that one load job brings both.
func changeColumns(batch.Target) []batch.Column {
	var columns []batch.Column
	for _, c := range model.ChangeColumns() {
		columns = append(columns, batch.Column{Name: c.Name, Type: c.Type.String()})
	}
	return columns
}

// turns lets one goroutine at a time work on each name. The zero value is ready.
type turns struct {
	mu    sync.Mutex
	names map[string]chan struct{}
}

// take waits for the turn; done ends it. The error is ctx's.
func (t *turns) take(ctx context.Context, name string) (done func(), err error) {
	t.mu.Lock()
	if t.names == nil {
		t.names = make(map[string]chan struct{})
	}
	turn := t.names[name]
	if turn == nil {
		turn = make(chan struct{}, 1)
		t.names[name] = turn
	}
	t.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
