package bigquery

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// statement is a statement that is ready to run.
type statement struct {
	kind   string   // as the API names statement types
	text   string   // as written
	at     place    // in its script
	target tableRef // the table that it writes; zero if it writes none

	// mutates tells that it may change or delete rows, which conflicts with others
	// that do; adding rows does not.
	mutates bool

	// ddl tells that it changes the catalog.
	ddl bool

	// What it reads: tables, names that occur, and whether there is a * for all columns.
	scanned scanned
	names   map[string]bool
	all     bool

	// check finds out, without effect, whether the statement is valid, and the
	// schema of its result, if it has one.
	check func(context.Context, *txn) (*bq.TableSchema, error)

	// run has the effect, after check.
	run func(context.Context, *txn) (*outcome, error)
}

// outcome is what a statement leaves behind.
type outcome struct {
	schema *bq.TableSchema
	result *result           // of a SELECT
	dml    *bq.DmlStatistics // of DML

	// written are the partitions of the target that have got rows.
	written map[string]bool
}

// execute checks the statement and runs it.
func (st *statement) execute(ctx context.Context, t *txn) (*outcome, error) {
	if _, err := st.check(ctx, t); err != nil {
		return nil, err
	}
	return st.run(ctx, t)
}

// affected is how many rows DML has touched.
func (o *outcome) affected() int64 {
	if o.dml == nil {
		return 0
	}
	return o.dml.InsertedRowCount + o.dml.UpdatedRowCount + o.dml.DeletedRowCount
}

// changed is how many rows of them were there before.
func (o *outcome) changed() int64 {
	if o.dml == nil {
		return 0
	}
	return o.dml.UpdatedRowCount + o.dml.DeletedRowCount
}

// Statement types
// (docs.cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobStatistics2.FIELDS.statement_type).
const (
	kindSelect   = "SELECT"
	kindInsert   = "INSERT"
	kindUpdate   = "UPDATE"
	kindDelete   = "DELETE"
	kindMerge    = "MERGE"
	kindTruncate = "TRUNCATE_TABLE"
	kindCreate   = "CREATE_TABLE"
	kindCreateAs = "CREATE_TABLE_AS_SELECT"
	kindDrop     = "DROP_TABLE"
	kindAlter    = "ALTER_TABLE"
	kindAssert   = "ASSERT"
	kindBegin    = "BEGIN_TRANSACTION"
	kindCommit   = "COMMIT_TRANSACTION"
	kindRollback = "ROLLBACK_TRANSACTION"
	kindScript   = "SCRIPT"
)

// planStatement translates one statement.
func (s *Server) planStatement(sc *scope, tokens []token) (*statement, error) {
	first := tokens[0]
	switch first.upper {
	case "SELECT", "WITH", "(":
		return planSelect(sc, tokens)
	case "INSERT":
		return planInsert(sc, tokens)
	case "UPDATE":
		return planUpdate(sc, tokens)
	case "DELETE":
		return planDelete(sc, tokens)
	case "MERGE":
		return planMerge(sc, tokens)
	case "TRUNCATE":
		return planTruncate(sc, tokens)
	case "CREATE", "DROP", "ALTER":
		return s.planDDL(sc, tokens)
	case "ASSERT":
		return planAssert(sc, tokens)
	case "BEGIN", "COMMIT", "ROLLBACK":
		return planTransaction(tokens)
	}
	if first.kind == tokenWord {
		return nil, notImplemented("statements that begin with %s", first.upper)
	}
	return nil, invalidQuery("Syntax error: Unexpected %q", first.text)
}

// planTransaction accepts BEGIN, COMMIT and ROLLBACK [TRANSACTION].
func planTransaction(tokens []token) (*statement, error) {
	rest := tokens[1:]
	if rest[0].is("TRANSACTION") {
		rest = rest[1:]
	}
	if rest[0].kind != tokenEnd {
		return nil, notImplemented("%s … END blocks and options of transactions", tokens[0].upper)
	}
	return &statement{
		kind:  tokens[0].upper + "_TRANSACTION",
		check: func(context.Context, *txn) (*bq.TableSchema, error) { return nil, nil },
		run:   func(context.Context, *txn) (*outcome, error) { return &outcome{}, nil },
	}, nil
}

// planSelect plans a query. Its rows go through a temporary table, which tells their
// types and keeps their order.
func planSelect(sc *scope, tokens []token) (*statement, error) {
	query, err := sc.translate(tokens)
	if err != nil {
		return nil, err
	}
	check := func(ctx context.Context, t *txn) (*bq.TableSchema, error) {
		columns, err := t.describe(ctx, query)
		if err != nil {
			return nil, queryError(err)
		}
		return resultSchema(columns)
	}
	return &statement{kind: kindSelect, check: check, run: func(ctx context.Context, t *txn) (*outcome, error) {
		return runSelect(ctx, t, query)
	}}, nil
}

