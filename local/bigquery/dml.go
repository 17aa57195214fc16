package bigquery

import (
	"context"
	"fmt"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// dmlTarget is the table that DML changes, with the alias that it gets.
type dmlTarget struct {
	ref   tableRef
	table *bq.Table
	alias string
}

// sql is the table in a DuckDB statement.
func (d dmlTarget) sql() string { return d.ref.physical() + " AS " + ident(d.alias) }

// parseTarget reads path [[AS] alias] at i, and returns the position after it.
func parseTarget(sc *scope, tokens []token, i int) (dmlTarget, int, error) {
	if !isName(tokens[i]) {
		return dmlTarget{}, i, invalidQuery("Syntax error: Expected a table but got %q", tokens[i].text)
	}
	path, after := tablePath(tokens, i)
	ref, table, err := sc.read(path)
	if err != nil {
		return dmlTarget{}, i, err
	}
	d := dmlTarget{ref: ref, table: table, alias: ref.table}
	explicit := tokens[after].is("AS")
	if explicit {
		after++
	}
	if isName(tokens[after]) && (explicit || !tokens[after].is("VALUES")) {
		d.alias = tokens[after].text
		after++
	}
	return d, after, nil
}

// fields finds the columns that are named, or all of them if none are.
func (d dmlTarget) fields(names []string) ([]*bq.TableFieldSchema, error) {
	if names == nil {
		return d.table.Schema.Fields, nil
	}
	var fields []*bq.TableFieldSchema
	for _, name := range names {
		field := fieldNamed(d.table.Schema, name)
		if field == nil {
			return nil, invalidQuery("Column %s is not present in table %s", name, d.ref)
		}
		fields = append(fields, field)
	}
	return fields, nil
}

// columnList reads (a, b, …) at i, if there is one, and returns the position after it.
func columnList(tokens []token, i int) ([]string, int, error) {
	if !tokens[i].is("(") || tokens[i+1].is("SELECT") || tokens[i+1].is("WITH") || tokens[i+1].is("(") {
		return nil, i, nil
	}
	var names []string
	for i++; ; i += 2 {
		if !isName(tokens[i]) {
			return nil, i, invalidQuery("Syntax error: Unexpected %q", tokens[i].text)
		}
		names = append(names, tokens[i].text)
		if tokens[i+1].is(")") {
			return names, i + 2, nil
		}
		if !tokens[i+1].is(",") {
			return nil, i, invalidQuery("Syntax error: Unexpected %q", tokens[i+1].text)
		}
	}
}

// planInsert plans INSERT [INTO] table [(columns)] query or VALUES.
func planInsert(sc *scope, tokens []token) (*statement, error) {
	i := 1
	if tokens[i].is("INTO") {
		i++
	}
	target, i, err := parseTarget(sc, tokens, i)
	if err != nil {
		return nil, err
	}
	names, i, err := columnList(tokens, i)
	if err != nil {
		return nil, err
	}
	fields, err := target.fields(names)
	if err != nil {
		return nil, err
	}
	body, err := sc.translate(tokens[i:])
	if err != nil {
		return nil, err
	}
	literals := tokens[i].is("VALUES")
	check := func(ctx context.Context, t *txn) (*bq.TableSchema, error) {
		columns, err := t.describe(ctx, body)
		if err != nil {
			return nil, queryError(err)
		}
		return nil, checkAssignments(columns, fields, literals)
	}
	insert := insertSQL(target.ref, fields, body)
	return &statement{kind: kindInsert, target: target.ref, check: check, run: func(ctx context.Context, t *txn) (*outcome, error) {
		rows, err := t.exec(ctx, insert)
		if err != nil {
			return nil, queryError(err)
		}
		return &outcome{dml: &bq.DmlStatistics{InsertedRowCount: rows}}, nil
	}}, nil
}

// insertSQL inserts the columns that the body selects into the fields.
func insertSQL(ref tableRef, fields []*bq.TableFieldSchema, body string) string {
	var names, given, values []string
	for i, field := range fields {
		name := fmt.Sprintf("c%d", i)
		names, given, values = append(names, field.Name), append(given, name), append(values, stored(field, name))
	}
	return "INSERT INTO " + ref.physical() + " (" + idents(names) + ") SELECT " + strings.Join(values, ", ") +
		" FROM (" + body + ") AS given(" + strings.Join(given, ", ") + ")"
}

// checkAssignments refuses values that GoogleSQL does not coerce to the columns'
// types, where DuckDB casts almost anything, and text to JSON above all. Text
// literals become dates and times
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules).
func checkAssignments(values []column, fields []*bq.TableFieldSchema, literals bool) error {
	if len(values) != len(fields) {
		return invalidQuery("Inserted row has wrong column count; Has %d, expected %d", len(values), len(fields))
	}
	for i, value := range values {
		typ, repeated, ok := fromDuckType(value.duck)
		if !ok {
			return notImplemented("values of type %s", value.duck)
		}
		given := &bq.TableFieldSchema{Type: typ, Mode: modeNullable}
		if repeated {
			given.Mode = modeRepeated
		}
		if !assignable(value.duck, given, fields[i], literals) {
			return invalidQuery("Query column %d has type %s which cannot be inserted into column %s, which has type %s",
				i+1, sqlType(given), fields[i].Name, sqlType(fields[i]))
		}
	}
	return nil
}

