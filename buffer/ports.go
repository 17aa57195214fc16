package buffer

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"tidemark/batch"
)

// PartWriter makes Parquet objects. Its methods are called concurrently.
type PartWriter interface {
	// Encode returns the Parquet file of the records. It keeps nothing of them; the bytes are the caller's. An error is
	// a fault of this program.
	Encode(schema *arrow.Schema, recs []arrow.Record) ([]byte, error)
	// Store creates the object and describes it. It retries transient errors until ctx ends; another error is
	// permanent. Team 0 stands for none or several.
	Store(ctx context.Context, object string, team, rows int64, data []byte) (batch.Part, error)
}
