package bigquery

import (
	"context"
	"strings"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// inheritExpirations gives a new table what the dataset has by default. An explicit
// value takes precedence, and a table that gets a default expiration of partitions
// gets none of its own
// (docs.cloud.google.com/bigquery/docs/reference/rest/v2/datasets,
// "defaultPartitionExpirationMs"; /docs/updating-datasets#partition-expiration).
func inheritExpirations(table *bq.Table, dataset *bq.Dataset) {
	partitions := dataset.DefaultPartitionExpirationMs
	if p := table.TimePartitioning; p != nil && p.ExpirationMs == 0 {
		p.ExpirationMs = partitions
	}
	ignored := table.TimePartitioning != nil && partitions > 0
	if table.ExpirationTime == 0 && dataset.DefaultTableExpirationMs > 0 && !ignored {
		table.ExpirationTime = table.CreationTime + dataset.DefaultTableExpirationMs
	}
}

// expirePartitions removes the rows of partitions whose time is up
// (docs.cloud.google.com/bigquery/docs/managing-partitioned-tables#partition-expiration).
// It is called before anybody looks at or writes to a table.
func (s *Server) expirePartitions(ctx context.Context) error {
	for _, table := range s.catalog.expiring() {
		ref, p := refOf(table.TableReference), partitioningOf(table)
		ids, err := s.expiredPartitions(ctx, ref, p)
		if err == nil && len(ids) > 0 {
			err = s.removePartitions(ctx, ref, p, ids)
		}
		if _, gone := s.catalog.table(ref); err != nil && gone == nil {
			return err
		}
	}
	return nil
}

// expiredPartitions are those whose boundary is longer ago than the table keeps them,
// and until when they count.
func (s *Server) expiredPartitions(ctx context.Context, ref tableRef, p *partitioning) (map[string]time.Time, error) {
	all, err := s.partitionIDs(ctx, ref, p)
	if err != nil {
		return nil, err
	}
	ids := map[string]time.Time{}
	for id := range all {
		end, ok := p.end(id)
		if end = end.Add(p.expiration); ok && !end.After(s.cfg.Now()) {
			ids[id] = end.Add(s.cfg.ExpiredPartitions)
		}
	}
	return ids, nil
}

func (s *Server) removePartitions(ctx context.Context, ref tableRef, p *partitioning, ids map[string]time.Time) error {
	release, err := s.lockIdle(ctx, []tableRef{ref})
	if err != nil {
		return err
	}
	defer release()
	var quoted []string
	for id := range ids {
		quoted = append(quoted, quote(id))
	}
	return s.store.transact(ctx, func(t *txn) error {
		t.onCommit(func() { s.partitions.expire(ref, ids) })
		_, err := t.exec(ctx, "DELETE FROM "+ref.physical()+" WHERE "+p.id(ident(p.column))+" IN ("+strings.Join(quoted, ", ")+")")
		return err
	})
}