func assignable(duck string, given, field *bq.TableFieldSchema, literals bool) bool {
	switch duck {
	case "INTEGER":
		return true // DuckDB's type of NULL, and of small literals
	case "INTEGER[]":
		return field.Mode == modeRepeated // of []
	}
	if (given.Mode == modeRepeated) != (field.Mode == modeRepeated) {
		return false
	}
	switch {
	case given.Type == field.Type:
		return true
	case given.Type == typeInteger:
		return field.Type == typeFloat || field.Type == typeNumeric
	case given.Type == typeNumeric:
		return field.Type == typeFloat
	case given.Type == typeString && literals:
		return field.Type == typeTimestamp || field.Type == typeDate || field.Type == typeDateTime || field.Type == typeTime
	}
	return false
}

// assignments are column = expression, ….
type assignments struct {
	fields []*bq.TableFieldSchema
	values []string
}

// parseAssignments reads a list of them; a column may be qualified by the alias.
func parseAssignments(sc *scope, tokens []token, target dmlTarget) (assignments, error) {
	var all assignments
	for _, item := range splitList(tokens) {
		equals := section(item, 0, "=")
		path := item[:equals]
		if len(path) == 3 && path[1].is(".") && strings.EqualFold(path[0].text, target.alias) {
			path = path[2:]
		}
		if len(path) != 1 || equals == len(item) {
			return all, notImplemented("an assignment to anything but a column")
		}
		fields, err := target.fields([]string{path[0].text})
		if err != nil {
			return all, err
		}
		value, err := sc.translate(item[equals+1:])
		if err != nil {
			return all, err
		}
		all.fields, all.values = append(all.fields, fields...), append(all.values, value)
	}
	return all, nil
}

// sql is the assignments in a DuckDB statement.
func (a assignments) sql() string {
	sets := make([]string, len(a.fields))
	for i, field := range a.fields {
		sets[i] = ident(field.Name) + " = " + stored(field, "("+a.values[i]+")")
	}
	return strings.Join(sets, ", ")
}

// planUpdate plans UPDATE table [[AS] alias] SET assignments WHERE condition.
func planUpdate(sc *scope, tokens []token) (*statement, error) {
	target, i, err := parseTarget(sc, tokens, 1)
	if err != nil {
		return nil, err
	}
	if err := expect(tokens[i], "SET"); err != nil {
		return nil, err
	}
	end := section(tokens, i, "FROM", "WHERE")
	if tokens[end].is("FROM") {
		return nil, notImplemented("UPDATE … FROM")
	}
	condition, err := whereClause(sc, tokens[end:], kindUpdate)
	if err != nil {
		return nil, err
	}
	set, err := parseAssignments(sc, tokens[i+1:end], target)
	if err != nil {
		return nil, err
	}
	probe := "SELECT " + strings.Join(set.values, ", ") + " FROM " + target.sql() + condition
	update := "UPDATE " + target.sql() + " SET " + set.sql() + condition
	return &statement{
		kind: kindUpdate, target: target.ref, mutates: true,
		check: func(ctx context.Context, t *txn) (*bq.TableSchema, error) {
			columns, err := t.describe(ctx, probe)
			if err != nil {
				return nil, queryError(err)
			}
			return nil, checkAssignments(columns, set.fields, false)
		},
		run: func(ctx context.Context, t *txn) (*outcome, error) {
			rows, err := t.exec(ctx, update)
			if err != nil {
				return nil, queryError(err)
			}
			return &outcome{dml: &bq.DmlStatistics{UpdatedRowCount: rows}}, nil
		},
	}, nil
}

// whereClause translates WHERE condition, which DML that changes rows must have
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax).
func whereClause(sc *scope, tokens []token, kind string) (string, error) {
	if !tokens[0].is("WHERE") {
		return "", invalidQuery("%s must have a WHERE clause", kind)
	}
	condition, err := sc.translate(tokens[1:])
	return " WHERE " + condition, err
}

// planDelete plans DELETE [FROM] table [[AS] alias] WHERE condition.
func planDelete(sc *scope, tokens []token) (*statement, error) {
	i := 1
	if tokens[i].is("FROM") {
		i++
	}
	target, i, err := parseTarget(sc, tokens, i)
	if err != nil {
		return nil, err
	}
	condition, err := whereClause(sc, tokens[i:], kindDelete)
	if err != nil {
		return nil, err
	}
	return deletion(kindDelete, target, "DELETE FROM "+target.sql()+condition), nil
}

// planTruncate plans TRUNCATE TABLE table.
func planTruncate(sc *scope, tokens []token) (*statement, error) {
	if err := expect(tokens[1], "TABLE"); err != nil {
		return nil, err
	}
	target, i, err := parseTarget(sc, tokens, 2)
	if err != nil {
		return nil, err
	}
	if tokens[i].kind != tokenEnd {
		return nil, invalidQuery("Syntax error: Unexpected %q", tokens[i].text)
	}
	return deletion(kindTruncate, target, "DELETE FROM "+target.ref.physical()), nil
}

func deletion(kind string, target dmlTarget, sql string) *statement {
	return &statement{kind: kind, target: target.ref, mutates: true, check: binds(sql), run: func(ctx context.Context, t *txn) (*outcome, error) {
		rows, err := t.exec(ctx, sql)
		if err != nil {
			return nil, queryError(err)
		}
		return &outcome{dml: &bq.DmlStatistics{DeletedRowCount: rows}}, nil
	}}
}
