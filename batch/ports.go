package batch

import (
	"context"
	"errors"
)

// ErrNoManifest means that the bucket holds no manifest of that batch.
var ErrNoManifest = errors.New("no manifest")

// Unfinished is a sealed batch whose last rows may still be in memory.
type Unfinished interface {
	// Finish encodes and uploads what is left and says what the batch's records became. It retries transient errors
	// until ctx ends and is called once.
	Finish(ctx context.Context) (Contents, error)
	// Discard frees the memory of a batch that will never be prepared. Objects already uploaded stay, unreferenced,
	// until the bucket's lifecycle rule removes them. Safe to call at any time, also after Finish.
	Discard()
}

// Manifests keeps manifests in the bucket.
type Manifests interface {
	// Put writes m unless it is there already. It retries transient errors until ctx ends; it is safe to repeat.
	Put(ctx context.Context, m *Manifest) error
	// Get reads a manifest; [ErrNoManifest] if there is none.
	Get(ctx context.Context, id ID) (*Manifest, error)
}

// Applier makes the rows of one table of a batch visible, exactly once however often and by whomever it is called.
type Applier interface {
	// Apply returns once the rows are in the table, and how many BigQuery counted. An error means "not known to be
	// applied": the caller tries again later.
	Apply(ctx context.Context, m *Manifest, t *Table) (rows int64, err error)
	// Applied looks whether the rows are in the table, without submitting anything.
	Applied(ctx context.Context, m *Manifest, t *Table) (bool, error)
}
