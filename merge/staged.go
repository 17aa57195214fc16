package merge

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"tidemark/batch"
)

// stageLife is how long a stage table exists if nothing drops it. It only has to outlast the time between its load and
// the last job of the same call; two days let an operator look at what that refuses.
const stageLife = 48 * time.Hour

// staged is the way to a table that cannot be loaded into: the parts go into a stage table, and one last job, named
// after the batch and the table, moves the rows from there. Its steps, each of which may have been taken before, by
// anybody:
//
//  1. The last job succeeded: nothing else is looked at. It runs once per batch and table, so this is what makes the
//     rows appear exactly once.
//  2. The load of stage n succeeded and the table is still the one it loaded: the last job reads from it.
//  3. The load of stage n succeeded and the table is gone (dropped after the last job, or expired): on to stage n+1,
//     after another look at the last job. A table is never made again under the old name, for its load will not run
//     again: the last job would find it empty, succeed, and lose the rows.
//  4. Stage n was not loaded: it is created and loaded.
type staged struct {
	bucket    string
	warehouse Warehouse
	log       *slog.Logger

	columns func(batch.Target) []batch.Column
	// query runs the last job on a stage; it puts the statement and its parameters into the job.
	query func(context.Context, stage, batch.QueryJob) (batch.JobResult, error)
}

// Evidence implements [batch.Witness]. Where there is no last job yet, the load of the first stage proves as much: it, too, is
// submitted for a batch that is decided.
func (w *staged) Evidence(ctx context.Context, m *batch.Manifest, t *batch.Table) (batch.Evidence, error) {
	if len(t.Parts) == 0 {
		return batch.Evidence{State: batch.Succeeded}, nil
	}
	e, err := w.warehouse.Look(ctx, batch.ApplyJob(m, t))
	if err != nil || e.State != batch.NoJob {
		return e, err
	}
	load, err := w.warehouse.Look(ctx, stage{manifest: m, table: t, n: 1}.job())
	if err == nil && load.State != batch.NoJob {
		e = batch.Evidence{State: batch.Staged, JobID: load.JobID, Attempts: load.Attempts, Error: load.Error}
	}
	return e, err
}

// apply takes all steps and returns the result of the last job.
func (w *staged) apply(ctx context.Context, m *batch.Manifest, t *batch.Table) (batch.JobResult, error) {
	loaded := false // by this very call
	for n := 1; ; n++ {
		result, found, err := w.warehouse.Find(ctx, batch.ApplyJob(m, t))
		if err != nil || found {
			return result, err
		}
		if loaded {
			return result, fmt.Errorf("stage table %s is gone right after its load; does something else delete tables in the dataset, or has it a default table expiration?", batch.StageTable(m.ID, t.Target, n-1))
		}
		s := stage{manifest: m, table: t, n: n, columns: w.columns(t.Target)}
		var there bool
		if there, loaded, err = w.fill(ctx, s); err != nil {
			return result, err
		}
		if s.fresh = loaded; there {
			return w.move(ctx, s)
		}
		w.log.Warn("stage table is gone after its load", "batch", m.ID, "table", s.name())
	}
}

// fill sees to it that the stage is loaded. there is false if the table that was loaded is no more; loaded says that
// this call loaded it, or waited for the load.
func (w *staged) fill(ctx context.Context, s stage) (there, loaded bool, err error) {
	target := s.table.Target
	load, found, err := w.warehouse.Find(ctx, s.job())
	if err != nil {
		return false, false, err
	}
	if !found {
		job := s.load(w.bucket)
		err := w.warehouse.CreateStage(ctx, target.Project, target.Dataset, s.name(), job.Columns, time.Now().Add(stageLife), job.Labels)
		if err != nil {
			return false, false, err
		}
		if load, err = w.warehouse.Load(ctx, job); err != nil {
			return false, false, err
		}
	}
	if load.Rows != s.table.Rows() {
		return false, false, fmt.Errorf("job %s loaded %d rows into the stage and the parts have %d: %w", load.ID, load.Rows, s.table.Rows(), batch.ErrMiscount)
	}
	// A process that slept between its look at the load and CreateStage may have made the table again, empty, after it
	// had expired. Such a table is younger than the load. (Two processes that sleep for days, one there and one between
	// this look and the last job, are caught only by the count of the rows that it reads.)
	created, exists, err := w.warehouse.CreatedAt(ctx, target.Project, target.Dataset, s.name())
	return exists && !created.After(load.Ended), !found, err
}

// move runs the last job and drops the stage. The stage expires if that fails, so it is no reason to fail.
func (w *staged) move(ctx context.Context, s stage) (batch.JobResult, error) {
	target := s.table.Target
	result, err := w.query(ctx, s, batch.QueryJob{JobRef: batch.ApplyJob(s.manifest, s.table), Labels: batch.Labels(s.manifest, s.table)})
	if err != nil {
		return result, err
	}
	if err := w.warehouse.DropTable(ctx, target.Project, target.Dataset, s.name()); err != nil {
		w.log.Warn("stage table not dropped; it expires by itself", "batch", s.manifest.ID, "table", s.name(), "err", err)
	}
	return result, nil
}
