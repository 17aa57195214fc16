package verify

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
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

// foldPartition has BigQuery hash the rows, and reads only those whose hash is not
// the message's: some texts differ and yet mean the same. Where BigQuery cannot
// hash, it reads all.
func (t *tableReader) foldPartition(ctx context.Context, f *Fold, partition int32) error {
	sum := f.columns.digestSQL()
	if sum == "" {
		return t.eachRow(ctx, f, partition, "", f.Row)
	}
	err := t.each(ctx, t.selectSQL(sum, partition), func(offset int64, values []bigquery.Value) error {
		bytes, ok := values[0].([]byte)
		if !ok {
			return fmt.Errorf("SHA256 is a %T; want BYTES", values[0])
		}
		f.summed(partition, offset, bytes)
		return nil
	})
	unequal := f.partitions[partition].unequal
	if err != nil || len(unequal) == 0 {
		return err
	}
	defer f.vanished(partition)
	return t.eachRow(ctx, f, partition, condition(unequal), f.values)
}

// listed is how many offsets a query names: BigQuery allows a text of 1 MB
// (docs.cloud.google.com/bigquery/quotas#query_jobs, 2026-08-22).
const listed = 10_000

// condition selects the offsets, or all where they are too many to be named.
func condition(offsets map[int64]bool) string {
	if len(offsets) > listed {
		return ""
	}
	var list []string
	for offset := range offsets {
		list = append(list, strconv.FormatInt(offset, 10))
	}
	return " AND `_kafka_offset` IN (" + strings.Join(list, ", ") + ")"
}

// selectSQL selects the offset and the values from the partition's rows.
func (t *tableReader) selectSQL(values string, partition int32) string {
	return fmt.Sprintf("SELECT `_kafka_offset`, %s FROM %s WHERE `_kafka_topic` = @topic AND `_kafka_partition` = %d AND `_kafka_offset` IS NOT NULL",
		values, t.name, partition)
}

// eachRow calls visit with the rows of the partition that meet the condition.
func (t *tableReader) eachRow(ctx context.Context, f *Fold, partition int32, condition string, visit func(Row)) error {
	names := "`" + strings.Join(f.columns.Names(), "`, `") + "`"
	return t.each(ctx, t.selectSQL(names, partition)+condition, func(offset int64, values []bigquery.Value) error {
		visit(Row{Partition: partition, Offset: offset, Values: values})
		return nil
	})
}

// each calls visit with every row that the query returns: an offset, and values.
func (t *tableReader) each(ctx context.Context, sql string, visit func(offset int64, values []bigquery.Value) error) error {
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
		if err := visit(offset, values[1:]); err != nil {
			return err
		}
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
