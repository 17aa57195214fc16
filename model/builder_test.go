package model

import (
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/stretchr/testify/require"
)

// builderSchema has a column of each type that rows and rejects have.
func builderSchema() *arrow.Schema {
	var fields []arrow.Field
	for _, t := range []arrow.DataType{String.Arrow(), Bytes.Arrow(), Int64.Arrow(), Timestamp.Arrow(), Bool.Arrow(), arrow.PrimitiveTypes.Int32} {
		fields = append(fields, arrow.Field{Name: t.String(), Type: t, Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

// appendRandom appends the same random row to both builders; nulls of 8 values are NULL.
func appendRandom(r *rand.Rand, nulls int, b *Builder, want *array.RecordBuilder) {
	for i, f := range want.Fields() {
		c, n, text := b.Column(i), r.Int64(), make([]byte, r.IntN(1+r.IntN(200)))
		for k := range text {
			text[k] = 'a' + byte(r.IntN(26))
		}
		if r.IntN(8) < nulls {
			c.AppendNull()
			f.AppendNull()
			continue
		}
		switch f := f.(type) {
		case *array.StringBuilder:
			c.AppendString(string(text))
			f.Append(string(text))
		case *array.BinaryBuilder:
			c.AppendText(text)
			f.Append(text)
		case *array.Int64Builder:
			c.AppendInt(n)
			f.Append(n)
		case *array.TimestampBuilder:
			c.AppendInt(n)
			f.Append(arrow.Timestamp(n))
		case *array.Int32Builder:
			c.AppendInt(int64(int32(n)))
			f.Append(int32(n))
		case *array.BooleanBuilder:
			c.AppendBool(n%2 == 0)
			f.Append(n%2 == 0)
		}
		clear(text) // values are copied
	}
}

// Records equal those of Arrow's own builder, whatever their sizes and NULLs, and
// are not touched by what is appended afterwards.
func TestBuilder_MakesTheRecordsThatArrowMakes(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		b, want := NewBuilder(builderSchema()), array.NewRecordBuilder(memory.DefaultAllocator, builderSchema())
		var got, wanted []arrow.Record
		for range 1 + r.IntN(4) {
			nulls := r.IntN(9)
			for range r.IntN(1 + r.IntN(300)) {
				appendRandom(r, nulls, b, want)
			}
			got, wanted = append(got, b.NewRecord()), append(wanted, want.NewRecord())
		}
		for i := range got {
			require.True(t, array.RecordEqual(wanted[i], got[i]), "seed %d, record %d: want %v, got %v", seed, i, wanted[i], got[i])
			for c := range got[i].Columns() {
				require.Equal(t, wanted[i].Column(c).NullN(), got[i].Column(c).NullN())
			}
		}
	}
}

func TestBuilder_CountsItsMemory(t *testing.T) {
	b := NewBuilder(builderSchema())
	require.Zero(t, b.Bytes())
	text := make([]byte, 1000)
	row := func() {
		b.Column(0).AppendText(text)
		for i := 1; i < b.Columns(); i++ {
			b.Column(i).AppendNull()
		}
	}
	row()
	require.Less(t, b.Bytes(), int64(2000), "a small team stays small")
	for range 499 {
		row()
	}
	first := b.Bytes()
	require.Greater(t, first, int64(500_000))
	require.LessOrEqual(t, first, int64(1_100_000), "at most twice the values")
	b.NewRecord()
	require.Equal(t, first, b.Bytes(), "the record has it, and an empty builder has none")
	for range 500 {
		row()
	}
	require.InDelta(t, 500_000*17/16, b.Bytes()-first, 30_000, "the second record has the size of the first")
}

func TestNewBuilder_PanicsOnOtherTypes(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Float64}}, nil)
	require.PanicsWithValue(t, `model: no builder for column "n" of type float64`, func() { NewBuilder(schema) })
}
