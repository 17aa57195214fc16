package bigquery

import (
	"context"
	"fmt"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

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
	insert := insertSQL(target, fields, body)
	return &statement{kind: kindInsert, target: target.ref, check: check, run: func(ctx context.Context, t *txn) (*outcome, error) {
		written, err := target.partitions(ctx, t, target.inserted(fields, body))
		if err != nil {
			return nil, err
		}
		rows, err := t.exec(ctx, insert)
		if err != nil {
			return nil, queryError(err)
		}
		return &outcome{dml: &bq.DmlStatistics{InsertedRowCount: rows}, written: written}, nil
	}}, nil
}

// insertSQL inserts the columns that the body selects into the fields.
func insertSQL(target dmlTarget, fields []*bq.TableFieldSchema, body string) string {
	names, values := target.arrival(fields)
	var given []string
	for i, field := range fields {
		name := fmt.Sprintf("c%d", i)
		names, given, values = append(names, field.Name), append(given, name), append(values, stored(field, name))
	}
	return "INSERT INTO " + target.ref.physical() + " (" + idents(names) + ") SELECT " + strings.Join(values, ", ") +
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
