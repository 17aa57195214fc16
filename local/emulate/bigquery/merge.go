package bigquery

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// mergeClause is WHEN … [AND condition] THEN action.
type mergeClause struct {
	when        string // MATCHED, NOT MATCHED BY TARGET or NOT MATCHED BY SOURCE
	condition   string // of AND; empty if none
	action      string // DuckDB's
	assignments        // none for DELETE and INSERT ROW
}

// mergePlan is a MERGE, translated.
type mergePlan struct {
	target  dmlTarget
	source  string
	on      string
	clauses []mergeClause
}

// planMerge plans MERGE [INTO] target [[AS] alias] USING source ON condition WHEN …
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax#merge_statement).
func planMerge(sc *scope, tokens []token) (*statement, error) {
	i := 1
	if tokens[i].is("INTO") {
		i++
	}
	target, i, err := parseTarget(sc, tokens, i)
	if err != nil {
		return nil, err
	}
	if err := expect(tokens[i], "USING"); err != nil {
		return nil, err
	}
	on := section(tokens, i, "ON")
	when := section(tokens, on, "WHEN")
	if on >= len(tokens)-1 || when >= len(tokens)-1 {
		return nil, invalidQuery("Syntax error: Expected MERGE … USING … ON … WHEN")
	}
	m := &mergePlan{target: target}
	// FROM makes the translator expect a table, or a query in parentheses.
	from := append([]token{{kind: tokenWord, text: "FROM", upper: "FROM"}}, tokens[i+1:on]...)
	sc.joined = conjuncts(tokens[on+1 : when])
	m.source, err = sc.translate(from)
	if sc.joined = nil; err != nil {
		return nil, err
	}
	m.source = strings.TrimPrefix(m.source, "FROM ")
	if m.on, err = sc.translate(tokens[on+1 : when]); err != nil {
		return nil, err
	}
	if err := target.checkMerge(tokens[on+1:when], whenHeads(tokens, when)); err != nil {
		return nil, err
	}
	for when < len(tokens)-1 {
		end := section(tokens, when+1, "WHEN")
		clause, err := parseMergeClause(sc, tokens[when+1:end], target)
		if err != nil {
			return nil, err
		}
		m.clauses = append(m.clauses, clause)
		when = end
	}
	m.noteScanned(sc)
	return &statement{kind: kindMerge, target: target.ref, mutates: true, check: m.check, run: m.run}, nil
}

// whenHeads are the clauses from position i on, each from after WHEN to before THEN.
func whenHeads(tokens []token, i int) [][]token {
	var heads [][]token
	for i < len(tokens)-1 {
		heads = append(heads, tokens[i+1:section(tokens, i+1, "THEN")])
		i = section(tokens, i+1, "WHEN")
	}
	return heads
}

// noteScanned notes what of the target is read: all of it if rows may be changed.
func (m *mergePlan) noteScanned(sc *scope) {
	if slices.ContainsFunc(m.clauses, func(c mergeClause) bool { return c.when != "NOT MATCHED BY TARGET" }) {
		sc.scanned.noteTarget(m.target)
	} else {
		sc.scanned.note(m.target.ref, m.target.table)
	}
}

// parseMergeClause reads what follows WHEN.
func parseMergeClause(sc *scope, tokens []token, target dmlTarget) (mergeClause, error) {
	c := mergeClause{}
	tokens = append(append([]token(nil), tokens...), token{kind: tokenEnd})
	then := section(tokens, 1, "THEN")
	head := section(tokens[:then], 1, "AND")
	words := make([]string, head)
	for i := range head {
		words[i] = tokens[i].upper
	}
	switch c.when = strings.Join(words, " "); c.when {
	case "NOT MATCHED":
		c.when = "NOT MATCHED BY TARGET"
	case "MATCHED", "NOT MATCHED BY TARGET", "NOT MATCHED BY SOURCE":
	default:
		return c, invalidQuery("Syntax error: Unexpected WHEN %s", c.when)
	}
	if then == len(tokens)-1 {
		return c, invalidQuery("Syntax error: Expected keyword THEN")
	}
	if head < then {
		condition, err := sc.translate(tokens[head+1 : then])
		if err != nil {
			return c, err
		}
		c.condition = condition
	}
	return c, c.parseAction(sc, tokens[then+1:], target)
}

// parseAction reads UPDATE SET …, DELETE, INSERT ROW or INSERT [(…)] VALUES (…).
func (c *mergeClause) parseAction(sc *scope, tokens []token, target dmlTarget) error {
	inserts := c.when == "NOT MATCHED BY TARGET"
	end := len(tokens) - 1
	switch {
	case tokens[0].is("DELETE") && end == 1 && !inserts:
		c.action = "DELETE"
		return nil
	case tokens[0].is("UPDATE") && tokens[1].is("SET") && !inserts:
		set, err := parseAssignments(sc, tokens[2:end], target)
		c.assignments, c.action = set, "UPDATE SET "+set.sql()
		return err
	case tokens[0].is("INSERT") && tokens[1].is("ROW") && partitioningOf(target.table).isIngestion():
		return notImplemented("INSERT ROW into a table that is partitioned by ingestion time")
	case tokens[0].is("INSERT") && tokens[1].is("ROW") && end == 2 && inserts:
		c.action = "INSERT BY NAME *"
		return nil
	case tokens[0].is("INSERT") && inserts:
		return c.parseInsert(sc, tokens[1:], target)
	}
	return invalidQuery("Syntax error: Unexpected %q in WHEN %s", tokens[0].text, c.when)
}

