package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tidemark/batch"
	"tidemark/buffer"
	"tidemark/loader"
	"tidemark/model"
)

// sampleRecords bounds the memory of the pages: 220 MB of 2.6 KB events.
const sampleRecords = 100_000

// recorder stands in for a codec and keeps what it is given to compress.
type recorder struct {
	compress.Codec
	mu    sync.Mutex
	pages [][]byte
}

// EncodeLevel implements [compress.Codec].
func (r *recorder) EncodeLevel(dst, src []byte, _ int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pages = append(r.pages, bytes.Clone(src))
	return append(dst[:0], src...)
}

// nowhere is an object store that keeps nothing.
type nowhere struct{}

var _ loader.ObjectStore = nowhere{}

func (nowhere) Put(context.Context, string, []byte, map[string]string) error  { return nil }
func (nowhere) Get(context.Context, string) ([]byte, error)                   { return nil, loader.ErrNotExist }
func (nowhere) List(context.Context, string, string) ([]loader.Object, error) { return nil, nil }

// makePages returns the pages of the first n messages, as tidemark hands them to the codec. It leaves a recorder in
// Arrow's registry of codecs.
func makePages(ctx context.Context, t task, n uint64) ([][]byte, error) {
	parts, err := loader.NewParts(loader.Config{}, nowhere{}) // puts tidemark's codec into the registry
	if err != nil {
		return nil, err
	}
	codec, err := compress.GetCodec(compress.Codecs.Zstd)
	if err != nil {
		return nil, err
	}
	r := &recorder{Codec: codec}
	compress.RegisterCodec(compress.Codecs.Zstd, r)
	b := buffer.New(buffer.Config{Memory: 256 << 20, PartSize: 32 << 20, MaxRecordSize: 16 << 20, Deduplicate: buffer.DeduplicateBatch},
		parts, buffer.NewMetrics(prometheus.NewRegistry()), 2)
	ctx, cancel := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.Run(ctx) })
	g.Go(func() error {
		defer cancel()
		return appendMessages(ctx, t, b, n)
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return nil, fmt.Errorf("make pages: %w", err)
	}
	return r.pages, nil
}

// appendMessages makes one batch of the first n messages.
func appendMessages(ctx context.Context, t task, b *buffer.Buffer, n uint64) error {
	gen, err := t.Variant.generator()
	if err != nil {
		return err
	}
	var columns []model.Selected
	for _, c := range model.EventColumns() {
		if c.Created {
			columns = append(columns, model.Selected{Column: c})
		}
	}
	now := time.Now()
	open := b.Open(buffer.Opening{ID: batch.NewID(now), IngestedAt: now, Events: buffer.Table{Target: batch.Target{Model: "events"},
		Columns: columns},
		Topics: map[string]buffer.Kind{topic: buffer.Events}, Wants: func(int64) bool { return true }})
	for i := uint64(0); i < n; {
		var records []*kgo.Record
		for ; i < n && len(records) < pollRecords; i++ {
			_, m := gen.Append(nil, i)
			records = append(records, &kgo.Record{Topic: topic, Timestamp: now, Offset: int64(i), Key: m.Key, Value: m.Value})
		}
		if err := b.Wait(ctx); err != nil {
			return err
		}
		if err := open.Append(ctx, [][]*kgo.Record{records}); err != nil {
			return err
		}
	}
	_, err = open.Finish(ctx)
	return err
}
