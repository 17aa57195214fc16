package bigquery

import (
	"context"
	"fmt"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// arrival is the column and value that rows get besides the fields, in a table that
// is partitioned by ingestion time: when they arrive, unless they say it themselves.
func (d dmlTarget) arrival(fields []*bq.TableFieldSchema) (columns, values []string) {
	p := partitioningOf(d.table)
	if !p.isIngestion() || writes(fields, partitionTime) >= 0 {
		return nil, nil
	}
	return []string{partitionTime}, []string{p.arrival(d.now)}
}

// writes is the position of a column among the fields, -1 if it is none of them.
func writes(fields []*bq.TableFieldSchema, column string) int {
	for i, field := range fields {
		if strings.EqualFold(field.Name, column) {
			return i
		}
	}
	return -1
}

// inserted is the query of the partitions into which a body's rows go; empty if the
// table has none.
func (d dmlTarget) inserted(fields []*bq.TableFieldSchema, body string) string {
	p := partitioningOf(d.table)
	if p == nil {
		return ""
	}
	i := writes(fields, p.column)
	switch {
	case i < 0 && p.isIngestion():
		return "SELECT " + p.id(p.arrival(d.now))
	case i < 0:
		return "SELECT '" + nullPartition + "'"
	}
	given := make([]string, len(fields))
	for k := range fields {
		given[k] = fmt.Sprintf("c%d", k)
	}
	value := p.exact("CAST(" + given[i] + " AS " + duckType(p.typ) + ")")
	return p.distinct(value, "("+body+") AS given("+strings.Join(given, ", ")+")")
}

// touched is the query of the partitions of the rows that a condition meets.
func (d dmlTarget) touched(condition string) string {
	p := partitioningOf(d.table)
	if p == nil {
		return ""
	}
	return p.distinct(ident(p.column), d.sql()+condition)
}

// moved is the query of the partitions into which an UPDATE moves rows; empty if it
// leaves them where they are.
func (d dmlTarget) moved(set assignments, condition string) string {
	p := partitioningOf(d.table)
	if p == nil {
		return ""
	}
	i := writes(set.fields, p.column)
	if i < 0 {
		return ""
	}
	return p.distinct(p.exact("CAST(("+set.values[i]+") AS "+duckType(p.typ)+")"), d.sql()+condition)
}

// exact checks a value that is written to the pseudo column: only the boundaries of
// partitions can be, within the dates that DML may name
// (docs.cloud.google.com/bigquery/docs/using-dml-with-partitioned-tables#inserting_data,
// /docs/partitioned-tables#ingestion_time).
func (p *partitioning) exact(value string) string {
	if !p.isIngestion() {
		return value
	}
	unit := strings.ToLower(p.unit)
	return fmt.Sprintf("CASE WHEN %[1]s != date_trunc('%[2]s', %[1]s) OR %[1]s < '1970-01-01' OR %[1]s >= '2160-01-01'"+
		" THEN error('Cannot write to _PARTITIONTIME ' || CAST(%[1]s AS VARCHAR) || ': only boundaries of partitions of 1970 to 2159 can be used')"+
		" ELSE %[1]s END", value, unit)
}

// partitions runs the queries of partitions that are modified, and refuses too many.
// Those that are empty are left out; without any the table is not partitioned.
func (d dmlTarget) partitions(ctx context.Context, t *txn, queries ...string) (map[string]bool, error) {
	ids := map[string]bool{}
	for _, query := range queries {
		if query == "" {
			continue
		}
		if err := t.texts(ctx, query, func(id string) { ids[id] = true }); err != nil {
			return nil, queryError(err)
		}
	}
	return ids, d.catalog.checkModified(ids, caseQueryPartitions)
}

// source is the FROM item of a table. SELECT * does not show the pseudo column, which
// only statements that name it see.
func source(ref tableRef, table *bq.Table, statement []token) string {
	if !partitioningOf(table).isIngestion() || namesPartition(statement) {
		return ref.physical()
	}
	return "(SELECT * EXCLUDE (" + ident(partitionTime) + ") FROM " + ref.physical() + ")"
}

// namesPartition tells whether a statement uses a pseudo column.
func namesPartition(statement []token) bool {
	for _, tok := range statement {
		if tok.is(partitionTime) || tok.is(partitionDate) {
			return true
		}
	}
	return false
}

// checkReading refuses to read a table in ways that BigQuery refuses, or that are not
// covered.
func (t *translator) checkReading(ref tableRef, table *bq.Table) error {
	if hasCollation(table) {
		return notImplemented("statements that read tables with a collation (%s): their text would compare by its bytes here", ref)
	}
	if partitioningOf(table).isIngestion() && namesPartition(t.tokens) && selectsAll(t.tokens) {
		return notImplemented("SELECT * beside _PARTITIONTIME or _PARTITIONDATE (name the columns)")
	}
	return t.checkFilter(ref, table)
}

// selectsAll tells whether a statement has a * that stands for all columns.
func selectsAll(statement []token) bool {
	for i, tok := range statement {
		if tok.is("*") && i > 0 {
			before := statement[i-1]
			if before.is("SELECT") || before.is("DISTINCT") || before.is("ALL") || before.is(",") || before.is(".") {
				return true
			}
		}
	}
	return false
}
