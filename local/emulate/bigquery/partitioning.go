package bigquery

import (
	"fmt"
	"strings"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// Units of partitioning by time, as the API spells them.
const (
	unitHour  = "HOUR"
	unitDay   = "DAY"
	unitMonth = "MONTH"
	unitYear  = "YEAR"
)

// Pseudo columns of tables that are partitioned by ingestion time. The first is a
// column of the DuckDB table that its schema in the catalog does not have.
const (
	partitionTime = "_PARTITIONTIME"
	partitionDate = "_PARTITIONDATE"
)

// Special partitions
// (docs.cloud.google.com/bigquery/docs/partitioned-tables#date_timestamp_partitioned_tables).
const (
	nullPartition  = "__NULL__"
	otherPartition = "__UNPARTITIONED__"
)

// partitioning is how a table is divided.
type partitioning struct {
	unit       string        // empty for ranges of integers
	column     string        // by which it is divided: partitionTime for ingestion time
	typ        string        // of the column
	expiration time.Duration // of partitions; 0 means never
	required   bool          // queries must filter by the column
	ranges     *bq.RangePartitioningRange
}

// partitioningOf is that of a table whose record has been checked; nil if it has none.
func partitioningOf(table *bq.Table) *partitioning {
	switch {
	case table.TimePartitioning != nil:
		p := table.TimePartitioning
		out := &partitioning{
			unit: p.Type, column: p.Field, typ: typeTimestamp,
			expiration: time.Duration(p.ExpirationMs) * time.Millisecond,
			required:   table.RequirePartitionFilter,
		}
		if p.Field == "" {
			out.column = partitionTime
		} else {
			field := fieldNamed(table.Schema, p.Field)
			out.column, out.typ = field.Name, field.Type
		}
		return out
	case table.RangePartitioning != nil:
		p := table.RangePartitioning
		field := fieldNamed(table.Schema, p.Field)
		return &partitioning{column: field.Name, typ: field.Type, required: table.RequirePartitionFilter, ranges: p.Range}
	}
	return nil
}

// isIngestion tells whether the rows' partitions are given by when they arrived.
func (p *partitioning) isIngestion() bool { return p != nil && p.column == partitionTime }

// ingestionField is the pseudo column that statements may write.
func ingestionField() *bq.TableFieldSchema {
	return &bq.TableFieldSchema{Name: partitionTime, Type: typeTimestamp, Mode: modeNullable}
}

// arrival is the DuckDB literal of the partition of a row that arrives now.
func (p *partitioning) arrival(now time.Time) string {
	return "date_trunc('" + strings.ToLower(p.unit) + "', " + timeLiteral(now) + ")"
}

// formats write a partition's time as its ID does, for DuckDB and for Go
// (docs.cloud.google.com/bigquery/docs/partitioned-tables).
var formats = map[string]struct{ duck, golang string }{
	unitHour:  {"%Y%m%d%H", "2006010215"},
	unitDay:   {"%Y%m%d", "20060102"},
	unitMonth: {"%Y%m", "200601"},
	unitYear:  {"%Y", "2006"},
}

// id is the DuckDB expression of the partition that a value of the column is in.
// Only values outside of 1960-01-01 to 2159-12-31 have no partition of their own.
func (p *partitioning) id(value string) string {
	if p.ranges != nil {
		r := p.ranges
		return fmt.Sprintf("CASE WHEN %[1]s IS NULL THEN '%[2]s' WHEN %[1]s < %[4]d OR %[1]s >= %[5]d THEN '%[3]s'"+
			" ELSE CAST(%[4]d + ((%[1]s - %[4]d) // %[6]d) * %[6]d AS VARCHAR) END",
			value, nullPartition, otherPartition, r.Start, r.End, r.Interval)
	}
	null := nullPartition
	if p.isIngestion() {
		null = otherPartition
	}
	return fmt.Sprintf("CASE WHEN %[1]s IS NULL THEN '%[2]s' WHEN %[1]s < '1960-01-01' OR %[1]s >= '2160-01-01' THEN '%[3]s'"+
		" ELSE strftime(%[1]s, '%[4]s') END", value, null, otherPartition, formats[p.unit].duck)
}

// distinct is the DuckDB query of the partitions that values of the column are in.
// Few values are formatted, as they are first reduced to their units.
func (p *partitioning) distinct(value, from string) string {
	if p.ranges == nil {
		value = "date_trunc('" + strings.ToLower(p.unit) + "', " + value + ")"
	}
	return "SELECT DISTINCT " + p.id("b") + " FROM (SELECT DISTINCT " + value + " AS b FROM " + from + ")"
}

// end is when the time of a partition is over; ok is false for a special one.
func (p *partitioning) end(id string) (end time.Time, ok bool) {
	begin, err := time.Parse(formats[p.unit].golang, id)
	if err != nil {
		return end, false
	}
	switch p.unit {
	case unitHour:
		return begin.Add(time.Hour), true
	case unitMonth:
		return begin.AddDate(0, 1, 0), true
	case unitYear:
		return begin.AddDate(1, 0, 0), true
	}
	return begin.AddDate(0, 0, 1), true
}

// checkPartitioning normalizes and refuses
// (docs.cloud.google.com/bigquery/docs/partitioned-tables#limitations).
func checkPartitioning(table *bq.Table) error {
	switch {
	case table.TimePartitioning != nil && table.RangePartitioning != nil:
		return invalid("Only one of timePartitioning and rangePartitioning can be specified.")
	case table.TimePartitioning != nil:
		return checkTimePartitioning(table)
	case table.RangePartitioning != nil:
		return checkRangePartitioning(table)
	case table.RequirePartitionFilter:
		return invalid("requirePartitionFilter can be set for partitioned tables only.")
	}
	return nil
}

func checkTimePartitioning(table *bq.Table) error {
	p := table.TimePartitioning
	if p.Type = strings.ToUpper(p.Type); p.Type == "" {
		p.Type = unitDay
	}
	if _, ok := formats[p.Type]; !ok {
		return invalid("Unsupported partitioning type: %s; it must be DAY, HOUR, MONTH or YEAR", p.Type)
	}
	if p.ExpirationMs < 0 {
		return invalid("Invalid value for timePartitioning.expirationMs: %d", p.ExpirationMs)
	}
	// The older place of the option.
	table.RequirePartitionFilter = table.RequirePartitionFilter || p.RequirePartitionFilter
	p.RequirePartitionFilter = false
	if p.Field == "" {
		return nil
	}
	field := fieldNamed(table.Schema, p.Field)
	switch {
	case field == nil:
		return invalid("The field specified for partitioning cannot be found in the schema: %s", p.Field)
	case field.Mode == modeRepeated || field.Type != typeTimestamp && field.Type != typeDate && field.Type != typeDateTime:
		return invalid("The field specified for partitioning must be TIMESTAMP, DATE or DATETIME: %s", p.Field)
	case field.Type == typeDate && p.Type == unitHour:
		return invalid("The field %s of type DATE cannot be partitioned by HOUR", p.Field)
	}
	return nil
}

// maxRanges is how many ranges a table can be divided into
// (docs.cloud.google.com/bigquery/quotas#partitioned_tables).
const maxRanges = 10_000

func checkRangePartitioning(table *bq.Table) error {
	p := table.RangePartitioning
	field := fieldNamed(table.Schema, p.Field)
	switch r := p.Range; {
	case field == nil:
		return invalid("The field specified for partitioning cannot be found in the schema: %s", p.Field)
	case field.Mode == modeRepeated || field.Type != typeInteger:
		return invalid("The field specified for range partitioning must be INTEGER: %s", p.Field)
	case r == nil || r.Interval <= 0 || r.End <= r.Start:
		return invalid("rangePartitioning.range needs start < end and an interval above 0")
	case (r.End-r.Start+r.Interval-1)/r.Interval > maxRanges:
		return invalid("Too many ranges for partitioning: at most %d are possible", maxRanges)
	}
	return nil
}

// samePartitioning tells whether two records divide their rows alike: the expiration
// and the required filter may be changed later.
func samePartitioning(a, b *bq.Table) bool {
	x, y := partitioningOf(a), partitioningOf(b)
	if x == nil || y == nil {
		return x == nil && y == nil
	}
	return x.unit == y.unit && x.column == y.column && mustJSON(x.ranges) == mustJSON(y.ranges)
}
