package bigquery

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// The first and last microsecond and day that TIMESTAMP, DATETIME and DATE have
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/data-types#timestamp_type).
const (
	minMicros, maxMicros = -62_135_596_800_000_000, 253_402_300_799_999_999
	minDate, maxDate     = "0001-01-01", "9999-12-31"
)

// rangeMark begins what DuckDB says of a time out of range: then column and value.
const rangeMark = "$range:"

// inTimeRange is the value that a column gets, or a failure if it is a time that
// BigQuery does not have and DuckDB does.
func inTimeRange(field *bq.TableFieldSchema, value string) string {
	// A NULL or a text literal gets its type here.
	typed := "CAST(" + value + " AS " + duckType(field.Type) + ")"
	number, outside := typed, ""
	switch {
	case field.Mode == modeRepeated:
		return value
	case field.Type == typeTimestamp, field.Type == typeDateTime:
		number = "epoch_us(" + typed + ")"
		outside = fmt.Sprintf("%s NOT BETWEEN %d AND %d", number, minMicros, maxMicros)
	case field.Type == typeDate:
		outside = fmt.Sprintf("%s NOT BETWEEN DATE '%s' AND DATE '%s'", typed, minDate, maxDate)
	default:
		return value
	}
	return "CASE WHEN " + outside + " THEN error('" + rangeMark + field.Name + ":' || CAST(" + number + " AS VARCHAR)) ELSE " + typed + " END"
}

var rangeText = regexp.MustCompile(regexp.QuoteMeta(rangeMark) + `(\w+):(-?\d[\d-]*)`)

// rangeError is the error of a statement that writes a time out of range; nil if err
// is another.
func rangeError(err error) error {
	if found := rangeText.FindStringSubmatch(err.Error()); found != nil {
		return invalidQuery("Cannot return an invalid timestamp value of %s microseconds relative to the Unix epoch for column %s."+
			" The range of valid timestamp values is [0001-01-01 00:00:00, 9999-12-31 23:59:59.999999]", found[2], found[1])
	}
	return nil
}

// rowError is the error of a load that DuckDB has ended.
func (l *load) rowError(err error) error {
	if found := rangeText.FindStringSubmatch(err.Error()); found != nil {
		return l.server.catalog.phrases.refuse(caseTimeRange, map[string]string{"column": found[1], "value": found[2]})
	}
	return loadError(err)
}

// checkRows refuses a row that is too large. Files that are smaller than such a row
// as a whole are not looked at.
func (l *load) checkRows(ctx context.Context, t *txn, f *sources) error {
	limit := l.server.cfg.Limits.RowBytes
	if f.uncompressed <= limit {
		return nil
	}
	var sizes []string
	for _, field := range l.config.Schema.Fields {
		if f.columns[field.Name] {
			sizes = append(sizes, size(field))
		}
	}
	if len(sizes) == 0 {
		return nil
	}
	largest, err := t.count(ctx, "SELECT coalesce(max("+strings.Join(sizes, " + ")+"), 0) FROM "+f.scan())
	if err != nil {
		return loadError(err)
	}
	if largest > limit {
		return l.server.catalog.phrases.refuse(caseRowTooLarge, about(l.ref))
	}
	return nil
}

// size is the DuckDB expression of the logical bytes of a column's value
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/data-types#data_type_sizes).
func size(field *bq.TableFieldSchema) string {
	column := ident(field.Name)
	one := func(value string) string {
		switch field.Type {
		case typeString, typeJSON:
			return "2 + strlen(CAST(" + value + " AS VARCHAR))"
		case typeBytes:
			return "2 + octet_length(" + value + ")"
		case typeBoolean:
			return "1"
		case typeNumeric:
			return "16"
		}
		return "8"
	}
	if field.Mode == modeRepeated {
		return "coalesce(CAST(list_sum(list_transform(" + column + ", lambda e: " + one("e") + ")) AS BIGINT), 0)"
	}
	return "CASE WHEN " + column + " IS NULL THEN 0 ELSE " + one(column) + " END"
}
