package bigquery

import (
	"strconv"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// partitioning reads what follows PARTITION BY
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#partition_expression).
func (p *parser) partitioning(table *bq.Table) error {
	switch {
	case p.accept(partitionDate):
		table.TimePartitioning = &bq.TimePartitioning{Type: unitDay}
		return nil
	case p.accept("DATE", "("):
		return p.timePartitioning(table, false)
	case p.accept("TIMESTAMP_TRUNC", "("), p.accept("DATETIME_TRUNC", "("), p.accept("DATE_TRUNC", "("):
		return p.timePartitioning(table, true)
	case p.accept("RANGE_BUCKET", "("):
		return p.rangePartitioning(table)
	case isName(p.peek()):
		table.TimePartitioning = &bq.TimePartitioning{Type: unitDay, Field: p.peek().text}
		p.i++
		return nil
	}
	return p.unexpected()
}

// timePartitioning reads column) or column, unit).
func (p *parser) timePartitioning(table *bq.Table, truncated bool) error {
	column := p.peek()
	if !isName(column) {
		return p.unexpected()
	}
	p.i++
	by := &bq.TimePartitioning{Type: unitDay, Field: column.text}
	if column.is(partitionTime) {
		by.Field = ""
	}
	if truncated {
		if !p.accept(",") {
			return p.unexpected()
		}
		by.Type = p.peek().upper
		if _, ok := formats[by.Type]; !ok {
			return invalidQuery("Unsupported partitioning unit %s", p.peek().text)
		}
		p.i++
	}
	if !p.accept(")") {
		return p.unexpected()
	}
	table.TimePartitioning = by
	return nil
}

// rangePartitioning reads column, GENERATE_ARRAY(start, end[, interval])).
func (p *parser) rangePartitioning(table *bq.Table) error {
	column := p.peek()
	p.i++
	if !isName(column) || !p.accept(",", "GENERATE_ARRAY", "(") {
		return p.unexpected()
	}
	numbers := []int64{0, 0, 1}
	for i := range numbers {
		sign := int64(1)
		if p.accept("-") {
			sign = -1
		}
		n, err := strconv.ParseInt(p.peek().text, 10, 64)
		if err != nil {
			return p.unexpected()
		}
		numbers[i] = sign * n
		if p.i++; !p.accept(",") {
			break
		}
	}
	if !p.accept(")", ")") {
		return p.unexpected()
	}
	table.RangePartitioning = &bq.RangePartitioning{Field: column.text,
		Range: &bq.RangePartitioningRange{Start: numbers[0], End: numbers[1], Interval: numbers[2]}}
	return nil
}

// tableOptions reads name = value, …
func tableOptions(tokens []token, table *bq.Table) error {
	for _, item := range splitList(tokens) {
		p := &parser{tokens: append(append([]token(nil), item...), token{kind: tokenEnd})}
		if err := p.tableOption(table); err != nil {
			return err
		}
		if p.i == 0 || p.peek().kind != tokenEnd {
			return notImplemented("the table option %s", p.tokens[0].text)
		}
	}
	return nil
}

// tableOption reads one of them, or nothing if it is not covered.
func (p *parser) tableOption(table *bq.Table) error {
	switch {
	case p.accept("DESCRIPTION", "=") && p.peek().kind == tokenString:
		table.Description = p.peek().text
		p.i++
	case p.accept("EXPIRATION_TIMESTAMP", "=", "NULL"):
		table.ExpirationTime = 0
	case p.accept("EXPIRATION_TIMESTAMP", "=", "TIMESTAMP") && p.peek().kind == tokenString:
		expiration, err := parseTimestamp(p.peek().text)
		if err != nil {
			return err
		}
		table.ExpirationTime = expiration.UnixMilli()
		p.i++
	case p.accept("REQUIRE_PARTITION_FILTER", "=", "TRUE"):
		table.RequirePartitionFilter = true
	case p.accept("REQUIRE_PARTITION_FILTER", "=", "FALSE"):
		table.RequirePartitionFilter = false
	case p.accept("PARTITION_EXPIRATION_DAYS", "="):
		return p.partitionExpiration(table)
	}
	return nil
}

// partitionExpiration reads a number of days, or NULL for never.
func (p *parser) partitionExpiration(table *bq.Table) error {
	if table.TimePartitioning == nil {
		return invalidQuery("partition_expiration_days can be set for tables only that are partitioned by time")
	}
	by := *table.TimePartitioning // that of a record, which is never changed
	table.TimePartitioning = &by
	if p.accept("NULL") {
		by.ExpirationMs = 0
		return nil
	}
	days, err := strconv.ParseFloat(p.peek().text, 64)
	if err != nil || days <= 0 {
		return invalidQuery("Invalid value for partition_expiration_days: %s", p.peek().text)
	}
	by.ExpirationMs = int64(days * float64(24*time.Hour/time.Millisecond))
	p.i++
	return nil
}
