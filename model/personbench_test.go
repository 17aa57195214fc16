package model

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkDecodePerson reports the speed over different messages of about 1 KB.
func BenchmarkDecodePerson(b *testing.B) {
	benchmarkChanges(b, (*Decoder).DecodePerson, personRecords(1, 256, 1015))
}

// BenchmarkDecodeMapping reports the speed over different messages of about 150
// bytes.
func BenchmarkDecodeMapping(b *testing.B) {
	benchmarkChanges(b, (*Decoder).DecodeMapping, mappingRecords(1, 256))
}

func benchmarkChanges(b *testing.B, decode func(*Decoder, []byte, *Change) error, messages [][]byte) {
	total := 0
	d := NewDecoder(1 << 20)
	var c Change
	for _, m := range messages {
		total += len(m)
		require.NoError(b, decode(d, m, &c))
	}
	b.SetBytes(int64(total / len(messages)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := decode(d, messages[i%len(messages)], &c); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendChange reports the speed of appending decoded persons of about
// 1 KB, a record being cut off every megabyte.
func BenchmarkAppendChange(b *testing.B) {
	messages := personRecords(1, 256, 1015)
	changes := make([]Change, len(messages))
	size := 0
	for i, m := range messages {
		require.NoError(b, NewDecoder(0).DecodePerson(m, &changes[i]))
		size += changes[i].Size(false)
	}
	builder := NewBuilder(changeSchema())
	a := NewChangeAppender(builder, true)
	b.SetBytes(int64(size / len(changes)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a.Append(&changes[i%len(changes)])
		if i%1024 == 1023 {
			builder.NewRecord().Release()
		}
	}
}
