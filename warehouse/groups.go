package warehouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	"tidemark/batch"
)

// createdColumn of the status table says when a table was made that was filled; versions before it made status tables without it.
const createdColumn = "table_created_at"

// ToldCreation returns when the table was made that a consumer group has filled, as its row in the status table tells; found is
// false where none does. It costs one query of 10 MiB.
func (c *Client) ToldCreation(ctx context.Context, t batch.Target, group string) (created time.Time, found bool, err error) {
	md, err := c.metadata(ctx, t.Project, t.Dataset, t.StatusTable)
	if err != nil || md == nil || !slices.ContainsFunc(md.Schema, func(f *bigquery.FieldSchema) bool { return f.Name == createdColumn }) {
		return created, false, err
	}
	if t.Location = md.Location; t.Location == "" {
		if t.Location, err = c.Location(ctx, t.Project, t.Dataset); err != nil {
			return created, false, err
		}
	}
	told, err := readStatus[time.Time](ctx, c, t, createdColumn, "consumer_group = @consumer_group AND "+createdColumn+" IS NOT NULL ORDER BY "+createdColumn+" DESC LIMIT 1",
		bigquery.QueryParameter{Name: "consumer_group", Value: group})
	if err != nil || len(told) == 0 {
		return created, false, err
	}
	return told[0], true, nil
}

// Groups returns the consumer groups that have a row for a table in its status table; none if there is no status table yet. It
// costs one query of 10 MiB.
func (c *Client) Groups(ctx context.Context, t batch.Target) (groups []string, err error) {
	md, err := c.metadata(ctx, t.Project, t.Dataset, t.StatusTable)
	if err != nil || md == nil {
		return nil, err
	}
	return readStatus[string](ctx, c, t, "DISTINCT consumer_group", "consumer_group IS NOT NULL")
}

// readStatus selects one column of the rows of t in its status table, which is there, by a condition that has params. V is the
// column's type.
func readStatus[V any](ctx context.Context, c *Client, t batch.Target, column, condition string, params ...bigquery.QueryParameter) (values []V, err error) {
	p, err := c.project(ctx, t.Project)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s.%s.%s", t.Project, t.Dataset, t.StatusTable)
	query := p.Query("SELECT " + column + " FROM `" + name + "` WHERE table_name = @table_name AND " + condition)
	params = append(params, bigquery.QueryParameter{Name: "table_name", Value: t.Table})
	query.Location, query.Parameters = t.Location, params
	query.MaxBytesBilled = int64(c.cfg.MaxBytesBilled)
	it, err := query.Read(ctx)
	for err == nil {
		var row []bigquery.Value
		if err = it.Next(&row); err == nil {
			value, _ := row[0].(V)
			values = append(values, value)
		}
	}
	if errors.Is(err, iterator.Done) {
		return values, nil
	}
	return nil, classify("read what is told of "+t.Table+" in", name, err)
}
