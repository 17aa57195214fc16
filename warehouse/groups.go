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
	p, err := c.project(ctx, t.Project)
	if err != nil {
		return created, false, err
	}
	name := fmt.Sprintf("%s.%s.%s", t.Project, t.Dataset, t.StatusTable)
	query := p.Query("SELECT " + createdColumn + " FROM `" + name + "` WHERE table_name = @table_name AND consumer_group = @consumer_group AND " +
		createdColumn + " IS NOT NULL ORDER BY " + createdColumn + " DESC LIMIT 1")
	if query.Location = md.Location; query.Location == "" {
		if query.Location, err = c.Location(ctx, t.Project, t.Dataset); err != nil {
			return created, false, err
		}
	}
	query.Parameters = []bigquery.QueryParameter{{Name: "table_name", Value: t.Table}, {Name: "consumer_group", Value: group}}
	query.MaxBytesBilled = int64(c.cfg.MaxBytesBilled)
	it, err := query.Read(ctx)
	var row []bigquery.Value
	if err == nil {
		err = it.Next(&row)
	}
	switch {
	case errors.Is(err, iterator.Done):
		return created, false, nil
	case err != nil:
		return created, false, classify("read when "+t.Table+" was made from", name, err)
	}
	created, found = row[0].(time.Time) // the column's type
	return created, found, nil
}

// Groups returns the consumer groups that have a row for a table in its status table; none if there is no status table yet. It
// costs one query of 10 MiB.
func (c *Client) Groups(ctx context.Context, t batch.Target) (groups []string, err error) {
	md, err := c.metadata(ctx, t.Project, t.Dataset, t.StatusTable)
	if err != nil || md == nil {
		return nil, err
	}
	p, err := c.project(ctx, t.Project)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s.%s.%s", t.Project, t.Dataset, t.StatusTable)
	query := p.Query("SELECT DISTINCT consumer_group FROM `" + name + "` WHERE table_name = @table_name AND consumer_group IS NOT NULL")
	query.Location, query.Parameters = t.Location, []bigquery.QueryParameter{{Name: "table_name", Value: t.Table}}
	query.MaxBytesBilled = int64(c.cfg.MaxBytesBilled)
	it, err := query.Read(ctx)
	for err == nil {
		var row []bigquery.Value
		if err = it.Next(&row); err == nil {
			group, _ := row[0].(string) // the column's type
			groups = append(groups, group)
		}
	}
	if errors.Is(err, iterator.Done) {
		return groups, nil
	}
	return nil, classify("read consumer groups from", name, err)
}
