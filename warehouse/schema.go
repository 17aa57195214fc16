package warehouse

import (
	"fmt"

	"cloud.google.com/go/bigquery"

	"tidemark/batch"
	"tidemark/destination"
)

// restType maps GoogleSQL's type names to those of the REST API, where they differ
// (cloud.google.com/bigquery/docs/reference/rest/v2/tables#TableFieldSchema).
func restType(name string) (bigquery.FieldType, error) {
	switch name {
	case "INT64":
		return bigquery.IntegerFieldType, nil
	case "BOOL":
		return bigquery.BooleanFieldType, nil
	case "STRING", "TIMESTAMP", "BYTES", batch.JSONType:
		return bigquery.FieldType(name), nil
	}
	return "", fmt.Errorf("type %q is none tidemark writes; want STRING, JSON, INT64, BOOL, TIMESTAMP or BYTES", name)
}

// sqlType is the reverse of restType, for every type a table may have. The API has two names for some.
func sqlType(t bigquery.FieldType) string {
	switch t {
	case bigquery.IntegerFieldType:
		return "INT64"
	case bigquery.BooleanFieldType:
		return "BOOL"
	case bigquery.FloatFieldType:
		return "FLOAT64"
	case bigquery.RecordFieldType:
		return "STRUCT"
	}
	return string(t)
}

// toSchema makes a schema of nullable columns.
func toSchema(columns []batch.Column) (bigquery.Schema, error) {
	schema := make(bigquery.Schema, len(columns))
	for i, col := range columns {
		t, err := restType(col.Type)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", col.Name, err)
		}
		schema[i] = &bigquery.FieldSchema{Name: col.Name, Type: t}
	}
	return schema, nil
}

func fromSchema(schema bigquery.Schema) []destination.Field {
	fields := make([]destination.Field, len(schema))
	for i, f := range schema {
		fields[i] = destination.Field{Name: f.Name, Type: sqlType(f.Type), Required: f.Required, Repeated: f.Repeated,
			Collation: f.Collation, PolicyTags: f.PolicyTags != nil && len(f.PolicyTags.Names) > 0}
	}
	return fields
}

// fromPartitioning says how a table is partitioned; nil if it is not.
func fromPartitioning(md *bigquery.TableMetadata) *batch.Partitioning {
	switch t, r := md.TimePartitioning, md.RangePartitioning; {
	case t != nil && t.Type == "": // the API's default, which the library reads as it is
		return &batch.Partitioning{Unit: batch.Day, Column: t.Field, Expiration: t.Expiration}
	case t != nil:
		return &batch.Partitioning{Unit: batch.PartitionUnit(t.Type), Column: t.Field, Expiration: t.Expiration}
	case r != nil && r.Range != nil:
		return &batch.Partitioning{Unit: batch.IntRange, Column: r.Field, Start: r.Range.Start, End: r.Range.End, Interval: r.Range.Interval}
	}
	return nil
}

// requiresFilter says whether statements that read the table need a filter on the partitioning column. The API has the option
// in two places.
func requiresFilter(md *bigquery.TableMetadata) bool {
	return md.RequirePartitionFilter || md.TimePartitioning != nil && md.TimePartitioning.RequirePartitionFilter
}
