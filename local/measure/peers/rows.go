package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// jsonRows turns JSON rows, as BigQuery takes them in streaming inserts and load jobs, into Parquet, which is all that the
// embedded BigQuery loads. It refuses what is no column or of another type.
type jsonRows struct {
	builder *array.RecordBuilder
	columns map[string]int
}

func newJSONRows(schema gbq.Schema) (*jsonRows, error) {
	var fields []arrow.Field
	columns := map[string]int{}
	for i, f := range schema {
		kind, err := arrowType(f)
		if err != nil {
			return nil, err
		}
		fields = append(fields, arrow.Field{Name: f.Name, Type: kind, Nullable: true})
		columns[f.Name] = i
	}
	return &jsonRows{builder: array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil)), columns: columns}, nil
}

func arrowType(f *gbq.FieldSchema) (arrow.DataType, error) {
	if !f.Repeated {
		switch f.Type {
		case gbq.StringFieldType:
			return arrow.BinaryTypes.String, nil
		case gbq.IntegerFieldType:
			return arrow.PrimitiveTypes.Int64, nil
		case gbq.BooleanFieldType:
			return arrow.FixedWidthTypes.Boolean, nil
		case gbq.TimestampFieldType:
			return arrow.FixedWidthTypes.Timestamp_us, nil
		}
	}
	return nil, fmt.Errorf("column %s is %s (repeated: %t); JSON rows fill STRING, INTEGER, BOOLEAN and TIMESTAMP here", f.Name, f.Type, f.Repeated)
}

// check says why BigQuery would refuse the row; nil is a row that add takes.
func (j *jsonRows) check(row map[string]any) error {
	for name, value := range row {
		i, ok := j.columns[name]
		if !ok {
			return fmt.Errorf("no such field: %s", name)
		}
		if _, err := convert(j.builder.Schema().Field(i).Type, value); err != nil {
			return fmt.Errorf("field %s: %w", name, err)
		}
	}
	return nil
}

// add appends a row that check found good.
func (j *jsonRows) add(row map[string]any) {
	for i, field := range j.builder.Schema().Fields() {
		value, _ := convert(field.Type, row[field.Name]) // checked
		switch b := j.builder.Field(i).(type) {
		case *array.StringBuilder:
			appendTo(b, value)
		case *array.Int64Builder:
			appendTo(b, value)
		case *array.BooleanBuilder:
			appendTo(b, value)
		case *array.TimestampBuilder:
			appendTo(b, value)
		}
	}
}

func appendTo[T any](b interface {
	Append(T)
	AppendNull()
}, value any) {
	if v, ok := value.(T); ok {
		b.Append(v)
	} else {
		b.AppendNull()
	}
}

// convert reads a JSON value, with numbers as json.Number, as a column's Go type; null is nil.
func convert(kind arrow.DataType, value any) (any, error) {
	text, isText := value.(string)
	number, isNumber := value.(json.Number)
	if isNumber {
		text = number.String()
	}
	boolean, isBool := value.(bool)
	switch {
	case value == nil:
		return nil, nil
	case kind.ID() == arrow.STRING && (isText || isNumber):
		return text, nil
	case kind.ID() == arrow.STRING && isBool:
		return strconv.FormatBool(boolean), nil
	case kind.ID() == arrow.INT64 && (isText || isNumber):
		return strconv.ParseInt(text, 10, 64)
	case kind.ID() == arrow.BOOL && isBool:
		return boolean, nil
	case kind.ID() == arrow.TIMESTAMP && isText:
		return readTime(text)
	}
	return nil, fmt.Errorf("cannot convert %T to %s", value, kind)
}

func readTime(text string) (any, error) {
	for _, layout := range []string{time.DateTime, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return arrow.Timestamp(t.UnixMicro()), nil
		}
	}
	return nil, fmt.Errorf("found %q; want a time as 2006-01-02 15:04:05.999999 or RFC 3339", text)
}

// parquet is what was added, as a file.
func (j *jsonRows) parquet() ([]byte, error) {
	record := j.builder.NewRecord()
	defer record.Release()
	table := array.NewTableFromRecords(record.Schema(), []arrow.Record{record})
	defer table.Release()
	var out bytes.Buffer
	err := pqarrow.WriteTable(table, &out, max(1, table.NumRows()), parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Snappy),
		parquet.WithRootRepetition(parquet.Repetitions.Required)), pqarrow.NewArrowWriterProperties(pqarrow.WithCoerceTimestamps(arrow.Microsecond)))
	return out.Bytes(), err
}
