package bigquery

import (
	"fmt"
)

// keyword tells reserved words of GoogleSQL, which are no identifiers unless quoted
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/lexical#reserved_keywords).
func keyword(upper string) bool {
	switch upper {
	case "ALL", "AND", "ANY", "ARRAY", "AS", "ASC", "ASSERT_ROWS_MODIFIED", "AT", "BETWEEN", "BY", "CASE", "CAST",
		"COLLATE", "CONTAINS", "CREATE", "CROSS", "CUBE", "CURRENT", "DEFAULT", "DEFINE", "DESC", "DISTINCT", "ELSE",
		"END", "ENUM", "ESCAPE", "EXCEPT", "EXCLUDE", "EXISTS", "EXTRACT", "FALSE", "FETCH", "FOLLOWING", "FOR", "FROM",
		"FULL", "GROUP", "GROUPING", "GROUPS", "HASH", "HAVING", "IF", "IGNORE", "IN", "INNER", "INTERSECT", "INTERVAL",
		"INTO", "IS", "JOIN", "LATERAL", "LEFT", "LIKE", "LIMIT", "LOOKUP", "MERGE", "NATURAL", "NEW", "NO", "NOT",
		"NULL", "NULLS", "OF", "ON", "OR", "ORDER", "OUTER", "OVER", "PARTITION", "PRECEDING", "PROTO", "QUALIFY", "RANGE",
		"RECURSIVE", "RESPECT", "RIGHT", "ROLLUP", "ROWS", "SELECT", "SET", "SOME", "STRUCT", "TABLESAMPLE", "THEN",
		"TO", "TREAT", "TRUE", "UNBOUNDED", "UNION", "UNNEST", "USING", "WHEN", "WHERE", "WINDOW", "WITH", "WITHIN":
		return true
	}
	return false
}

// keyword translates a reserved word.
func (t *translator) keyword(tok token) error {
	before, after := t.at(-1), t.at(1)
	t.pos++
	switch tok.upper {
	case "STRUCT", "FOR", "TABLESAMPLE", "LATERAL", "COLLATE", "ENUM", "PROTO", "NEW", "TREAT", "WITHIN", "LOOKUP", "DEFINE", "CONTAINS", "HASH":
		return notImplemented("%s", tok.upper)
	case "FROM":
		if before.is("DISTINCT") {
			break // IS DISTINCT FROM
		}
		t.frame().from, t.table = true, true
	case "JOIN":
		t.table = true
	case "SELECT", "WHERE", "GROUP", "HAVING", "QUALIFY", "WINDOW", "ORDER":
		t.frame().from = false
	case "LIMIT":
		t.frame().from = false
	case "UNION", "INTERSECT", "EXCEPT":
		if before.is("*") {
			t.emit("EXCLUDE")
			return nil
		}
		return t.setOperation(tok, after)
	case "INTERVAL":
		return t.interval()
	case "ARRAY":
		return t.array(after)
	}
	if t.frame().kind == frameAggregate && (tok.is("LIMIT") || tok.is("IGNORE") || tok.is("RESPECT") || tok.is("HAVING")) {
		return notImplemented("%s in an aggregate function", tok.upper)
	}
	t.emit(tok.upper)
	return nil
}

// setOperation translates UNION DISTINCT and the like; DuckDB leaves DISTINCT out.
func (t *translator) setOperation(tok, after token) error {
	t.frame().from = false
	t.pos++
	switch {
	case after.is("DISTINCT"):
		t.emit(tok.upper)
	case after.is("ALL") && tok.is("UNION"):
		t.emit("UNION ALL")
	default:
		return invalidQuery("Syntax error: Expected keyword ALL or keyword DISTINCT but got %q", after.text)
	}
	return nil
}

// interval translates INTERVAL expression part.
func (t *translator) interval() error {
	depth := 0
	for i := t.pos; t.tokens[i].kind != tokenEnd && depth >= 0; i++ {
		tok := t.tokens[i]
		switch {
		case tok.is("("):
			depth++
		case tok.is(")"):
			depth--
		case depth == 0 && tok.kind == tokenWord && i > t.pos && !t.tokens[i-1].is("."):
			duck, ok := datePart(tok.upper)
			if !ok {
				continue
			}
			count, err := t.scope.translateWith(t.tokens[t.pos:i], t.ctes)
			if err != nil {
				return err
			}
			t.pos = i + 1
			t.emit(fmt.Sprintf("INTERVAL (%s) %s", count, duck))
			return nil
		}
	}
	return notImplemented("this form of INTERVAL")
}

// array translates ARRAY[…], ARRAY<type>[…] and leaves ARRAY( to call.
func (t *translator) array(after token) error {
	if after.is("[") {
		return nil
	}
	duck, next, err := parseType(t.tokens, t.pos-1)
	if err != nil {
		return err
	}
	t.pos = next
	if !t.at(0).is("[") {
		return notImplemented("the type ARRAY outside of CAST and literals")
	}
	t.emit("CAST(")
	t.next = frame{close: "] AS " + duck + ")"}
	return nil
}
