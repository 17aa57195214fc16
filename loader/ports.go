package loader

import (
	"context"

	"tidemark/batch"
)

// ObjectStore keeps small immutable objects in one bucket. Every method retries transient errors until ctx ends, and is
// safe to repeat and to call concurrently. Names are inside the bucket.
type ObjectStore interface {
	// Put creates the object. If it exists, because an earlier attempt had its effect and lost its reply, Put succeeds
	// when the object has the CRC32C and size of data and returns [ErrConflict] otherwise; it never overwrites. data is
	// not kept. meta, which may be nil, is what a listing shows of the object.
	Put(ctx context.Context, name string, data []byte, meta map[string]string) error
	// Get returns the object's bytes; [ErrNotExist] if there is none.
	Get(ctx context.Context, name string) ([]byte, error)
	// List returns the objects whose names begin with prefix and are not less than start, in ascending order. An object is
	// listed as soon as its Put has returned.
	List(ctx context.Context, prefix, start string) ([]Object, error)
}

// Object is what a listing shows.
type Object struct {
	Name string
	Meta map[string]string // nil where nothing was said
}

// Warehouse runs BigQuery load jobs, each at most once with an effect.
type Warehouse interface {
	// Load submits the job, or attaches to the attempt that exists, and returns once that is DONE. A further attempt is
	// made only if the newest one was seen DONE with an error at the start. Safe to repeat by any replica.
	Load(ctx context.Context, job batch.LoadJob) (batch.JobResult, error)
	// Look says how far the newest attempt has come. It submits nothing and does not wait.
	Look(ctx context.Context, job batch.JobRef) (batch.Evidence, error)
}
