package main

import (
	"bytes"

	"cloud.google.com/go/bigquery"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

var allocator = memory.DefaultAllocator //nolint:gochecknoglobals // stateless

// firstOther is the first column that is no string.
const firstOther = 12

// columns are the strings, and then the others, in the order in which add appends them.
func columns() (*arrow.Schema, bigquery.Schema) {
	var fields []arrow.Field
	var schema bigquery.Schema
	add := func(as arrow.DataType, kind bigquery.FieldType, names ...string) {
		for _, name := range names {
			fields = append(fields, arrow.Field{Name: name, Type: as, Nullable: true})
			schema = append(schema, &bigquery.FieldSchema{Name: name, Type: kind})
		}
	}
	add(arrow.BinaryTypes.String, bigquery.StringFieldType, "uuid", "event", "properties", "set", "set_once", "distinct_id", "ip", "elements",
		"elements_chain", "person_id", "person_properties", "person_mode")
	add(arrow.PrimitiveTypes.Int64, bigquery.IntegerFieldType, "team_id")
	add(arrow.FixedWidthTypes.Timestamp_us, bigquery.TimestampFieldType, "timestamp", "bq_ingested_timestamp", "created_at")
	add(arrow.FixedWidthTypes.Boolean, bigquery.BooleanFieldType, "historical_migration")
	return arrow.NewSchema(fields, nil), schema
}

// encode writes a Parquet file with the library's defaults, and zstd as tidemark has it.
func encode(record arrow.Record) ([]byte, error) {
	defer record.Release()
	table := array.NewTableFromRecords(record.Schema(), []arrow.Record{record})
	defer table.Release()
	var out bytes.Buffer
	err := pqarrow.WriteTable(table, &out, max(1, table.NumRows()), parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithRootRepetition(parquet.Repetitions.Required)), pqarrow.DefaultWriterProps())
	return out.Bytes(), err
}
