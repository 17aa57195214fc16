package merge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tidemark/batch"
	"tidemark/model"
)

// ErrNoStatusTable means that a table is to be merged without a row to conflict on.
var ErrNoStatusTable = errors.New("merging needs a status table")

// Merger applies the persons of a batch: by way of a stage table, and of one script that merges the stage into the side
// tables by version and their join into the persons table, all in one transaction. It is safe for concurrent use, here
// and in other processes, for any batches of the same table.
//
// BigQuery has no unique keys, and two MERGEs that only insert do not conflict, so both could insert one key. That is why
// the script begins with the update of the table's row in the status table: scripts that run at the same time conflict
// there, and all but one are cancelled and run again under the next attempt's ID.
type Merger struct {
	staged
	status *StatusTable
	turns  turns

	mu    sync.Mutex
	sides map[string]bool // tables whose side tables are there, by full name
}

var _ batch.Applier = (*Merger)(nil)

// NewMerger returns an applier for parts in the bucket.
func NewMerger(bucket string, w Warehouse, status *StatusTable, log *slog.Logger) *Merger {
	m := &Merger{status: status, sides: make(map[string]bool)}
	m.staged = staged{bucket: bucket, warehouse: w, log: log, columns: changeColumns, statement: mergeStatement, query: m.merge}
	return m
}

// Apply implements [batch.Applier]. The rows it returns are those of the stage: the script counts them before it begins,
// and so has merged all of them if it succeeded. Merging again what was merged changes nothing.
func (m *Merger) Apply(ctx context.Context, mf *batch.Manifest, t *batch.Table) (int64, error) {
	if len(t.Parts) == 0 {
		return 0, nil
	}
	if t.Target.StatusTable == "" {
		return 0, fmt.Errorf("merge batch %s into %s: %w", mf.ID, t.Target, ErrNoStatusTable)
	}
	if _, err := m.apply(ctx, mf, t); err != nil {
		return 0, fmt.Errorf("merge batch %s: %w", mf.ID, err)
	}
	return t.Rows(), nil
}

// merge runs a script in its turn. BigQuery runs two statements at a time that change one table and queues twenty, and
// of two scripts one is cancelled anyhow; so those of one process wait for each other here.
func (m *Merger) merge(ctx context.Context, t batch.Target, job batch.QueryJob) (batch.JobResult, error) {
	done, err := m.turns.take(ctx, t.String())
	if err != nil {
		return batch.JobResult{}, err
	}
	defer done()
	if err := m.prepare(ctx, t); err != nil {
		return batch.JobResult{}, err
	}
	result, err := m.warehouse.Query(ctx, job)
	if err != nil {
		m.ready(t, false) // somebody may have dropped a side table
		m.status.forget(t)
	}
	return result, err
}

// prepare sees to it that the table's row in the status table is there, and the side tables with what the table knows.
func (m *Merger) prepare(ctx context.Context, t batch.Target) error {
	if err := m.status.Ensure(ctx, t); err != nil {
		return err
	}
	if m.known(t) {
		return nil
	}
	var made []time.Time
	for _, side := range []Side{personState(t), mappingState(t)} {
		created, err := createSide(ctx, m.warehouse, t, side)
		if err != nil {
			return err
		}
		made = append(made, created)
	}
	if err := m.seed(ctx, t, made); err != nil {
		return err
	}
	m.ready(t, true)
	return nil
}

func (m *Merger) known(t batch.Target) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sides[t.String()]
}

func (m *Merger) ready(t batch.Target, yes bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sides[t.String()] = yes
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
