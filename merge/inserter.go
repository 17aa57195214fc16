package merge

import (
	"context"
	"fmt"
	"log/slog"

	"tidemark/batch"
)

// Inserter applies a table of a batch by way of a stage table and one INSERT … SELECT. It has no state and is safe for
// concurrent use, here and in other processes, for the same table of the same batch.
type Inserter struct{ staged }

var _ batch.Applier = (*Inserter)(nil)

// NewInserter returns an applier for parts in the bucket.
func NewInserter(bucket string, w Warehouse, log *slog.Logger) *Inserter {
	return &Inserter{staged{bucket: bucket, warehouse: w, log: log, columns: stageColumns,
		query: func(ctx context.Context, s stage, job batch.QueryJob) (_ batch.JobResult, err error) {
			if job.SQL, err = insertSQL(s.table.Target, s.name()); err != nil {
				return batch.JobResult{}, err
			}
			return w.Query(ctx, job)
		}}}
}

// Apply implements [batch.Applier].
//
// An error means that the rows are not known to be in the table; Apply may be called again. A stage with the wrong number of
// rows is [batch.ErrMiscount], and nothing is inserted from it.
func (i *Inserter) Apply(ctx context.Context, m *batch.Manifest, t *batch.Table) (int64, error) {
	if len(t.Parts) == 0 {
		return 0, nil
	}
	result, err := i.apply(ctx, m, t)
	if err != nil {
		return 0, fmt.Errorf("insert batch %s: %w", m.ID, err)
	}
	return result.Rows, nil
}
