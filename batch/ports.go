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
	GroupOffsets
}

// GroupOffsets reads what the consumer group has committed.
type GroupOffsets interface {
	// Fetch reads stable offsets, also of partitions this replica does not hold. A partition whose offset Kafka refuses to
	// tell has its error in [GroupOffset.Err]; the error returned is that of the whole request.
	Fetch(ctx context.Context, tps []TopicPartition) (map[TopicPartition]GroupOffset, error)
}

// Observer is told what happens to batches; it must not block. Package service turns it into metrics.
type Observer interface {
	// Step is called after every step (upload, manifest, prepare, apply, commit, judge, idle), with its error if it failed.
	Step(step string, took time.Duration, err error)
	// Committed is called when end offsets of a batch are committed. Whole is true on one of the replicas that share its
	// partitions, which is to count it.
	Committed(m *Manifest, whole bool)
}

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
	ManifestReader
}

// ManifestReader reads manifests.
type ManifestReader interface {
	// Get reads a manifest; [ErrNoManifest] if there is none, [ErrManifestVersion] if a newer tidemark wrote it.
	Get(ctx context.Context, id ID) (*Manifest, error)
}

// Applier makes the rows of one table of a batch visible, exactly once however often and by whomever it is called.
type Applier interface {
	// Apply returns once the rows are in the table, and how many BigQuery counted. An error means "not known to be
	// applied": the caller tries again later, not before [RetryAfter]. [ErrVoided]: it never will be.
	Apply(ctx context.Context, m *Manifest, t *Table) (rows int64, err error)
	Witness
}

// Witness says what BigQuery knows of a batch.
type Witness interface {
	// Evidence looks at the jobs of one table of the batch. It submits nothing and does not wait for a job that runs.
	Evidence(ctx context.Context, m *Manifest, t *Table) (Evidence, error)
}