func (c *mergeClause) parseInsert(sc *scope, tokens []token, target dmlTarget) error {
	names, i, err := columnList(tokens, 0)
	if err != nil {
		return err
	}
	end := len(tokens) - 2 // the closing parenthesis
	if !tokens[i].is("VALUES") || !tokens[i+1].is("(") || end <= i+1 || !tokens[end].is(")") {
		return invalidQuery("Syntax error: Expected INSERT (…) VALUES (…)")
	}
	for _, item := range splitList(tokens[i+2 : end]) {
		value, err := sc.translate(item)
		if err != nil {
			return err
		}
		c.values = append(c.values, value)
	}
	if c.fields, err = target.fields(names); err != nil {
		return err
	}
	if len(c.fields) != len(c.values) {
		return invalidQuery("Inserted row has wrong column count; Has %d, expected %d", len(c.values), len(c.fields))
	}
	columns, values := target.arrival(c.fields)
	for i, field := range c.fields {
		columns, values = append(columns, field.Name), append(values, stored(field, c.values[i]))
	}
	c.action = "INSERT (" + idents(columns) + ") VALUES (" + strings.Join(values, ", ") + ")"
	return nil
}

// sql is the statement for DuckDB.
func (m *mergePlan) sql() string {
	var b strings.Builder
	b.WriteString("MERGE INTO " + m.target.sql() + " USING " + m.source + " ON " + m.on)
	for _, c := range m.clauses {
		b.WriteString(" WHEN " + c.when)
		if c.condition != "" {
			b.WriteString(" AND (" + c.condition + ")")
		}
		b.WriteString(" THEN " + c.action)
	}
	return b.String()
}

// check compares the assigned values with the columns' types, which DuckDB would
// cast, and has DuckDB plan the whole.
func (m *mergePlan) check(ctx context.Context, t *txn) (*bq.TableSchema, error) {
	for _, c := range m.clauses {
		if c.values == nil {
			continue
		}
		// A value that is not to see one of the two sides may still name it: harmless,
		// as DuckDB plans the statement itself below.
		from := m.target.sql() + " JOIN " + m.source + " ON " + m.on
		if c.when == "NOT MATCHED BY TARGET" {
			from = m.source
		}
		columns, err := t.describe(ctx, "SELECT "+strings.Join(c.values, ", ")+" FROM "+from)
		if err != nil {
			return nil, queryError(err)
		}
		if err := checkAssignments(columns, c.fields, false); err != nil {
			return nil, err
		}
	}
	return binds(m.sql())(ctx, t)
}

// run merges, unless a row of the target is to be changed by more than one row of
// the source.
func (m *mergePlan) run(ctx context.Context, t *txn) (*outcome, error) {
	if err := m.guard(ctx, t); err != nil {
		return nil, err
	}
	counts, written := map[string]int64{}, map[string]bool{}
	p := partitioningOf(m.target.table)
	partition := "''"
	if p != nil {
		partition = p.id(ident(p.column))
	}
	err := t.query(ctx, m.sql()+" RETURNING merge_action, "+partition, func(rows *sql.Rows) error {
		var action, id string
		err := rows.Scan(&action, &id)
		counts[action]++
		if p != nil {
			written[id] = true
		}
		return err
	})
	if err != nil {
		return nil, queryError(err)
	}
	return &outcome{written: written, dml: &bq.DmlStatistics{
		InsertedRowCount: counts["INSERT"], UpdatedRowCount: counts["UPDATE"], DeletedRowCount: counts["DELETE"],
	}}, m.target.catalog.checkModified(written, caseQueryPartitions)
}

// guard fails where BigQuery fails and DuckDB silently applies one of the rows
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax#merge_statement:
// "If a row in the table to be updated joins with more than one row from the FROM
// clause, then … runtime error").
func (m *mergePlan) guard(ctx context.Context, t *txn) error {
	var conditions []string
	for _, c := range m.clauses {
		switch {
		case c.when != "MATCHED":
		case c.condition == "":
			conditions = append(conditions, "true")
		default:
			conditions = append(conditions, "("+c.condition+")")
		}
	}
	if len(conditions) == 0 {
		return nil
	}
	row := ident(m.target.alias) + ".rowid"
	ambiguous, err := t.count(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+m.target.sql()+" JOIN "+m.source+" ON "+m.on+
		" WHERE "+strings.Join(conditions, " OR ")+" GROUP BY "+row+" HAVING count(*) > 1 LIMIT 1)")
	if err != nil {
		return queryError(err)
	}
	if ambiguous > 0 {
		return invalidQuery("UPDATE/MERGE must match at most one source row for each target row")
	}
	return nil
}
