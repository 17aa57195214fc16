package loader

import (
	"context"
	"errors"
	"fmt"

	"tidemark/batch"
)

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

// Apply implements [batch.Applier]. A table without parts is applied.
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
	return result.Rows, nil
}

// Evidence implements [batch.Witness].
func (d *Direct) Evidence(ctx context.Context, m *batch.Manifest, t *batch.Table) (batch.Evidence, error) {
	if len(t.Parts) == 0 {
		return batch.Evidence{State: batch.Succeeded}, nil
	}
	e, err := d.warehouse.Look(ctx, batch.ApplyJob(m, t))
	if err != nil {
		return e, fmt.Errorf("look for the load of batch %s: %w", m.ID, err)
	}
	return e, nil
}

func (d *Direct) job(m *batch.Manifest, t *batch.Table) (batch.LoadJob, error) {
	if t.Target.HasJSON() {
		return batch.LoadJob{}, fmt.Errorf("load batch %s: a column of %s has the type JSON, which Parquet cannot be loaded into: %w", m.ID, t.Target, ErrDirect)
	}
	return batch.LoadJob{
		JobRef:  batch.ApplyJob(m, t),
		Dataset: t.Target.Dataset,
		Table:   t.Target.Table,
		URIs:    t.URIs(d.bucket),
		Columns: t.Target.Columns,
		Labels:  batch.Labels(m, t),
	}, nil
}
