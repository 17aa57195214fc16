package batch

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrFenced means that the group has gone on without this member: nothing was committed and nothing can be.
	ErrFenced = errors.New("fenced by the consumer group")
	// ErrRejoin means that the session must end: what is not prepared is dropped, and a new session joins the group
	// under a new member ID, so that a request still on its way can no longer be accepted.
	ErrRejoin = errors.New("session must rejoin the consumer group")
)

// Offsets are the consumer group's offsets in Kafka.
type Offsets interface {
	// Commit sends one request under this session's member ID and generation and returns nil only if Kafka
	// acknowledged every entry. [ErrFenced]: no entry was accepted. Any other error: the outcome is unknown.
	Commit(ctx context.Context, commits []Commit) error
	// Fetch reads what the group has committed, also for partitions this replica does not hold.
	Fetch(ctx context.Context, tps []TopicPartition) (map[TopicPartition]GroupOffset, error)
	// Ends returns the partitions' end offsets (the next offset a committed record would get).
	Ends(ctx context.Context, tps []TopicPartition) (map[TopicPartition]int64, error)
}

// Observer is told what happens to batches; it must not block. Package service turns it into metrics.
type Observer interface {
	// Step is called after every step (clock, upload, manifest, prepare, apply, commit, adopt, idle), with its error if it failed.
	Step(step string, took time.Duration, err error)
	// Committed is called when end offsets of a batch are committed. Whole is true on one of the replicas that share its
	// partitions, which is to count it.
	Committed(m *Manifest, whole bool)
}

var (
	// ErrNoManifest means that the bucket holds no manifest of that batch.
	ErrNoManifest = errors.New("no manifest")
	// ErrNoOffset means that a partition of a batch had a committed offset and has none any more, so that nobody can tell
	// whether the batch was decided.
	ErrNoOffset = errors.New("the group's committed offset is gone")
)

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
	// Applied looks whether the rows are in the table, without submitting anything. It may wait for as long as a job of
	// the batch runs, until ctx ends.
	Applied(ctx context.Context, m *Manifest, t *Table) (bool, error)
}
