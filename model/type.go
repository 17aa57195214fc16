package model

import "github.com/apache/arrow/go/v17/arrow"

// Type is the type of a column, once for Arrow, Parquet and BigQuery. The zero
// value is no type.
type Type uint8

// The types tidemark writes.
const (
	String    Type = iota + 1 // UTF-8 text
	Int64                     // signed 64-bit integer
	Bool                      // true or false
	Timestamp                 // instant, microseconds since 1970-01-01 UTC
	Bytes                     // arbitrary bytes
)

// String returns GoogleSQL's name of the type, as in a CREATE TABLE statement.
// BigQuery's REST API has older names for some (INTEGER, BOOLEAN); they are the
// business of whoever talks to it.
func (t Type) String() string {
	switch t {
	case String:
		return "STRING"
	case Int64:
		return "INT64"
	case Bool:
		return "BOOL"
	case Timestamp:
		return "TIMESTAMP"
	case Bytes:
		return "BYTES"
	}
	return "UNKNOWN"
}

// Arrow returns the Arrow type that holds the values, nil for an unknown type.
// Each maps to a Parquet type which BigQuery loads as t without a schema.
func (t Type) Arrow() arrow.DataType {
	switch t {
	case String:
		return arrow.BinaryTypes.String
	case Int64:
		return arrow.PrimitiveTypes.Int64
	case Bool:
		return arrow.FixedWidthTypes.Boolean
	case Timestamp:
		return arrow.FixedWidthTypes.Timestamp_us
	case Bytes:
		return arrow.BinaryTypes.Binary
	}
	return nil
}
