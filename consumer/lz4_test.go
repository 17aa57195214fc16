package consumer

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// compress makes a frame of the content with the options that the flags stand for.
func compress(t testing.TB, content []byte, flags uint8) []byte {
	var out bytes.Buffer
	w := lz4.NewWriter(&out)
	size := []lz4.BlockSize{lz4.Block64Kb, lz4.Block256Kb, lz4.Block1Mb, lz4.Block4Mb}[flags&3]
	require.NoError(t, w.Apply(lz4.BlockSizeOption(size), lz4.BlockChecksumOption(flags&4 != 0), lz4.ChecksumOption(flags&8 != 0)))
	if flags&16 != 0 {
		require.NoError(t, w.Apply(lz4.SizeOption(uint64(len(content)))))
	}
	_, err := w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestDecompressor_DecodesFramesOfAllKinds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	d := newDecompressor()
	for _, size := range []int{0, 1, 100, 65_535, 65_536, 65_537, 1_000_000} {
		random := make([]byte, size) // is stored, not compressed
		for i := range random {
			random[i] = byte(r.Uint32())
		}
		for _, content := range [][]byte{random, bytes.Repeat([]byte(`{"a":1}`), size/7+1)} {
			for flags := range uint8(32) {
				src := compress(t, content, flags)
				f, ok := parseFrame(src)
				require.True(t, ok, "size %d, flags %b", size, flags)
				out, ok := d.decode(f)
				require.True(t, ok)
				require.True(t, bytes.Equal(content, out))
			}
		}
	}
}

func TestDecompressor_LeavesTheRestToTheClient(t *testing.T) {
	d := newDecompressor()
	frame := compress(t, []byte("some content"), 8)
	out, err := d.Decompress(append(bytes.Clone(frame), frame...), kgo.CodecLz4) // two frames
	require.NoError(t, err)
	require.Contains(t, []string{"some content", "some contentsome content"}, string(out))
	_, err = d.Decompress(frame[:len(frame)-9], kgo.CodecLz4)
	require.Error(t, err)
	out, err = d.Decompress([]byte("as it is"), kgo.CodecNone)
	require.NoError(t, err)
	require.Equal(t, "as it is", string(out))
}

// What the client's own decompressor makes of a batch, ours makes of it; it may make something of one whose checksum is
// wrong, which the batch's checksum would have shown.
func FuzzDecompressor(f *testing.F) {
	f.Add(compress(f, []byte("some content some content some content"), 8))
	f.Add(compress(f, bytes.Repeat([]byte("x"), 200_000), 4))
	f.Add(compress(f, nil, 16))
	ours, theirs := newDecompressor(), kgo.DefaultDecompressor()
	f.Fuzz(func(t *testing.T, src []byte) {
		want, err := theirs.Decompress(src, kgo.CodecLz4)
		got, own := ours.Decompress(src, kgo.CodecLz4)
		if err == nil {
			require.NoError(t, own)
			require.Equal(t, string(want), string(got))
		}
	})
}

func BenchmarkDecompress(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var content []byte
	for len(content) < 1_000_000 {
		content = append(content, `{"$some_property":"value `...)
		content = append(content, byte('a'+r.IntN(26)), byte('a'+r.IntN(26)), '"', '}')
	}
	src := compress(b, content, 8)
	for name, d := range map[string]kgo.Decompressor{"ours": newDecompressor(), "client": kgo.DefaultDecompressor()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				if _, err := d.Decompress(src, kgo.CodecLz4); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
