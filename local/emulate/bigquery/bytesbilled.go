package bigquery

import (
	"context"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// What a table costs that a statement reads: whole megabytes, and ten of them at least
// (docs.cloud.google.com/bigquery/docs/best-practices-costs; exmergo/dex#320 for the
// rounding by the table).
const (
	billedUnit    = 1 << 20
	billedAtLeast = 10 * billedUnit
)

// scanned are the tables that a statement reads, and of which it reads all columns.
type scanned struct {
	tables map[tableRef]*bq.Table
	whole  map[tableRef]bool
}

// note adds a table of a FROM clause.
func (s *scanned) note(ref tableRef, table *bq.Table) {
	if s.tables == nil {
		s.tables = map[tableRef]*bq.Table{}
	}
	s.tables[ref] = table
}

// noteTarget adds a table whose rows are changed, of which all columns count
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax#on-demand_query_size_calculation).
func (s *scanned) noteTarget(d dmlTarget) {
	s.note(d.ref, d.table)
	if s.whole == nil {
		s.whole = map[tableRef]bool{}
	}
	s.whole[d.ref] = true
}

// checkBytes refuses a query that would be billed for more than it allows. The
// estimate is an upper bound, as it knows of no pruning by partitions or clusters.
func (q *query) checkBytes(ctx context.Context, t *txn, plan *script) error {
	if q.maxBytes <= 0 {
		return nil
	}
	var total int64
	for _, st := range plan.statements {
		bytes, err := st.billed(ctx, t)
		if err != nil {
			return err
		}
		total += bytes
	}
	if total > q.maxBytes {
		return q.server.catalog.phrases.refuse(caseBytesBilled, with(with(map[string]string{}, "limit", q.maxBytes), "required", total))
	}
	return nil
}

// billed estimates the bytes that the statement is billed for.
func (st *statement) billed(ctx context.Context, t *txn) (total int64, err error) {
	for ref, table := range st.scanned.tables {
		var sizes []string
		for _, field := range table.Schema.Fields {
			if st.scanned.whole[ref] || st.all || st.names[strings.ToLower(field.Name)] {
				sizes = append(sizes, "coalesce(sum("+size(field)+"), 0)")
			}
		}
		bytes := int64(0)
		if len(sizes) > 0 {
			if bytes, err = t.count(ctx, "SELECT CAST("+strings.Join(sizes, " + ")+" AS BIGINT) FROM "+ref.physical()); err != nil {
				return 0, err
			}
		}
		total += max((bytes+billedUnit-1)/billedUnit*billedUnit, billedAtLeast)
	}
	return total, nil
}

// wordsOf are the names that occur in a statement, in lower case.
func wordsOf(tokens []token) map[string]bool {
	names := map[string]bool{}
	for _, tok := range tokens {
		if tok.kind == tokenWord || tok.kind == tokenQuoted {
			names[strings.ToLower(tok.text)] = true
		}
	}
	return names
}
