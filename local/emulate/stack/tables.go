package stack

import (
	"context"

	gbq "cloud.google.com/go/bigquery"

	"tidemark/model"
)

// createTables creates the tables with every column tidemark knows, the _kafka_ ones included: they tell a duplicate
// that was produced twice from one that the export made.
func (s *Stack) createTables(ctx context.Context, json bool) error {
	err := s.createTable(ctx, Table, model.EventColumns(), json, &gbq.TableMetadata{
		TimePartitioning: &gbq.TimePartitioning{Type: gbq.DayPartitioningType, Field: "timestamp"},
		Clustering:       &gbq.Clustering{Fields: []string{"team_id", "event"}},
	})
	if err != nil {
		return err
	}
	return s.createTable(ctx, PersonsTable, model.PersonColumns(), json, &gbq.TableMetadata{
		Clustering: &gbq.Clustering{Fields: []string{"team_id", "distinct_id"}},
	})
}

func (s *Stack) createTable(ctx context.Context, name string, columns []model.Column, json bool, md *gbq.TableMetadata) error {
	for _, c := range columns {
		kind := gbq.FieldType(c.Type.String())
		switch {
		case c.JSON && json:
			kind = gbq.JSONFieldType
		case c.Type == model.Int64:
			kind = gbq.IntegerFieldType
		case c.Type == model.Bool:
			kind = gbq.BooleanFieldType
		}
		md.Schema = append(md.Schema, &gbq.FieldSchema{Name: c.Name, Type: kind, Description: c.Description})
	}
	table := s.Client.Dataset(Dataset).Table(name)
	if _, err := table.Metadata(ctx); err == nil {
		return nil // from an earlier run in the same directory
	}
	return table.Create(ctx, md)
}
