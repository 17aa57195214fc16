package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
)

// Rows collects the rows of one open batch. Calls are not concurrent.
type Rows interface {
	// Append decodes the records, given in runs of one partition each, and keeps their rows. It does not retain the records, and returns an error only when
	// ctx ends: a record that cannot be decoded becomes a reject.
	Append(ctx context.Context, work [][]*kgo.Record) error
	// Full says that the batch must be sealed before its period ends: a limit of BigQuery or of memory is near.
	Full() bool
	batch.Unfinished
}

// Buffers opens batches under one memory budget.
type Buffers interface {
	// Open starts a batch of a stream. It resolves the destination, so the batch is filled for the tables as they are now.
	Open(ctx context.Context, stream string, id batch.ID, ingestedAt time.Time) (Rows, error)
	// Wait returns once the memory budget has room, or when ctx ends.
	Wait(ctx context.Context) error
}

var (
	// ErrNoMark means that the bucket holds no such mark.
	ErrNoMark = errors.New("no such mark")
	// ErrMarkExists means that the mark exists with other content.
	ErrMarkExists = errors.New("mark exists")
)

// Marks are small objects in the bucket that tell what the group has started, because the group's offsets in Kafka can
// expire. They are written once and never changed.
type Marks interface {
	// Get reads a mark; [ErrNoMark] if there is none.
	Get(ctx context.Context, name string) ([]byte, error)
	// Create writes a mark; repeating it is harmless; [ErrMarkExists] if it exists with other content.
	Create(ctx context.Context, name string, data []byte) error
}

// Pacer says how far apart the group's load jobs must be to last the day; zero = no limit.
type Pacer interface {
	Spacing() time.Duration
}
