package warehouse

import (
	"context"
)

// Partitions returns how many partitions a table has, the expired ones that are not deleted yet among them; 0 for one without
// partitions. It is free of charge. The library's client does not show the number.
func (c *Client) Partitions(ctx context.Context, project, dataset, table string) (n int64, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		t, err := c.raw.Tables.Get(project, dataset, table).Fields("numPartitions").Context(ctx).Do()
		if err == nil {
			n = t.NumPartitions
		}
		return err
	})
	if err != nil {
		return 0, classify(opReadTable, project+"."+dataset+"."+table, err)
	}
	return n, nil
}
