package loader

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/parquet/metadata"
)

// lengthBytes is what plain encoding puts before each text.
const lengthBytes = 4

// texts are the arrays of values with a length: strings and bytes.
type texts interface {
	arrow.Array
	ValueOffsets() []int32
	ValueBytes() []byte
}

// appendPlain appends the values in Parquet's plain encoding, which leaves out NULL.
func appendPlain(dst []byte, spans []span) []byte {
	if _, ok := spans[0].arr.(*array.Boolean); ok {
		return appendBooleans(dst, spans)
	}
	for _, s := range spans {
		if t, ok := s.arr.(texts); ok {
			dst = appendTexts(dst, s, t)
			continue
		}
		for i := s.from; i < s.to; i++ {
			if s.arr.IsValid(i) {
				dst = appendFixed(dst, s.arr, i)
			}
		}
	}
	return dst
}

func appendTexts(dst []byte, s span, t texts) []byte {
	offsets, values := t.ValueOffsets(), t.ValueBytes()
	base, nulls := offsets[0], t.NullN() > 0
	for i := s.from; i < s.to; i++ {
		if nulls && t.IsNull(i) {
			continue
		}
		v := values[offsets[i]-base : offsets[i+1]-base]
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v)))
		dst = append(dst, v...)
	}
	return dst
}

// appendFixed appends one value of a fixed width.
func appendFixed(dst []byte, arr arrow.Array, i int) []byte {
	switch a := arr.(type) {
	case *array.Int64:
		return binary.LittleEndian.AppendUint64(dst, uint64(a.Value(i)))
	case *array.Timestamp:
		return binary.LittleEndian.AppendUint64(dst, uint64(a.Value(i)))
	case *array.Int32:
		return binary.LittleEndian.AppendUint32(dst, uint32(a.Value(i)))
	case *array.Boolean:
		if a.Value(i) {
			return append(dst, 1)
		}
		return append(dst, 0)
	}
	panic(fmt.Sprintf("loader: no encoding for columns of type %s", arr.DataType())) // model.Type has no others
}

// appendBooleans appends them as bits.
func appendBooleans(dst []byte, spans []span) []byte {
	n := 0
	for _, s := range spans {
		a := s.arr.(*array.Boolean)
		for i := s.from; i < s.to; i++ {
			if a.IsNull(i) {
				continue
			}
			if n%8 == 0 {
				dst = append(dst, 0)
			}
			if a.Value(i) {
				dst[len(dst)-1] |= 1 << (n % 8)
			}
			n++
		}
	}
	return dst
}

// statistics returns the least and the greatest value of a column, unless they are longer than limit, and the number of
// NULLs. A dictionary has every value once.
func (e *encoder) statistics(chunks []arrow.Array, dictionary bool, limit int) metadata.EncodedStatistics {
	var r extremes
	nulls := 0
	for _, arr := range chunks {
		nulls += arr.NullN()
		_, text := arr.(texts)
		if !text {
			r.signed = true
		}
		if dictionary {
			continue
		}
		for i := range arr.Len() {
			if arr.IsValid(i) {
				r.see(valueOf(r.scratch[:0], arr, i))
			}
		}
	}
	if dictionary {
		for _, entry := range e.dict.entries {
			r.see(e.dict.page[entry.from:entry.to])
		}
	}
	stats := metadata.EncodedStatistics{Signed: r.signed}
	stats.SetNullCount(int64(nulls))
	if r.any {
		stats.SetMin(r.least).SetMax(r.greatest).ApplyStatSizeLimits(limit)
	}
	return stats
}

// valueOf returns a value in the form it has in statistics and dictionaries. It is written to dst unless it is text.
func valueOf(dst []byte, arr arrow.Array, i int) []byte {
	t, ok := arr.(texts)
	if !ok {
		return appendFixed(dst, arr, i)
	}
	offsets := t.ValueOffsets()
	return t.ValueBytes()[offsets[i]-offsets[0] : offsets[i+1]-offsets[0]]
}

// extremes finds the least and the greatest of values.
type extremes struct {
	any, signed     bool // signed: numbers, not text
	least, greatest []byte
	scratch         [8]byte
}

func (x *extremes) see(v []byte) {
	if !x.any || x.less(v, x.least) {
		x.least = append(x.least[:0], v...)
	}
	if !x.any || x.less(x.greatest, v) {
		x.greatest = append(x.greatest[:0], v...)
	}
	x.any = true
}

func (x *extremes) less(a, b []byte) bool {
	if !x.signed {
		return bytes.Compare(a, b) < 0
	}
	return number(a) < number(b)
}

func number(v []byte) int64 {
	switch len(v) {
	case 8:
		return int64(binary.LittleEndian.Uint64(v))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(v)))
	}
	return int64(v[0])
}
