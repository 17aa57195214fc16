package verify

import (
	"context"
	"errors"
	"fmt"

	"cloud.google.com/go/bigquery"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Options says what to compare.
type Options struct {
	// Brokers are host:port seeds, and Topic the topic.
	Brokers []string
	Topic   string

	// Client holds further options of the Kafka client (TLS, SASL).
	Client []kgo.Opt

	// BigQuery reads Project.Dataset.Table. Outside the US its Location must be
	// the dataset's.
	BigQuery                *bigquery.Client
	Project, Dataset, Table string

	// MaxBytes is the largest value that is accepted; 0 means any.
	MaxBytes int

	// Skip, if not nil, tells that an event is not meant for this table: another
	// team's, or filtered out. It is called concurrently.
	Skip func(team int64, event string) bool
}

// Verify reads topic and table and compares them. The topic's end is taken
// first: what is produced later is not looked at. Everything produced by then
// must have been committed by tidemark, or is reported as missing. A difference
// is not an error; an error says that no comparison was made.
func Verify(ctx context.Context, opts Options) (Report, error) {
	name, err := quotedTable(opts.Project, opts.Dataset, opts.Table)
	if err != nil {
		return Report{}, err
	}
	metadata, err := opts.BigQuery.DatasetInProject(opts.Project, opts.Dataset).Table(opts.Table).Metadata(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("verify: table %s: %w", name, err)
	}
	columns, err := NewColumns(metadata.Schema)
	if err != nil {
		return Report{}, fmt.Errorf("verify: table %s: %w", name, err)
	}
	topic, err := newTopicReader(opts)
	if err != nil {
		return Report{}, fmt.Errorf("verify: %w", err)
	}
	defer topic.client.Close()
	fold := NewFold(columns, opts.MaxBytes, opts.Skip)
	table := &tableReader{client: opts.BigQuery, name: name, topic: opts.Topic}
	if err := compare(ctx, fold, topic, table); err != nil {
		return Report{}, fmt.Errorf("verify: %w", err)
	}
	return fold.Report(), nil
}

// compare reads the topic, then the table, and asks for the topic's end again.
func compare(ctx context.Context, fold *Fold, topic *topicReader, table *tableReader) error {
	starts, ends, err := topic.ranges(ctx)
	if err != nil {
		return err
	}
	if len(starts) == 0 {
		return errors.New("topic has no partitions")
	}
	for p := range starts {
		fold.Range(starts[p], ends[p])
	}
	if err := topic.fold(ctx, fold, starts, ends); err != nil {
		return err
	}
	if err := table.fold(ctx, fold); err != nil {
		return err
	}
	_, latest, err := topic.ranges(ctx)
	if err != nil {
		return err
	}
	fold.settle(latest)
	return nil
}
