package merge

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"tidemark/batch"
)

// stageLife is how long a stage table exists if nothing drops it. It only has to outlast the time between its load and
// the INSERT of the same call; two days let an operator look at what an INSERT refuses.
const stageLife = 48 * time.Hour

// Inserter applies a table of a batch by way of a stage table. It has no state and is safe for concurrent use, here and
// in other processes, for the same table of the same batch.
type Inserter struct {
	bucket    string
	warehouse Warehouse
	log       *slog.Logger
}

var _ batch.Applier = (*Inserter)(nil)

// NewInserter returns an applier for parts in the bucket.
func NewInserter(bucket string, w Warehouse, log *slog.Logger) *Inserter {
	return &Inserter{bucket: bucket, warehouse: w, log: log}
}

// Apply implements [batch.Applier]. Its steps, each of which may have been taken before, by anybody:
//
//  1. The INSERT succeeded: its rows are counted, and nothing else is looked at. It runs once per batch and table, so
//     this is what makes the rows appear exactly once.
//  2. The load of stage n succeeded and the table is still the one it loaded: the INSERT reads from it.
//  3. The load of stage n succeeded and the table is gone (dropped after the INSERT, or expired): on to stage n+1, after
//     another look at the INSERT. A table is never made again under the old name, for its load will not run again: the
//     INSERT would find it empty, succeed, and lose the rows.
//  4. Stage n was not loaded: it is created and loaded.
//
// An error means that the rows are not known to be in the table; Apply may be called again. Rows that are not accounted
// for are [batch.ErrMiscount], before the INSERT if the stage has the wrong number.
func (i *Inserter) Apply(ctx context.Context, m *batch.Manifest, t *batch.Table) (int64, error) {
	if len(t.Parts) == 0 {
		return 0, nil
	}
	result, err := i.insert(ctx, m, t)
	if err != nil {
		return 0, fmt.Errorf("insert batch %s: %w", m.ID, err)
	}
	if result.Rows != t.Rows() {
		return result.Rows, fmt.Errorf("insert batch %s: job %s inserted %d rows and the parts have %d: %w", m.ID, result.ID, result.Rows, t.Rows(), batch.ErrMiscount)
	}
	return result.Rows, nil
}

// Applied implements [batch.Applier]: the rows are there if the INSERT succeeded.
func (i *Inserter) Applied(ctx context.Context, m *batch.Manifest, t *batch.Table) (bool, error) {
	if len(t.Parts) == 0 {
		return true, nil
	}
	_, found, err := i.warehouse.Find(ctx, ref(m, t, kindInsert))
	if err != nil {
		return false, fmt.Errorf("look for the insert of batch %s: %w", m.ID, err)
	}
	return found, nil
}

func (i *Inserter) insert(ctx context.Context, m *batch.Manifest, t *batch.Table) (batch.JobResult, error) {
	loaded := false // by this very call
	for n := 1; ; n++ {
		result, found, err := i.warehouse.Find(ctx, ref(m, t, kindInsert))
		if err != nil || found {
			return result, err
		}
		if loaded {
			return result, fmt.Errorf("stage table %s is gone right after its load; does something else delete tables in the dataset, or has it a default table expiration?", batch.StageTable(m.ID, t.Target, n-1))
		}
		s := stage{m, t, n}
		var there bool
		if there, loaded, err = i.fill(ctx, s); err != nil {
			return result, err
		}
		if there {
			return i.move(ctx, s)
		}
		i.log.Warn("stage table is gone after its load", "batch", m.ID, "table", s.name())
	}
}

// fill sees to it that the stage is loaded. there is false if the table that was loaded is no more; loaded says that
// this call loaded it, or waited for the load.
func (i *Inserter) fill(ctx context.Context, s stage) (there, loaded bool, err error) {
	target := s.table.Target
	load, found, err := i.warehouse.Find(ctx, s.job())
	if err != nil {
		return false, false, err
	}
	if !found {
		job := s.load(i.bucket)
		err := i.warehouse.CreateStage(ctx, target.Project, target.Dataset, s.name(), job.Columns, time.Now().Add(stageLife), job.Labels)
		if err != nil {
			return false, false, err
		}
		if load, err = i.warehouse.Load(ctx, job); err != nil {
			return false, false, err
		}
	}
	if load.Rows != s.table.Rows() {
		return false, false, fmt.Errorf("job %s loaded %d rows into the stage and the parts have %d: %w", load.ID, load.Rows, s.table.Rows(), batch.ErrMiscount)
	}
	// A process that slept between its look at the load and CreateStage may have made the table again, empty, after it
	// had expired. Such a table is younger than the load. (Two processes that sleep for days, one there and one between
	// this look and the INSERT, are caught only by the count of the INSERT's rows.)
	created, exists, err := i.warehouse.CreatedAt(ctx, target.Project, target.Dataset, s.name())
	return exists && !created.After(load.Ended), !found, err
}

// move runs the INSERT and drops the stage. The stage expires if that fails, so it is no reason to fail.
func (i *Inserter) move(ctx context.Context, s stage) (batch.JobResult, error) {
	target := s.table.Target
	sql, err := insertSQL(target, s.name())
	if err != nil {
		return batch.JobResult{}, err
	}
	result, err := i.warehouse.Query(ctx, batch.QueryJob{JobRef: ref(s.manifest, s.table, kindInsert), SQL: sql, Labels: batch.Labels(s.manifest, s.table)})
	if err != nil {
		return result, err
	}
	if err := i.warehouse.DropTable(ctx, target.Project, target.Dataset, s.name()); err != nil {
		i.log.Warn("stage table not dropped; it expires by itself", "batch", s.manifest.ID, "table", s.name(), "err", err)
	}
	return result, nil
}
