package loader

import (
	"context"
	"errors"
	"fmt"

	"tidemark/batch"
)

// kindLoad is the kind of a direct load in job IDs; changing it would apply batches in flight twice.
const kindLoad = "load"

// ErrDirect means that the table cannot be loaded directly at all.
var ErrDirect = errors.New("table cannot be loaded directly")

// Direct applies a table of a batch by one load job into the destination table itself: free of charge and atomic, for
// tables without JSON columns.
type Direct struct {
	warehouse Warehouse
	bucket    string
}

var _ batch.Applier = (*Direct)(nil)

// NewDirect returns an applier that loads from [Config.Bucket].
func NewDirect(cfg Config, warehouse Warehouse) *Direct {
	return &Direct{warehouse: warehouse, bucket: cfg.Bucket}
}

// Apply implements [batch.Applier]. BigQuery's count of rows must be that of the parts, or it is [batch.ErrMiscount]:
// the rows are in the table then, and nothing is committed over the difference. A table without parts is applied.
func (d *Direct) Apply(ctx context.Context, m *batch.Manifest, t *batch.Table) (int64, error) {
	if len(t.Parts) == 0 {
		return 0, nil
	}
	job, err := d.job(m, t)
	if err != nil {
		return 0, err
	}
	result, err := d.warehouse.Load(ctx, job)
	if err != nil {
		return 0, fmt.Errorf("load batch %s: %w", m.ID, err)
	}
	if result.Rows != t.Rows() {
		return result.Rows, fmt.Errorf("load batch %s: job %s loaded %d rows and the parts have %d: %w", m.ID, result.ID, result.Rows, t.Rows(), batch.ErrMiscount)
	}
	return result.Rows, nil
}

// Applied implements [batch.Applier].
func (d *Direct) Applied(ctx context.Context, m *batch.Manifest, t *batch.Table) (bool, error) {
	if len(t.Parts) == 0 {
		return true, nil
	}
	_, found, err := d.warehouse.Find(ctx, batch.JobOf(m.ID, t.Target, kindLoad))
	if err != nil {
		return false, fmt.Errorf("look for the load of batch %s: %w", m.ID, err)
	}
	return found, nil
}

func (d *Direct) job(m *batch.Manifest, t *batch.Table) (batch.LoadJob, error) {
	if t.Target.HasJSON() {
		return batch.LoadJob{}, fmt.Errorf("load batch %s: a column of %s has the type JSON, which Parquet cannot be loaded into: %w", m.ID, t.Target, ErrDirect)
	}
	return batch.LoadJob{
		JobRef:  batch.JobOf(m.ID, t.Target, kindLoad),
		Dataset: t.Target.Dataset,
		Table:   t.Target.Table,
		URIs:    t.URIs(d.bucket),
		Columns: t.Target.Columns,
		Labels:  batch.Labels(m, t),
	}, nil
}

// Evidence is to come.
func (d *Direct) Evidence(ctx context.Context, mf *batch.Manifest, t *batch.Table) (batch.Evidence, error) {
	done, err := d.Applied(ctx, mf, t)
	if done {
		return batch.Evidence{State: batch.Succeeded}, err
	}
	return batch.Evidence{State: batch.NoJob}, err
}
