package bigquery

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	bq "google.golang.org/api/bigquery/v2"
)

// result is what a query leaves behind for getQueryResults.
type result struct {
	schema   *bq.TableSchema // nil if the query has no rows to show
	rows     []json.RawMessage
	affected int64
	children []child // of a script
}

// column is a column of a DuckDB result.
type column struct {
	name string
	duck string // type, as DESCRIBE names it
}

// describe tells the columns of a query without running it, or of a table.
func (t *txn) describe(ctx context.Context, query string) ([]column, error) {
	var columns []column
	err := t.query(ctx, "DESCRIBE "+query, func(rows *sql.Rows) error {
		var c column
		var null, key, preset, extra sql.NullString
		if err := rows.Scan(&c.name, &c.duck, &null, &key, &preset, &extra); err != nil {
			return err
		}
		columns = append(columns, c)
		return nil
	})
	return columns, err
}

// plainName is a column name that a query gave; DuckDB names a column without one
// by its expression.
const plainName = `^[A-Za-z_][A-Za-z0-9_]*$`

// resultSchema is the schema of a query's columns. Those without a name are called
// f0_, f1_ and so on.
func resultSchema(columns []column) (*bq.TableSchema, error) {
	schema, anonymous, seen := &bq.TableSchema{}, 0, map[string]bool{}
	plain := regexp.MustCompile(plainName)
	for _, c := range columns {
		typ, repeated, ok := fromDuckType(c.duck)
		if !ok {
			return nil, notImplemented("results of type %s (column %s)", c.duck, c.name)
		}
		field := &bq.TableFieldSchema{Name: c.name, Type: typ, Mode: modeNullable}
		if repeated {
			field.Mode = modeRepeated
		}
		if !plain.MatchString(c.name) || c.name == "NULL" {
			field.Name = fmt.Sprintf("f%d_", anonymous)
			anonymous++
		}
		if folded := strings.ToLower(field.Name); seen[folded] {
			return nil, invalidQuery("Duplicate column names in the result are not supported. Found duplicate(s): %s", field.Name)
		} else {
			seen[folded] = true
		}
		schema.Fields = append(schema.Fields, field)
	}
	return schema, nil
}

// cell is the DuckDB expression of a value as the REST API writes it, always text:
// timestamps in microseconds, bytes in base64, JSON as its text (which the DuckDB
// driver would turn into a map).
func cell(expression, duck string) string {
	if element, isList := strings.CutSuffix(duck, "[]"); isList {
		return "list_transform(" + expression + ", lambda e: " + cell("e", element) + ")"
	}
	switch {
	case duck == "VARCHAR":
		return expression
	case duck == "BLOB":
		return "base64(" + expression + ")"
	case duck == "TIMESTAMP WITH TIME ZONE":
		expression = "epoch_us(" + expression + ")"
	case duck == "TIMESTAMP":
		return "strftime(" + expression + ", '%Y-%m-%dT%H:%M:%S.%f')"
	case strings.HasPrefix(duck, "DECIMAL(") && !strings.HasSuffix(duck, ",0)"):
		return "rtrim(rtrim(CAST(" + expression + " AS VARCHAR), '0'), '.')"
	}
	return "CAST(" + expression + " AS VARCHAR)"
}

// read selects the cells of all columns from a table, with what follows FROM, and
// encodes the rows.
func (t *txn) read(ctx context.Context, columns []column, from string) ([]json.RawMessage, error) {
	cells := make([]string, len(columns))
	values, pointers := make([]any, len(columns)), make([]any, len(columns))
	for i, c := range columns {
		cells[i] = cell(ident(c.name), c.duck)
		pointers[i] = &values[i]
	}
	var encoded []json.RawMessage
	var row bytes.Buffer
	err := t.query(ctx, "SELECT "+strings.Join(cells, ", ")+" FROM "+from, func(rows *sql.Rows) error {
		if err := rows.Scan(pointers...); err != nil {
			return err
		}
		row.Reset()
		if err := encodeRow(&row, columns, values); err != nil {
			return err
		}
		encoded = append(encoded, bytes.Clone(row.Bytes()))
		return nil
	})
	return encoded, err
}

// encodeRow writes {"f":[{"v":…},…]}.
func encodeRow(row *bytes.Buffer, columns []column, values []any) error {
	separator := `{"f":[`
	for i, value := range values {
		row.WriteString(separator)
		separator = ","
		if value == nil && strings.HasSuffix(columns[i].duck, "[]") {
			value = []any{} // an array is never NULL
		}
		if err := encodeCell(row, value); err != nil {
			return err
		}
	}
	row.WriteString("]}")
	return nil
}

func encodeCell(row *bytes.Buffer, value any) error {
	row.WriteString(`{"v":`)
	defer row.WriteByte('}')
	list, isList := value.([]any)
	if text, isText := value.(string); isText {
		encoded, err := jsontext.AppendQuote(row.AvailableBuffer(), text)
		row.Write(encoded)
		return err
	}
	if !isList {
		encoded, err := json.Marshal(value) // null
		row.Write(encoded)
		return err
	}
	row.WriteByte('[')
	for i, element := range list {
		if i > 0 {
			row.WriteByte(',')
		}
		if err := encodeCell(row, element); err != nil {
			return err
		}
	}
	row.WriteByte(']')
	return nil
}

// checkFormat refuses timestamps for a client that wants them as floating-point
// seconds; the Go client asks for integers.
func checkFormat(r *request, schema *bq.TableSchema) error {
	if schema == nil || r.query.Get("formatOptions.useInt64Timestamp") == "true" {
		return nil
	}
	for _, field := range schema.Fields {
		if field.Type == typeTimestamp {
			return notImplemented("timestamps in any other form than formatOptions.useInt64Timestamp")
		}
	}
	return nil
}

// defaultRows is how many rows a page has unless the request asks for another number.
const defaultRows = 10_000

// tabledataList reads a table directly, which no job accounts for.
func (s *Server) tabledataList(ctx context.Context, r *request) (any, error) {
	if err := s.expirePartitions(ctx); err != nil {
		return nil, err
	}
	ref := s.catalog.canonical(r.tableRef())
	table, err := s.catalog.table(ref)
	if err != nil {
		return nil, err
	}
	if table.Type == typeView {
		return nil, invalid("Cannot list a table of type VIEW.")
	}
	if err := checkFormat(r, table.Schema); err != nil {
		return nil, err
	}
	if r.query.Get("selectedFields") != "" {
		return nil, notImplemented("selectedFields")
	}
	list := tableReply{fields: map[string]any{"kind": "bigquery#tableDataList", "etag": table.Etag}}
	err = s.store.transact(ctx, func(t *txn) error {
		total, err := t.count(ctx, "SELECT count(*) FROM "+ref.physical())
		if err != nil {
			return err
		}
		from, to, next, err := page(r, int(total), defaultRows)
		if err != nil {
			return err
		}
		columns, err := t.describe(ctx, ref.physical())
		if err != nil {
			return err
		}
		columns = slices.DeleteFunc(columns, func(c column) bool { return c.name == partitionTime })
		list.rows, err = t.read(ctx, columns, fmt.Sprintf("%s ORDER BY rowid LIMIT %d OFFSET %d", ref.physical(), to-from, from))
		list.fields["totalRows"], list.fields["pageToken"] = fmt.Sprint(total), next
		return err
	})
	return list, err
}
