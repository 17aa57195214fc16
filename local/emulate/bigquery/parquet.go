package bigquery

import (
	"context"
	"database/sql"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// parquetNode is an element of a file's schema, as parquet_schema lists them:
// depth first, each with its number of children.
type parquetNode struct {
	file                                           string
	name, physical, converted, logical, repetition string
	children                                       int64
}

// checkFiles refuses files whose columns are not of the schema's types. Each column
// of a file must be in the schema: BigQuery is documented to treat others as bad
// records and has been seen to drop them silently
// (docs.cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationLoad.FIELDS.ignore_unknown_values).
func (l *load) checkFiles(ctx context.Context, t *txn, f *sources) error {
	var nodes []parquetNode
	const columns = "file_name, name, coalesce(type, ''), coalesce(converted_type, ''), coalesce(logical_type, ''), coalesce(repetition_type, ''), coalesce(num_children, 0)"
	err := t.query(ctx, "SELECT "+columns+" FROM parquet_schema("+f.list()+")", func(rows *sql.Rows) error {
		var n parquetNode
		err := rows.Scan(&n.file, &n.name, &n.physical, &n.converted, &n.logical, &n.repetition, &n.children)
		nodes = append(nodes, n)
		return err
	})
	if err != nil {
		return loadError(err)
	}
	for len(nodes) > 0 {
		root := nodes[0]
		nodes = nodes[1:]
		for range root.children {
			var field []parquetNode
			field, nodes = cutNode(nodes)
			if err := l.checkColumn(l.uri(f, root.file), field); err != nil {
				return err
			}
			f.columns[field[0].name] = true
		}
	}
	return f.measure(ctx, t)
}

// cutNode cuts the first node with everything below it off.
func cutNode(nodes []parquetNode) (first, rest []parquetNode) {
	size := 1
	for open := nodes[0].children; open > 0; open-- {
		open += nodes[size].children
		size++
	}
	return nodes[:size], nodes[size:]
}

// checkColumn compares a column of a file with the field of the same name; the
// name must be the very same, for whether case matters here is not documented.
func (l *load) checkColumn(uri string, column []parquetNode) error {
	name := column[0].name
	field := fieldNamed(l.config.Schema, name)
	if field == nil || field.Name != name {
		return invalid("Error while reading data, error message: Parquet column '%s' is not in the schema. File: %s", name, uri)
	}
	leaf := column[0]
	if field.Mode == modeRepeated {
		if p := l.config.ParquetOptions; p == nil || !p.EnableListInference {
			return notImplemented("repeated fields without parquetOptions.enableListInference (%s)", name)
		}
		if !isList(column) {
			return errParquetType(uri, name, "no LIST", field)
		}
		leaf = column[2]
	} else if len(column) != 1 || leaf.repetition == modeRepeated {
		return errParquetType(uri, name, "a group", field)
	}
	if found := leaf.bigQueryType(); found != field.Type {
		return errParquetType(uri, name, found, field)
	}
	return nil
}

func errParquetType(uri, column, found string, field *bq.TableFieldSchema) error {
	return invalid("Error while reading data, error message: Parquet column '%s' has type %s which does not match the target type %s. File: %s",
		column, found, field.Type, uri)
}

// isList recognizes the three-level form: a LIST of a repeated group of one element.
func isList(column []parquetNode) bool {
	return len(column) == 3 &&
		(column[0].converted == "LIST" || strings.HasPrefix(column[0].logical, "ListType")) &&
		column[0].children == 1 && column[1].repetition == modeRepeated && column[1].children == 1
}

// bigQueryType is the type as which BigQuery loads a leaf
// (docs.cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet#parquet_conversions).
// What is refused here is named as Parquet names it, nanoseconds among them, which
// are not in that table and said to be loaded as plain integers.
func (n parquetNode) bigQueryType() string {
	logical, _, _ := strings.Cut(n.logical, "(")
	annotation := n.converted
	if annotation == "" {
		annotation = logical
	}
	switch n.physical {
	case "BOOLEAN":
		return typeBoolean
	case "FLOAT", "DOUBLE":
		return typeFloat
	case "INT96":
		return typeTimestamp
	case "INT32", "INT64":
		return n.integerType(annotation)
	case "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY":
		switch annotation {
		case "UTF8", "StringType":
			return typeString
		case "DECIMAL", "DecimalType":
			return typeNumeric
		case "":
			return typeBytes
		}
	}
	return n.physical + " " + annotation
}

func (n parquetNode) integerType(annotation string) string {
	switch annotation {
	case "DATE", "DateType":
		return typeDate
	case "TIME_MILLIS", "TIME_MICROS":
		return typeTime
	case "TIMESTAMP_MILLIS", "TIMESTAMP_MICROS":
		return typeTimestamp
	case "TimestampType":
		if strings.Contains(n.logical, "NANOS") {
			return "TIMESTAMP_NANOS"
		}
		return typeTimestamp
	case "DECIMAL", "DecimalType":
		return typeNumeric
	case "", "IntType", "INT_8", "INT_16", "INT_32", "INT_64", "UINT_8", "UINT_16", "UINT_32", "UINT_64":
		return typeInteger
	}
	return n.physical + " " + annotation
}
