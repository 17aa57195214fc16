package loader

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// encode writes records of one schema as a Parquet file with one row group. The bytes depend on the records only, not
// on how they are cut. It keeps nothing of them.
//
// WriteTable and not WriteBuffered: it writes column after column straight through, where the latter holds a whole row
// group (measured: 3.8 MB for every open file).
func encode(schema *arrow.Schema, recs []arrow.Record, codec compress.Compression) ([]byte, error) {
	table := array.NewTableFromRecords(schema, recs)
	defer table.Release()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, writerProperties(schema, codec), arrowProperties())
	if err != nil {
		return nil, fmt.Errorf("encode parquet: %w", err)
	}
	if err := w.WriteTable(table, max(1, table.NumRows())); err != nil {
		return nil, fmt.Errorf("encode parquet: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode parquet: %w", err)
	}
	if out.Cap() > out.Len()/4*5 { // the buffer doubles; the bytes may wait long for their upload
		return bytes.Clone(out.Bytes()), nil
	}
	return out.Bytes(), nil
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
		parquet.WithMaxRowGroupLength(1 << 40), // one row group, however many rows
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
