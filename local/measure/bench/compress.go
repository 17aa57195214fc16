package main

import (
	"context"
	"runtime"
	"sync"

	"github.com/apache/arrow/go/v17/parquet/compress"
)

// zstdLevel is the level of tidemark's parts.
const zstdLevel = 1

// pollAndCompress is ceiling B: it reads the topic once and compresses as many Parquet pages as tidemark would make of
// what it has read, on all cores. If pages do not reach for all records, they are compressed again and again.
func pollAndCompress(ctx context.Context, t task) (measurement, error) {
	sample := min(t.Records, sampleRecords)
	pages, err := makePages(ctx, t, sample)
	if err != nil {
		return measurement{}, err
	}
	codec, err := compress.GetCodec(compress.Codecs.Zstd)
	if err != nil {
		return measurement{}, err
	}
	codec = codec.(*recorder).Codec // tidemark's
	runtime.GC()
	work := make(chan []byte, 64) // pages, of at most a megabyte or so: a worker rarely waits for a poll
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			var dst []byte
			for page := range work {
				dst = codec.(compressor).EncodeLevel(dst, page, zstdLevel)
			}
		})
	}
	var records uint64
	sent := uint64(0)
	m, err := poll(ctx, t, func(n int) {
		records += uint64(n)
		for ; sent < records*uint64(len(pages))/sample; sent++ {
			work <- pages[sent%uint64(len(pages))]
		}
		if records == t.Records {
			close(work)
			workers.Wait()
		}
	})
	return m, err
}

// compressor is the part of a codec that Parquet writers use.
type compressor interface {
	EncodeLevel(dst, src []byte, level int) []byte
}
