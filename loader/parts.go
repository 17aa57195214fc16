package loader

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/parquet/compress"

	"tidemark/batch"
)

// Parts makes Parquet objects of Arrow records. Its methods are safe for concurrent use.
type Parts struct {
	store ObjectStore
	codec compress.Compression

	encoders idle[*encoder]
}

// NewParts returns a writer into store.
func NewParts(cfg Config, store ObjectStore) (*Parts, error) {
	if err := registerZstd(); err != nil {
		return nil, err
	}
	codec := compress.Codecs.Zstd
	if cfg.Compression == snappyName {
		codec = compress.Codecs.Snappy
	}
	return &Parts{store: store, codec: codec}, nil
}

// Encode returns the Parquet file of the records, which all have the schema. It keeps nothing of them; the caller owns
// the bytes. It is apart from [Parts.Store] so that the records' memory is free while the bytes are on their way.
func (p *Parts) Encode(schema *arrow.Schema, recs []arrow.Record) ([]byte, error) {
	e, ok := p.encoders.take()
	if !ok {
		e = &encoder{page: make([]byte, 0, pageBytes+pageBytes/16)}
	}
	defer p.encoders.put(e)
	return e.encode(schema, recs, p.codec)
}

// Store uploads an encoded part and describes it. It retries transient errors until ctx ends and is safe to repeat.
func (p *Parts) Store(ctx context.Context, object string, team, rows int64, data []byte) (batch.Part, error) {
	if err := p.store.Put(ctx, object, data, nil); err != nil {
		return batch.Part{}, err
	}
	return batch.Part{Object: object, Team: team, Rows: rows, Bytes: int64(len(data)), CRC32C: checksum(data)}, nil
}
