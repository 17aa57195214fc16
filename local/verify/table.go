package verify

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"cloud.google.com/go/bigquery"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/iterator"
)

const (
	// pageRows bounds a reply of the emulator; BigQuery itself stops at 10 MB.
	pageRows = 10_000
	// readers is how many partitions are queried at a time.
	readers = 4
)

// tableReader reads the table.
type tableReader struct {
	client *bigquery.Client
	name   string // quoted
	topic  string
}

// quotedTable checks and quotes a table's name.
func quotedTable(project, dataset, table string) (string, error) {
	allowed := regexp.MustCompile(`^[\pL\pN_.:-]+$`)
	for _, part := range []string{project, dataset, table} {
		if !allowed.MatchString(part) {
			return "", fmt.Errorf("verify: %q is no name of a project, dataset or table", part)
		}
	}
	return "`" + project + "." + dataset + "." + table + "`", nil
}

// fold adds all rows of the topic to the fold, one query per partition.
func (t *tableReader) fold(ctx context.Context, f *Fold) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for p := range f.partitions {
		group.Go(func() error {
			if err := t.foldPartition(ctx, f, int32(p)); err != nil {
				return fmt.Errorf("read rows of partition %d from %s: %w", p, t.name, err)
			}
			return nil
		})
	}
	var unplaced int64
	group.Go(func() (err error) {
		if unplaced, err = t.countUnplaced(ctx, len(f.partitions)); err != nil {
			return fmt.Errorf("count rows without partition in %s: %w", t.name, err)
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	f.Unplaced(unplaced)
	return nil
}

func (t *tableReader) foldPartition(ctx context.Context, f *Fold, partition int32) error {
	sql := fmt.Sprintf("SELECT `_kafka_offset`, `%s` FROM %s WHERE `_kafka_topic` = @topic AND `_kafka_partition` = %d AND `_kafka_offset` IS NOT NULL",
		strings.Join(f.columns.Names(), "`, `"), t.name, partition)
	it, err := t.query(ctx, sql)
	if err != nil {
		return err
	}
	it.PageInfo().MaxSize = pageRows
	for {
		var values []bigquery.Value
		err := it.Next(&values)
		if errors.Is(err, iterator.Done) {
			return nil
		}
		if err != nil {
			return err
		}
		offset, ok := values[0].(int64)
		if !ok {
			return fmt.Errorf("_kafka_offset is a %T; want an INT64 column", values[0])
		}
		f.Row(Row{Partition: partition, Offset: offset, Values: values[1:]})
	}
}

// countUnplaced counts the rows that no other query returns, except those of
// other topics.
func (t *tableReader) countUnplaced(ctx context.Context, partitions int) (int64, error) {
	it, err := t.query(ctx, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE `_kafka_topic` IS NULL OR `_kafka_topic` = @topic AND "+
		"(`_kafka_partition` IS NULL OR `_kafka_offset` IS NULL OR `_kafka_partition` < 0 OR `_kafka_partition` >= %d)", t.name, partitions))
	if err != nil {
		return 0, err
	}
	var values []bigquery.Value
	if err := it.Next(&values); err != nil {
		return 0, err
	}
	n, ok := values[0].(int64)
	if !ok {
		return 0, fmt.Errorf("COUNT(*) is a %T; want INT64", values[0])
	}
	return n, nil
}

func (t *tableReader) query(ctx context.Context, sql string) (*bigquery.RowIterator, error) {
	query := t.client.Query(sql)
	query.Parameters = []bigquery.QueryParameter{{Name: "topic", Value: t.topic}}
	return query.Read(ctx)
}
