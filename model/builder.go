package model

import (
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// Builder collects rows in columns and makes Arrow records of them. Arrow's own
// builders clear all memory before values are copied into it, which costs as much
// as copying them.
//
// A row is one value, or NULL, appended to each column.
type Builder struct {
	schema  *arrow.Schema
	columns []ColumnBuilder
	bytes   int64
}

// ColumnBuilder collects the values of one column. Its type says what may be
// appended: texts to STRING and BYTES, integers to numbers and timestamps, truth
// values to BOOL, and NULL to all.
type ColumnBuilder struct {
	builder *Builder
	typ     arrow.DataType
	bits    int // of a value, 0 for texts

	rows, nulls int
	valid       []byte  // a bit for each row, once there is a NULL
	offsets     []int32 // of texts: where each begins, and where the last one ends
	data        []byte  // all values

	lastRows, lastData int // sizes of the last record
}

// minBytes is what a buffer has room for at first: little, because most of a
// batch's teams may have no more than a few rows.
const minBytes = 64

// NewBuilder returns a builder of records of a schema, whose types are those of
// Type.Arrow, or 32-bit integers. It panics if there is another one.
func NewBuilder(schema *arrow.Schema) *Builder {
	b := &Builder{schema: schema, columns: make([]ColumnBuilder, schema.NumFields())}
	for i := range b.columns {
		c := &b.columns[i]
		c.builder, c.typ = b, schema.Field(i).Type
		switch t := c.typ.(type) {
		case *arrow.StringType, *arrow.BinaryType:
		case *arrow.Int32Type, *arrow.Int64Type, *arrow.TimestampType, *arrow.BooleanType:
			c.bits = t.(arrow.FixedWidthDataType).BitWidth()
		default:
			panic(fmt.Sprintf("model: no builder for column %q of type %s", schema.Field(i).Name, t))
		}
	}
	return b
}

// Columns returns the number of columns.
func (b *Builder) Columns() int { return len(b.columns) }

// Column returns the column at i, always the same.
func (b *Builder) Column(i int) *ColumnBuilder { return &b.columns[i] }

// Bytes returns the memory of all values, including those of the records, which
// keep it for as long as they are used. It never shrinks.
func (b *Builder) Bytes() int64 { return b.bytes }

// Size returns the bytes of the values of the rows, without the records: what the
// next record will hold.
func (b *Builder) Size() (bytes int64) {
	for i := range b.columns {
		bytes += int64(len(b.columns[i].data))
	}
	return bytes
}

// NewRecord makes a record of the rows, and the builder empty. Once there is a row
// again, it makes room for a record of the same size, and a little more: it need
// not grow, and does not take up to twice what it needs.
func (b *Builder) NewRecord() arrow.Record {
	arrays := make([]arrow.Array, len(b.columns))
	for i := range b.columns {
		arrays[i] = b.columns[i].cut()
	}
	rec := array.NewRecord(b.schema, arrays, -1)
	for _, a := range arrays {
		a.Release() // the record has retained it
	}
	return rec
}

// AppendText appends a copy of v. A nil v is the empty text, not NULL.
func (c *ColumnBuilder) AppendText(v []byte) {
	c.reserve(len(v))
	c.data = append(c.data, v...)
	c.end(true)
}

// AppendString appends a text.
func (c *ColumnBuilder) AppendString(v string) {
	c.reserve(len(v))
	c.data = append(c.data, v...)
	c.end(true)
}

// AppendInt appends an integer, or an instant in the column's unit.
func (c *ColumnBuilder) AppendInt(v int64) {
	c.putInt(v)
	c.end(true)
}

// AppendBool appends a truth value.
func (c *ColumnBuilder) AppendBool(v bool) {
	c.data = c.putBit(c.data, c.rows, v)
	c.end(true)
}

// AppendNull appends NULL.
func (c *ColumnBuilder) AppendNull() {
	if c.nulls == 0 {
		for row := range c.rows {
			c.valid = c.putBit(c.valid, row, true)
		}
	}
	c.nulls++
	switch c.bits {
	case 0: // the text before ends where the next one begins
	case 1:
		c.data = c.putBit(c.data, c.rows, false)
	default:
		c.putInt(0)
	}
	c.end(false)
}

func (c *ColumnBuilder) putInt(v int64) {
	c.reserve(8)
	if c.bits == 32 {
		c.data = binary.NativeEndian.AppendUint32(c.data, uint32(v))
		return
	}
	c.data = binary.NativeEndian.AppendUint64(c.data, uint64(v))
}

// putBit sets the bit of a row, in a bitmap of the rows before it.
func (c *ColumnBuilder) putBit(bitmap []byte, row int, set bool) []byte {
	if row/8 == len(bitmap) {
		if len(bitmap) == cap(bitmap) {
			bitmap = grow(c.builder, bitmap, 1, c.lastRows/8)
		}
		bitmap = append(bitmap, 0)
	}
	bitutil.SetBitTo(bitmap, row, set)
	return bitmap
}

// end ends a row whose value is in data.
func (c *ColumnBuilder) end(valid bool) {
	if c.bits == 0 {
		if len(c.offsets)+1 >= cap(c.offsets) {
			c.offsets = grow(c.builder, c.offsets, 2, c.lastRows)
		}
		if c.rows == 0 {
			c.offsets = append(c.offsets, 0)
		}
		c.offsets = append(c.offsets, int32(len(c.data)))
	}
	if c.nulls > 0 {
		c.valid = c.putBit(c.valid, c.rows, valid)
	}
	c.rows++
}

// reserve makes room for n bytes of data.
func (c *ColumnBuilder) reserve(n int) {
	if len(c.data)+n > cap(c.data) {
		c.data = grow(c.builder, c.data, n, c.lastData)
	}
}

// grow returns s with room for at least n values more, and for those of the last
// record. The memory it leaves is garbage and no longer counted.
func grow[T byte | int32](b *Builder, s []T, n, last int) []T {
	before := binary.Size(s[:cap(s)])
	least := minBytes / binary.Size(T(0))
	s = append(make([]T, 0, max(len(s)+n, 2*cap(s), last+last/16, least)), s...)
	b.bytes += int64(binary.Size(s[:cap(s)]) - before)
	return s
}

// cut makes an array of the values, and the column empty.
func (c *ColumnBuilder) cut() arrow.Array {
	var valid *memory.Buffer
	if c.nulls > 0 {
		valid = memory.NewBufferBytes(c.valid)
	}
	buffers := []*memory.Buffer{valid, memory.NewBufferBytes(c.data)}
	if c.bits == 0 {
		buffers = []*memory.Buffer{valid, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.offsets)), memory.NewBufferBytes(c.data)}
	}
	data := array.NewData(c.typ, c.rows, buffers, nil, c.nulls, 0)
	defer data.Release()
	c.lastRows, c.lastData = c.rows, len(c.data)
	c.rows, c.nulls = 0, 0
	c.valid, c.offsets, c.data = nil, nil, nil
	return array.MakeFromData(data)
}
