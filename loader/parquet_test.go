package loader

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/apache/arrow/go/v17/parquet/schema"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

// testSchema has a column of every kind that parts have.
func testSchema() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "uuid", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "event", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "properties", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "set", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "team_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "timestamp", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "historical_migration", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		{Name: "value", Type: arrow.BinaryTypes.Binary, Nullable: true},
	}, nil)
}

// testRecords returns rows, cut into records of the given number.
func testRecords(t testing.TB, seed uint64, rows, cut int) []arrow.Record {
	r := rand.New(rand.NewPCG(seed, 0))
	b := array.NewRecordBuilder(memory.DefaultAllocator, testSchema())
	defer b.Release()
	var recs []arrow.Record
	for n := range rows {
		b.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("%016x-%016x", r.Uint64(), r.Uint64()))
		b.Field(1).(*array.StringBuilder).Append([]string{"$pageview", "$autocapture", "purchase"}[r.IntN(3)])
		b.Field(2).(*array.StringBuilder).Append(properties(r))
		b.Field(3).AppendNull()
		b.Field(4).(*array.Int64Builder).Append(int64(r.IntN(3)))
		b.Field(5).(*array.TimestampBuilder).Append(arrow.Timestamp(1.7e15 + r.Int64N(1e9)))
		b.Field(6).(*array.BooleanBuilder).Append(r.IntN(2) == 0)
		b.Field(7).(*array.BinaryBuilder).Append([]byte{0, 0xff, byte(r.Uint32())})
		if (n+1)%cut == 0 || n+1 == rows {
			recs = append(recs, b.NewRecord())
		}
	}
	t.Cleanup(func() {
		for _, rec := range recs {
			rec.Release()
		}
	})
	return recs
}

// properties looks like those of an event: keys repeat, some values do not.
func properties(r *rand.Rand) string {
	var b strings.Builder
	for i := range 30 {
		fmt.Fprintf(&b, `,"$some_property_%d":"value %d"`, i, r.IntN(10))
	}
	fmt.Fprintf(&b, `,"$session_id":"%016x","$time":%d`, r.Uint64(), r.Int64N(1e12))
	return "{" + b.String()[1:] + "}"
}

func testParts(t testing.TB, compression string) *Parts {
	p, err := NewParts(Config{Compression: compression}, nil)
	require.NoError(t, err)
	return p
}

