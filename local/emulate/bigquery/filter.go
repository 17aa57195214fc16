package bigquery

import (
	"slices"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// checkFilter refuses to read a table that requires a filter from where there is none
// (docs.cloud.google.com/bigquery/docs/querying-partitioned-tables#require_a_partition_filter_in_queries):
// the WHERE clause of the very SELECT, or the ON clause of a join, must have a
// condition that only names the partitioning column and constants. BigQuery also
// moves conditions of outer queries inwards; this does not.
func (t *translator) checkFilter(ref tableRef, table *bq.Table) error {
	p := partitioningOf(table)
	if p == nil || !p.required {
		return nil
	}
	if slices.ContainsFunc(conditions(t.tokens, t.pos), p.prunes) || slices.ContainsFunc(t.scope.joined, p.prunes) {
		return nil
	}
	return t.scope.catalog.missingFilter(ref, p)
}

// checkFilter is the same of the target of UPDATE and DELETE.
func (d dmlTarget) checkFilter(condition []token) error {
	p := partitioningOf(d.table)
	if hasCollation(d.table) {
		return notImplemented("statements that read tables with a collation (%s): their text would compare by its bytes here", d.ref)
	}
	if p == nil || !p.required || slices.ContainsFunc(conjuncts(condition), p.prunes) {
		return nil
	}
	return d.catalog.missingFilter(d.ref, p)
}

// checkMerge is the same of the target of MERGE: either the ON clause has the filter,
// and no clause is about rows that it does not meet, or each clause about rows of the
// target has it
// (docs.cloud.google.com/bigquery/docs/using-dml-with-partitioned-tables#pruning_partitions_when_using_a_merge_statement).
func (d dmlTarget) checkMerge(on []token, whens [][]token) error {
	if err := d.checkFilter(nil); err == nil || hasCollation(d.table) {
		return err
	}
	p := partitioningOf(d.table)
	filtered, all, target := slices.ContainsFunc(conjuncts(on), p.prunes), true, false
	for _, head := range whens {
		bySource := len(head) > 3 && head[0].is("NOT") && head[3].is("SOURCE")
		if head[0].is("NOT") && !bySource {
			continue
		}
		target = true
		own := slices.ContainsFunc(conjuncts(head), p.prunes)
		all = all && own
		filtered = filtered && (!bySource || own)
	}
	if filtered || all && target {
		return nil
	}
	return d.catalog.missingFilter(d.ref, p)
}

func (c *catalog) missingFilter(ref tableRef, p *partitioning) error {
	columns := "'" + p.column + "'"
	if p.isIngestion() {
		columns = "'_PARTITION_LOAD_TIME', '_PARTITIONDATE', '_PARTITIONTIME'"
	}
	return c.phrases.refuse(casePartitionFilter, with(about(ref), "columns", columns))
}

// conditions are what must be true of every row that the SELECT returns in whose FROM
// clause the name of a table ends before i: the parts of its WHERE clause and of the ON clauses of its
// inner joins.
func conditions(tokens []token, i int) [][]token {
	rest := tokens[i-1:] // of the table's name, before which no keyword can be
	end := blockEnd(rest)
	rest = append(slices.Clone(rest[:end]), token{kind: tokenEnd})
	var all [][]token
	for at := 0; at < len(rest)-1; {
		at = section(rest, at, "ON", "WHERE")
		if at >= len(rest)-1 {
			break
		}
		stop := section(rest, at+1, "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "WHERE", "GROUP", "HAVING", "QUALIFY", "WINDOW", "ORDER", "LIMIT")
		if rest[at].is("WHERE") || !outerJoin(rest[:at]) {
			all = append(all, conjuncts(rest[at+1:stop])...)
		}
		at = stop
	}
	return all
}

// outerJoin tells whether the last join of the tokens keeps rows that do not match.
func outerJoin(tokens []token) bool {
	for _, tok := range slices.Backward(tokens) {
		switch {
		case tok.is("LEFT"), tok.is("RIGHT"), tok.is("FULL"):
			return true
		case tok.is("ON"), tok.is("INNER"), tok.is("CROSS"):
			return false
		}
	}
	return false
}

// blockEnd is where the SELECT ends in whose FROM clause the tokens begin.
func blockEnd(tokens []token) int {
	depth := 0
	for i, tok := range tokens {
		switch {
		case tok.is("("), tok.is("["):
			depth++
		case tok.is(")"), tok.is("]"):
			depth--
		}
		if depth < 0 || tok.kind == tokenEnd || depth == 0 && (tok.is("UNION") || tok.is("INTERSECT") || tok.is("EXCEPT") && !tokens[i-1].is("*")) {
			return i
		}
	}
	return len(tokens)
}

// conjuncts cuts a condition at the ANDs of its top level, but not at those of
// BETWEEN; parentheses around a part are taken off.
func conjuncts(tokens []token) [][]token {
	var all [][]token
	for start, at := 0, 0; start < len(tokens); {
		end := section(tokens, at, "AND")
		if end < len(tokens) && tokens[end].is("AND") && section(tokens[start:end], 1, "BETWEEN") < end-start && !betweenDone(tokens[start:end]) {
			at = end + 1
			continue
		}
		if part := tokens[start:min(end, len(tokens))]; len(part) > 2 && part[0].is("(") && closing(append(slices.Clone(part), token{kind: tokenEnd}), 0) == len(part)-1 {
			all = append(all, conjuncts(part[1:len(part)-1])...)
		} else {
			all = append(all, part)
		}
		if end >= len(tokens) || tokens[end].kind == tokenEnd {
			break
		}
		start, at = end+1, end+1
	}
	return all
}

// betweenDone tells whether the BETWEEN in the part has its AND already.
func betweenDone(part []token) bool {
	between := section(part, 1, "BETWEEN")
	return section(part, between+1, "AND") < len(part)
}

// pruning are the functions that may be around the partitioning column
// (docs.cloud.google.com/bigquery/docs/querying-partitioned-tables#isolate_the_partitioning_column_or_use_supported_functions).
var pruning = []string{"DATE", "DATE_ADD", "DATE_DIFF", "DATE_SUB", "DATE_TRUNC", "EXTRACT", "DATETIME_DIFF", "TIMESTAMP", "TIMESTAMP_ADD",
	"TIMESTAMP_DIFF", "TIMESTAMP_SUB", "TIMESTAMP_TRUNC", "CAST", "FORMAT_TIMESTAMP", ""}

// prunes tells whether a condition excludes partitions: it names the partitioning
// column, within nothing but functions that BigQuery sees through, and otherwise only
// constants.
func (p *partitioning) prunes(condition []token) bool {
	named := false
	var functions []string
	for i, tok := range condition {
		after := at(condition, i+1)
		switch {
		case tok.is("SELECT"):
			return false
		case tok.is("("):
			functions = append(functions, functionBefore(condition, i))
		case tok.is(")") && len(functions) > 0:
			functions = functions[:len(functions)-1]
		case !isName(tok) || after.is("(") || after.is(".") || isConstant(condition, i):
		case !p.isColumn(tok.text):
			return false
		case computed(condition, i) || slices.ContainsFunc(functions, func(f string) bool { return !p.seesThrough(f) }):
			return false
		default:
			named = true
		}
	}
	return named
}

// seesThrough tells whether a function around the column keeps it prunable; of ranges
// of integers none does.
func (p *partitioning) seesThrough(function string) bool {
	return function == "" || p.ranges == nil && slices.Contains(pruning, function)
}

// isColumn also takes the pseudo column's other name.
func (p *partitioning) isColumn(name string) bool {
	return strings.EqualFold(name, p.column) || p.isIngestion() && strings.EqualFold(name, partitionDate)
}

func at(tokens []token, i int) token {
	if i < 0 || i >= len(tokens) {
		return token{kind: tokenEnd}
	}
	return tokens[i]
}

// functionBefore is the function whose parenthesis is at i, empty if it has none. An
// EXTRACT must be of a year or date to count as one that prunes.
func functionBefore(tokens []token, i int) string {
	before := at(tokens, i-1)
	switch {
	case before.kind != tokenWord || slices.Contains([]string{"AND", "OR", "NOT", "IN", "BETWEEN"}, before.upper):
		return ""
	case before.is("EXTRACT") && !at(tokens, i+1).is("YEAR") && !at(tokens, i+1).is("DATE"):
		return "EXTRACT of another part"
	}
	return before.upper
}

// isConstant tells whether a name is none of a column: a type before a literal or in
// CAST, or a part of a date.
func isConstant(tokens []token, i int) bool {
	tok, before := tokens[i], at(tokens, i-1)
	if at(tokens, i+1).kind == tokenString || before.is("AS") || tok.is("CURRENT_TIMESTAMP") || tok.is("CURRENT_DATE") {
		return true
	}
	_, isPart := datePart(tok.upper)
	return (isPart || tok.is("DATE")) && (before.is(",") || before.is("(") || before.kind == tokenNumber || before.kind == tokenParam || before.is(")"))
}

// computed tells whether the column at i, qualified or not, is an operand of
// arithmetic.
func computed(tokens []token, i int) bool {
	start := i
	for at(tokens, start-1).is(".") {
		start -= 2
	}
	for _, neighbour := range []token{at(tokens, start-1), at(tokens, i+1)} {
		if neighbour.is("+") || neighbour.is("-") || neighbour.is("*") || neighbour.is("/") || neighbour.is("||") {
			return true
		}
	}
	return false
}
