package warehouse

import (
	"context"
	"errors"
	"fmt"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	"tidemark/batch"
)

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