func TestEncode_ReadsBackTheSame(t *testing.T) {
	for _, compression := range []string{zstdName, snappyName} {
		recs := testRecords(t, 1, 5000, 700)
		data, err := testParts(t, compression).Encode(testSchema(), recs)
		require.NoError(t, err)
		table, err := pqarrow.ReadTable(t.Context(), bytes.NewReader(data), nil, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		require.NoError(t, err)
		want := array.NewTableFromRecords(testSchema(), recs)
		for i := range int(want.NumCols()) {
			require.Equal(t, want.Schema().Field(i).Name, table.Schema().Field(i).Name)
			require.True(t, array.ChunkedEqual(want.Column(i).Data(), table.Column(i).Data()), want.Schema().Field(i).Name)
		}
		want.Release()
		table.Release()
	}
}

// Columns that cannot be NULL, as rejects have, hold no levels: a reader takes whatever stands there for values.
func TestEncode_RequiredColumnsReadBackTheSame(t *testing.T) {
	fields := testSchema().Fields()
	for i := range fields {
		fields[i].Nullable = fields[i].Name == "set" // which is all NULL
	}
	required := arrow.NewSchema(append(fields, arrow.Field{Name: "partition", Type: arrow.PrimitiveTypes.Int32}), nil)
	var recs []arrow.Record
	for _, rec := range testRecords(t, 1, 5000, 700) {
		b := array.NewInt32Builder(memory.DefaultAllocator)
		for i := range rec.NumRows() {
			b.Append(int32(i % 3))
		}
		recs = append(recs, array.NewRecord(required, append(rec.Columns(), b.NewArray()), rec.NumRows()))
	}
	data, err := testParts(t, zstdName).Encode(required, recs)
	require.NoError(t, err)
	table, err := pqarrow.ReadTable(t.Context(), bytes.NewReader(data), nil, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	require.NoError(t, err)
	defer table.Release()
	want := array.NewTableFromRecords(required, recs)
	defer want.Release()
	for i := range int(want.NumCols()) {
		require.Equal(t, want.Schema().Field(i).Nullable, table.Schema().Field(i).Nullable)
		require.True(t, array.ChunkedEqual(want.Column(i).Data(), table.Column(i).Data()), want.Schema().Field(i).Name)
	}
}

func TestEncode_FileIsWhatBigQueryLoads(t *testing.T) {
	data, err := testParts(t, zstdName).Encode(testSchema(), testRecords(t, 1, 3000, 300))
	require.NoError(t, err)
	r, err := file.NewParquetReader(bytes.NewReader(data))
	require.NoError(t, err)
	meta := r.MetaData()
	require.Equal(t, "tidemark", meta.GetCreatedBy())
	require.Equal(t, 1, r.NumRowGroups())
	require.EqualValues(t, 3000, r.NumRows())
	require.Equal(t, parquet.Repetitions.Required, meta.Schema.Root().RepetitionType())
	timestamp, ok := meta.Schema.Column(5).LogicalType().(*schema.TimestampLogicalType)
	require.True(t, ok)
	require.True(t, timestamp.IsAdjustedToUTC())
	require.Equal(t, schema.TimeUnitMicros, timestamp.TimeUnit())
	require.True(t, meta.Schema.Column(0).LogicalType().Equals(schema.StringLogicalType{}))
	for i, want := range []struct{ dictionary, statistics bool }{
		{false, false}, {true, true}, {false, false}, {false, false}, {true, true}, {false, true}, {false, true}, {false, false},
	} {
		chunk, err := meta.RowGroup(0).ColumnChunk(i)
		require.NoError(t, err)
		name := meta.Schema.Column(i).Name()
		require.Equal(t, compress.Codecs.Zstd, chunk.Compression(), name)
		require.Equal(t, want.dictionary, chunk.HasDictionaryPage(), name)
		set, err := chunk.StatsSet()
		require.NoError(t, err)
		require.Equal(t, want.statistics, set, name)
	}
}

func TestEncode_BytesDependOnTheRowsOnly(t *testing.T) {
	p := testParts(t, zstdName)
	want, err := p.Encode(testSchema(), testRecords(t, 1, 4000, 4000))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 8 {
		recs, other := testRecords(t, 1, 4000, 4000), testRecords(t, uint64(2+i), 500+i, 100)
		wg.Go(func() {
			for range 3 { // encoders are used again in between
				if _, err := p.Encode(testSchema(), other); err != nil {
					t.Error(err)
				}
				got, err := p.Encode(testSchema(), recs)
				if err != nil || !bytes.Equal(want, got) {
					t.Errorf("bytes differ, err %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func TestEncode_BytesDoNotDependOnHowRowsAreCut(t *testing.T) {
	p := testParts(t, zstdName)
	want, err := p.Encode(testSchema(), testRecords(t, 1, 9000, 9000)) // of several pages
	require.NoError(t, err)
	for _, cut := range []int{7, 1000, 8999} {
		got, err := p.Encode(testSchema(), testRecords(t, 1, 9000, cut))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), cut)
	}
}

func TestEncode_DictionariesOfAllWidths(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "distinct_id", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	for _, distinct := range []int{1, 2, 3, 255, 257, 20_000, 58_000} { // the last are too many for a dictionary
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		text := b.Field(0).(*array.StringBuilder)
		for i := range 60_000 {
			switch {
			case i%1000 < 3: // a run of NULL
				text.AppendNull()
			case i%7000 < 3000: // a run of one value
				text.Append("same")
			default:
				text.Append(fmt.Sprintf("a rather long value %40d", i%distinct))
			}
		}
		rec := b.NewRecord()
		b.Release()
		data, err := testParts(t, zstdName).Encode(schema, []arrow.Record{rec})
		require.NoError(t, err)
		table, err := pqarrow.ReadTable(t.Context(), bytes.NewReader(data), nil, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		require.NoError(t, err)
		want := arrow.NewChunked(rec.Column(0).DataType(), []arrow.Array{rec.Column(0)})
		require.True(t, array.ChunkedEqual(want, table.Column(0).Data()), distinct)
		want.Release()
		table.Release()
		rec.Release()
	}
}

func TestEncode_FreesAllButTheBytes(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	b := array.NewRecordBuilder(mem, testSchema())
	for i := range 8 {
		b.Field(i).AppendNull()
	}
	rec := b.NewRecord()
	b.Release()
	_, err := testParts(t, zstdName).Encode(testSchema(), []arrow.Record{rec})
	require.NoError(t, err)
	rec.Release()
}

func TestParts_StoreDescribesTheObject(t *testing.T) {
	s := newServer(t)
	p, err := NewParts(Config{Compression: zstdName}, s.store(t))
	require.NoError(t, err)
	data, err := p.Encode(testSchema(), testRecords(t, 1, 10, 10))
	require.NoError(t, err)
	part, err := p.Store(t.Context(), "tm/parts/x.parquet", 7, 10, data)
	require.NoError(t, err)
	require.Equal(t, batch.Part{Object: "tm/parts/x.parquet", Team: 7, Rows: 10, Bytes: int64(len(data)), CRC32C: checksum(data)}, part)
	require.Equal(t, data, s.object("tm/parts/x.parquet"))
}

func BenchmarkEncode(b *testing.B) {
	for _, compression := range []string{zstdName, snappyName} {
		b.Run(compression, func(b *testing.B) {
			p := testParts(b, compression)
			recs := testRecords(b, 1, 24_000, 800)
			var raw, encoded int64
			for _, rec := range recs {
				for _, col := range rec.Columns() {
					for _, buf := range col.Data().Buffers() {
						if buf != nil {
							raw += int64(buf.Len())
						}
					}
				}
			}
			b.SetBytes(raw)
			b.ReportAllocs()
			start := time.Now()
			for b.Loop() {
				data, err := p.Encode(testSchema(), recs)
				require.NoError(b, err)
				encoded = int64(len(data))
			}
			b.ReportMetric(float64(raw)/float64(encoded), "ratio")
			b.ReportMetric(24_000*float64(b.N)/time.Since(start).Seconds(), "rows/s")
		})
	}
}
