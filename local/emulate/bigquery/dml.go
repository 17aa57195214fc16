package bigquery

import (
	"context"
	"strings"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// dmlTarget is the table that DML changes, with the alias that it gets.
type dmlTarget struct {
	ref     tableRef
	table   *bq.Table
	alias   string
	catalog *catalog
	now     time.Time // at which rows arrive
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
	if table.Type == typeView {
		return dmlTarget{}, i, errView("DML", ref)
	}
	d := dmlTarget{ref: ref, table: table, alias: ref.table, catalog: sc.catalog, now: sc.now}
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
		if strings.EqualFold(name, partitionTime) && partitioningOf(d.table).isIngestion() {
			field = ingestionField()
		}
		if field == nil {
			return nil, invalidQuery("Column %s is not present in table %s", name, d.ref)
		}
		fields = append(fields, field)
	}
	return fields, nil
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
	if err := target.checkFilter(tokens[end+1:]); err != nil {
		return nil, err
	}
	sc.scanned.noteTarget(target)
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
			written, err := target.partitions(ctx, t, target.touched(condition), target.moved(set, condition))
			if err != nil {
				return nil, err
			}
			rows, err := t.exec(ctx, update)
			if err != nil {
				return nil, queryError(err)
			}
			return &outcome{dml: &bq.DmlStatistics{UpdatedRowCount: rows}, written: written}, nil
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
	if err := target.checkFilter(tokens[i+1:]); err != nil {
		return nil, err
	}
	sc.scanned.noteTarget(target)
	return deletion(kindDelete, target, condition), nil
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
	return deletion(kindTruncate, target, ""), nil
}

// deletion deletes the rows that the condition meets. Only a DELETE counts the
// partitions that it modifies: TRUNCATE TABLE is documented to be one operation.
func deletion(kind string, target dmlTarget, condition string) *statement {
	sql := "DELETE FROM " + target.sql() + condition
	return &statement{kind: kind, target: target.ref, mutates: true, check: binds(sql), run: func(ctx context.Context, t *txn) (*outcome, error) {
		if kind == kindDelete {
			if _, err := target.partitions(ctx, t, target.touched(condition)); err != nil {
				return nil, err
			}
		}
		rows, err := t.exec(ctx, sql)
		if err != nil {
			return nil, queryError(err)
		}
		return &outcome{dml: &bq.DmlStatistics{DeletedRowCount: rows}}, nil
	}}
}
