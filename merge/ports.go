package merge

import (
	"context"
	"time"

	"tidemark/batch"
)

// Warehouse is what this package asks of BigQuery. Every method is safe to repeat and may meet the effect of an earlier
// call, by whichever process.
type Warehouse interface {
	// Load runs a load job to its end, once per JobRef: whoever comes second gets the result of the first. An error
	// means that the rows are not known to be loaded.
	Load(ctx context.Context, job batch.LoadJob) (batch.JobResult, error)
	// Query runs a statement to its end, once per JobRef, as Load does. An error means that it is not known to have had
	// its effect.
	Query(ctx context.Context, job batch.QueryJob) (batch.JobResult, error)
	// Look says how far the newest attempt has come. It submits nothing and does not wait.
	Look(ctx context.Context, ref batch.JobRef) (batch.Evidence, error)
	// Find returns the result of a job that succeeded, and submits nothing. It waits for one that is running.
	Find(ctx context.Context, ref batch.JobRef) (res batch.JobResult, found bool, err error)
	Tables
}

// Tables makes side tables, and makes and removes stage tables.
type Tables interface {
	// CreateSide creates a table of nullable columns that stays. One that exists is left as it is.
	CreateSide(ctx context.Context, project, dataset string, side Side) error
	// CreateView creates a view. One that exists is left as it is.
	CreateView(ctx context.Context, project, dataset string, view View) error
	// CreateStage creates a table of nullable columns that BigQuery deletes at the instant expires. One that exists is
	// left as it is.
	CreateStage(ctx context.Context, project, dataset, table string, columns []batch.Column, expires time.Time, labels map[string]string) error
	// CreatedAt returns when a table was created, by BigQuery's clock.
	CreatedAt(ctx context.Context, project, dataset, table string) (created time.Time, found bool, err error)
	// Rows returns how many rows a table has; 0 also if it is not there.
	Rows(ctx context.Context, project, dataset, table string) (int64, error)
	// DropTable deletes a table. One that is not there, or may not be deleted, is no error.
	DropTable(ctx context.Context, project, dataset, table string) error
}