func runSelect(ctx context.Context, t *txn, query string) (*outcome, error) {
	const table = `temp."$result"`
	if _, err := t.exec(ctx, "CREATE TEMP TABLE \"$result\" AS "+query); err != nil {
		return nil, queryError(err)
	}
	columns, err := t.describe(ctx, table)
	if err != nil {
		return nil, err
	}
	schema, err := resultSchema(columns)
	if err != nil {
		return nil, err
	}
	rows, err := t.read(ctx, columns, table+" ORDER BY rowid")
	if err != nil {
		return nil, err
	}
	if _, err := t.exec(ctx, "DROP TABLE "+table); err != nil {
		return nil, err
	}
	return &outcome{schema: schema, result: &result{schema: schema, rows: rows}}, nil
}

// planAssert plans ASSERT expression [AS message]
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/debugging-statements).
func planAssert(sc *scope, tokens []token) (*statement, error) {
	condition, message := tokens[1:len(tokens)-1], "Assertion failed"
	if n := len(condition); n > 2 && condition[n-2].is("AS") && condition[n-1].kind == tokenString {
		message = condition[n-1].text
		condition = condition[:n-2]
	}
	expression, err := sc.translate(condition)
	if err != nil {
		return nil, err
	}
	query := "SELECT coalesce((" + expression + "), false)"
	return &statement{
		kind:  kindAssert,
		check: binds("SELECT " + expression),
		run: func(ctx context.Context, t *txn) (*outcome, error) {
			var holds bool
			err := t.query(ctx, query, func(rows *sql.Rows) error { return rows.Scan(&holds) })
			if err != nil {
				return nil, queryError(err)
			}
			if !holds {
				return nil, invalidQuery("%s", message)
			}
			return &outcome{}, nil
		},
	}, nil
}

// binds returns a check that has DuckDB plan the statement.
func binds(statement string) func(context.Context, *txn) (*bq.TableSchema, error) {
	return func(ctx context.Context, t *txn) (*bq.TableSchema, error) {
		err := t.query(ctx, "EXPLAIN "+statement, func(*sql.Rows) error { return nil })
		if err != nil {
			return nil, queryError(err)
		}
		return nil, nil
	}
}

// queryError makes DuckDB's error one of the query.
func queryError(err error) error {
	if outside := rangeError(err); outside != nil {
		return outside
	}
	refused := invalidQuery("%v", err)
	refused.cause = err
	return refused
}

// section is where keywords at the top level divide a statement.
func section(tokens []token, start int, keywords ...string) int {
	depth, cases := 0, 0
	for i := start; i < len(tokens); i++ {
		tok := tokens[i]
		switch {
		case tok.is("("), tok.is("["):
			depth++
		case tok.is(")"), tok.is("]"):
			depth--
		case tok.is("CASE"):
			cases++
		case tok.is("END"):
			cases--
		case depth == 0 && cases == 0 && i > 0 && !tokens[i-1].is("."):
			for _, keyword := range keywords {
				if tok.is(keyword) {
					return i
				}
			}
		}
		if tok.kind == tokenEnd {
			return i
		}
	}
	return len(tokens)
}

// splitList divides tokens at the commas of the top level.
func splitList(tokens []token) [][]token {
	var items [][]token
	for start := 0; start <= len(tokens); {
		end := section(tokens, start, ",")
		items = append(items, tokens[start:end])
		start = end + 1
	}
	return items
}

// expect reports what is there instead of a keyword.
func expect(tok token, keyword string) error {
	if tok.is(keyword) {
		return nil
	}
	return invalidQuery("Syntax error: Expected keyword %s but got %q", keyword, tok.text)
}

// sqlType spells a type in GoogleSQL.
func sqlType(field *bq.TableFieldSchema) string {
	name := map[string]string{typeInteger: "INT64", typeFloat: "FLOAT64", typeBoolean: "BOOL"}[field.Type]
	if name == "" {
		name = field.Type
	}
	if field.Mode == modeRepeated {
		return fmt.Sprintf("ARRAY<%s>", name)
	}
	return name
}

// textOf is the part of the script that the tokens come from.
func textOf(sql string, tokens []token) string {
	return strings.TrimSpace(sql[tokens[0].pos:tokens[len(tokens)-1].pos])
}
