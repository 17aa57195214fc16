package loader

import (
	"fmt"
	"sync"

	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/klauspost/compress/zstd"
)

// zstdLevel is the level parts are compressed with: level 3 takes half as long again for 2 % less.
const zstdLevel = 1

// registerZstd replaces the codec of Arrow 17, which makes an encoder for every page and so allocates up to 27 times
// what it compresses (mended upstream in arrow-go #595 and #717, for v18). Arrow's registry is a global map without a
// lock and offers no other way in. That is why this is a package variable: the map must be written exactly once, by
// the first [NewParts] and before any file is written.
var registerZstd = sync.OnceValue(func() error {
	original, err := compress.GetCodec(compress.Codecs.Zstd)
	if err != nil {
		return fmt.Errorf("zstd codec: %w", err)
	}
	compress.RegisterCodec(compress.Codecs.Zstd, &pooledZstd{Codec: original})
	return nil
})

// pooledZstd compresses at zstdLevel with encoders that are used again, and leaves the rest to the original codec.
type pooledZstd struct {
	compress.Codec
	encoders idle[*zstd.Encoder]
}

// EncodeLevel implements [compress.Codec]. An encoder starts every call afresh, so the bytes depend on src only.
func (p *pooledZstd) EncodeLevel(dst, src []byte, level int) []byte {
	if level != zstdLevel {
		return p.Codec.EncodeLevel(dst, src, level)
	}
	enc, ok := p.encoders.take()
	if !ok {
		enc = newEncoder()
	}
	defer p.encoders.put(enc)
	return enc.EncodeAll(src, dst[:0])
}

// newEncoder makes an encoder for pages: one goroutine each, and a frame even for an empty page, as the original does.
// With lower memory it has room for a window, which is a page, and not for two.
func newEncoder() *zstd.Encoder {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(zstdLevel)),
		zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(fmt.Sprintf("zstd encoder with constant options: %v", err)) // the options do not depend on input
	}
	return enc
}
