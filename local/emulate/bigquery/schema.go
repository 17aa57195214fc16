package bigquery

import (
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// Types of the REST API, in its older spelling, which the Go client speaks.
const (
	typeString    = "STRING"
	typeBytes     = "BYTES"
	typeInteger   = "INTEGER"
	typeFloat     = "FLOAT"
	typeBoolean   = "BOOLEAN"
	typeTimestamp = "TIMESTAMP"
	typeDate      = "DATE"
	typeTime      = "TIME"
	typeDateTime  = "DATETIME"
	typeNumeric   = "NUMERIC"
	typeJSON      = "JSON"
)

// Modes of a field.
const (
	modeNullable = "NULLABLE"
	modeRequired = "REQUIRED"
	modeRepeated = "REPEATED"
)

// typeName spells a type of the REST API or of SQL in the older way; ok is false
// for one that is not covered.
func typeName(name string) (spelt string, ok bool) {
	switch upper := strings.ToUpper(name); upper {
	case typeString, typeBytes, typeTimestamp, typeDate, typeTime, typeDateTime, typeNumeric, typeJSON:
		return upper, true
	case "INT64", typeInteger, "INT", "SMALLINT", "BIGINT", "TINYINT", "BYTEINT":
		return typeInteger, true
	case "FLOAT64", typeFloat:
		return typeFloat, true
	case "BOOL", typeBoolean:
		return typeBoolean, true
	case "DECIMAL":
		return typeNumeric, true
	}
	return "", false
}

// duckType is the DuckDB type that holds values of a type.
func duckType(name string) string {
	switch name {
	case typeString:
		return "VARCHAR"
	case typeBytes:
		return "BLOB"
	case typeInteger:
		return "BIGINT"
	case typeFloat:
		return "DOUBLE"
	case typeTimestamp:
		return "TIMESTAMPTZ" // DuckDB's TIMESTAMP has no zone
	case typeDateTime:
		return "TIMESTAMP"
	case typeNumeric:
		return "DECIMAL(38,9)"
	}
	return name // BOOLEAN, DATE, TIME and JSON are called the same
}

// fieldDuckType is the DuckDB type of a column.
func fieldDuckType(field *bq.TableFieldSchema) string {
	if field.Mode == modeRepeated {
		return duckType(field.Type) + "[]"
	}
	return duckType(field.Type)
}

// fromDuckType is the type that values of a DuckDB type are read as, named as
// DESCRIBE names it; ok is false for one that no result may have.
func fromDuckType(duck string) (name string, repeated, ok bool) {
	if element, isList := strings.CutSuffix(duck, "[]"); isList {
		name, nested, ok := fromDuckType(element)
		return name, true, ok && !nested
	}
	switch duck {
	case "VARCHAR", "UUID":
		return typeString, false, true
	case "BLOB":
		return typeBytes, false, true
	case "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "UBIGINT", "UINTEGER", "USMALLINT", "UTINYINT":
		return typeInteger, false, true
	case "DOUBLE", "FLOAT":
		return typeFloat, false, true
	case "TIMESTAMP WITH TIME ZONE":
		return typeTimestamp, false, true
	case "TIMESTAMP":
		return typeDateTime, false, true
	case typeBoolean, typeDate, typeTime, typeJSON:
		return duck, false, true
	}
	return typeNumeric, false, strings.HasPrefix(duck, "DECIMAL(")
}

// normalizeSchema checks a schema that a client sent, and spells types and modes
// in one way.
func normalizeSchema(schema *bq.TableSchema) error {
	if schema == nil || len(schema.Fields) == 0 {
		return invalid("Schema has no fields.")
	}
	seen := map[string]bool{}
	for _, field := range schema.Fields {
		if err := normalizeField(field); err != nil {
			return err
		}
		if folded := strings.ToLower(field.Name); seen[folded] {
			return invalid("Duplicate field name %q", field.Name)
		} else {
			seen[folded] = true
		}
	}
	return nil
}

func normalizeField(field *bq.TableFieldSchema) error {
	if err := checkColumnName(field.Name); err != nil {
		return err
	}
	name, ok := typeName(field.Type)
	if !ok {
		return notImplemented("fields of type %s (%s)", field.Type, field.Name)
	}
	field.Type = name
	field.Mode = strings.ToUpper(field.Mode)
	switch field.Mode {
	case "":
		field.Mode = modeNullable
	case modeNullable, modeRequired, modeRepeated:
	default:
		return invalid("Invalid mode %q of field %s", field.Mode, field.Name)
	}
	if field.DefaultValueExpression != "" || field.MaxLength != 0 || field.Precision != 0 || field.PolicyTags != nil || len(field.Fields) > 0 {
		return notImplemented("defaults, lengths, precisions, policy tags and subfields (field %s)", field.Name)
	}
	return nil
}

// fieldNamed finds a field, ignoring case as BigQuery does for columns; nil if
// there is none.
func fieldNamed(schema *bq.TableSchema, name string) *bq.TableFieldSchema {
	for _, field := range schema.Fields {
		if strings.EqualFold(field.Name, name) {
			return field
		}
	}
	return nil
}

// hasJSON tells whether any field is of type JSON.
func hasJSON(schema *bq.TableSchema) bool {
	for _, field := range schema.Fields {
		if field.Type == typeJSON {
			return true
		}
	}
	return false
}
