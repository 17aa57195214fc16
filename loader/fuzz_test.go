package loader

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/stretchr/testify/require"

	"tidemark/model"
)

// cell is what stands in every column of a row; a nil one is NULL.
type cell []byte

// build makes records of the rows, cut as the random numbers say; some are slices of larger ones.
func build(schema *arrow.Schema, rows []cell, r *rand.Rand) (recs []arrow.Record) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for len(rows) > 0 {
		n := 1 + r.IntN(len(rows))
		for _, row := range rows[:n] {
			for i := range schema.NumFields() {
				appendCell(b.Field(i), row)
			}
		}
		rec := b.NewRecord()
		cut := r.Int64N(int64(n) + 1)
		recs, rows = append(recs, rec.NewSlice(0, cut), rec.NewSlice(cut, int64(n))), rows[n:]
	}
	return recs
}

func appendCell(b array.Builder, c cell) {
	if c == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(string(c))
	case *array.BinaryBuilder:
		b.Append(c)
	case *array.Int64Builder:
		b.Append(int64(len(c)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(len(c)))
	case *array.BooleanBuilder:
		b.Append(len(c)%2 == 0)
	}
}

// Whatever the rows (no row, one, all NULL, huge values, slices of records), the Parquet file holds them in order.
func FuzzEncode(f *testing.F) {
	f.Add(uint64(1), uint16(0), []byte(nil))
	f.Add(uint64(2), uint16(1), []byte(""))
	f.Add(uint64(3), uint16(300), []byte("{\"a\":\"\\ud83d\"}"))
	f.Add(uint64(4), uint16(70), bytes.Repeat([]byte("x"), 100_000))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, text []byte) {
		require.NoError(t, registerZstd())
		r := rand.New(rand.NewPCG(seed, 5))
		rows := make([]cell, n%512)
		for i := range rows {
			if len(text) > 0 && r.IntN(4) > 0 {
				rows[i] = text[:r.IntN(len(text)+1)]
			} else if r.IntN(2) == 0 {
				rows[i] = cell{}
			}
		}
		schema := model.Schema(allTypes())
		data, err := new(encoder).encode(schema, build(schema, rows, r), compress.Codecs.Zstd)
		require.NoError(t, err)
		requireRows(t, schema, rows, data)
	})
}

func allTypes() (cols []model.Selected) {
	for _, c := range append(model.EventColumns(), model.Column{Name: "raw", Type: model.Bytes}) {
		cols = append(cols, model.Selected{Column: c})
	}
	return cols
}

func requireRows(t *testing.T, schema *arrow.Schema, rows []cell, data []byte) {
	pf, err := file.NewParquetReader(bytes.NewReader(data))
	require.NoError(t, err)
	require.EqualValues(t, len(rows), pf.NumRows())
	reader, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	require.NoError(t, err)
	table, err := reader.ReadTable(context.Background())
	require.NoError(t, err)
	defer table.Release()
	got := array.NewTableReader(table, 1<<20)
	defer got.Release()
	want := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer want.Release()
	row := 0
	for got.Next() {
		rec := got.Record()
		for _, c := range rows[row : row+int(rec.NumRows())] {
			for i := range schema.NumFields() {
				appendCell(want.Field(i), c)
			}
		}
		expected := want.NewRecord()
		for i := range schema.NumFields() {
			require.True(t, array.Equal(expected.Column(i), rec.Column(i)), schema.Field(i).Name)
		}
		expected.Release()
		row += int(rec.NumRows())
	}
	require.Equal(t, len(rows), row)
}
