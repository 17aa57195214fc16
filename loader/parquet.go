package loader

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// magic starts and ends a Parquet file.
const magic = "PAR1"

// encoder writes Parquet files, one at a time, and keeps its memory from one to the next.
//
// Schema, page headers and footer are Arrow's; what goes into a page is ours. Arrow 17 copies every value into an
// encoder's buffer and that into a page's, both of which it grows by doubling and clears each time they are used again,
// and boxes every value that goes through a dictionary: a fifth of the CPU time and half of all allocation, before
// anything is compressed.
type encoder struct {
	codec  compress.Codec
	out    sink
	page   []byte // one data page, not compressed
	packed []byte // and compressed
	spans  []span // the rows of the page
	dict   dictionary
}

// sink is the file so far. It has a position because the footer says where pages are.
type sink struct{ bytes.Buffer }

// Tell returns the position.
func (s *sink) Tell() int64 { return int64(s.Len()) }

// encode writes records of one schema as a Parquet file with one row group. The bytes depend on the rows only, not on
// how they are cut into records. It keeps nothing of them, and the caller owns the bytes.
func (e *encoder) encode(schema *arrow.Schema, recs []arrow.Record, codec compress.Compression) ([]byte, error) {
	props := writerProperties(schema, codec)
	columns, err := pqarrow.ToParquet(schema, props, arrowProperties())
	if err != nil {
		return nil, fmt.Errorf("encode parquet: %w", err)
	}
	if e.codec, err = compress.GetCodec(codec); err != nil {
		return nil, fmt.Errorf("encode parquet: %w", err)
	}
	e.out.Reset()
	e.out.WriteString(magic)
	meta := metadata.NewFileMetadataBuilder(columns, props, nil)
	if err := e.rowGroup(meta.AppendRowGroup(), recs, props); err != nil {
		return nil, fmt.Errorf("encode parquet: %w", err)
	}
	footer, err := meta.Finish()
	if err != nil {
		return nil, fmt.Errorf("encode parquet footer: %w", err)
	}
	length, err := footer.WriteTo(&e.out, nil)
	if err != nil {
		return nil, fmt.Errorf("encode parquet footer: %w", err)
	}
	e.out.Write(binary.LittleEndian.AppendUint32(nil, uint32(length)))
	e.out.WriteString(magic)
	return bytes.Clone(e.out.Bytes()), nil // the bytes may wait long for their upload, and must not be larger than needed
}

// rowGroup writes the columns one after the other.
func (e *encoder) rowGroup(group *metadata.RowGroupMetaDataBuilder, recs []arrow.Record, props *parquet.WriterProperties) error {
	var rows, size int64
	for _, rec := range recs {
		rows += rec.NumRows()
	}
	chunks := make([]arrow.Array, len(recs))
	for i := range group.NumColumns() {
		for k, rec := range recs {
			chunks[k] = rec.Column(i)
		}
		chunk := group.NextColumnChunk()
		name := chunk.Descr().Path()
		pages, err := file.NewPageWriter(&e.out, props.CompressionFor(name), props.CompressionLevelFor(name), chunk,
			0, int16(i), memory.DefaultAllocator, false, nil, nil)
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		dictionary := props.DictionaryEnabledFor(name) && e.dict.fill(chunks)
		if err := e.column(pages, chunks, chunk.Descr().MaxDefinitionLevel() > 0, dictionary, props); err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		if rows > 0 && props.StatisticsEnabledFor(name) {
			chunk.SetStats(e.statistics(chunks, dictionary, int(props.MaxStatsSizeFor(name))))
		}
		if err := pages.Close(dictionary, false); err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		size += chunk.Contents().MetaData.TotalUncompressedSize
	}
	group.SetNumRows(int(rows))
	return group.Finish(size, 0)
}

// arrowProperties: BigQuery knows no nanoseconds (they would arrive as INT64), so timestamps are microseconds.
func arrowProperties() pqarrow.ArrowWriterProperties {
	return pqarrow.NewArrowWriterProperties(pqarrow.WithCoerceTimestamps(arrow.Microsecond))
}

// writerProperties: dictionaries pay on columns with few values (2 % smaller) and cost 6 to 9 % of CPU on the others;
// statistics of long strings cost time and bytes, and nobody reads them. Arrow 17 marks the root as repeated unless it
// is told not to, which not every reader accepts (apache/arrow-go #722).
func writerProperties(schema *arrow.Schema, codec compress.Compression) *parquet.WriterProperties {
	props := []parquet.WriterProperty{
		parquet.WithCreatedBy("tidemark"),
		parquet.WithRootRepetition(parquet.Repetitions.Required),
		parquet.WithCompression(codec),
		parquet.WithDictionaryDefault(false),
		parquet.WithStats(false),
	}
	if codec == compress.Codecs.Zstd {
		props = append(props, parquet.WithCompressionLevel(zstdLevel))
	}
	for _, f := range schema.Fields() {
		_, fixed := f.Type.(arrow.FixedWidthDataType)
		if repeats(f.Name) {
			props = append(props, parquet.WithDictionaryFor(f.Name, true))
		}
		if fixed || repeats(f.Name) {
			props = append(props, parquet.WithStatsFor(f.Name, true))
		}
	}
	return parquet.NewWriterProperties(props...)
}

// repeats says whether a column has few distinct values in a part.
func repeats(column string) bool {
	switch column {
	case "event", "distinct_id", "team_id", "ip", "site_url", "elements", "person_mode",
		"_kafka_topic", "_kafka_partition", // of rows
		"reason", "topic", "partition": // of rejects
		return true
	}
	return false
}
