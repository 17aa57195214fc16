package verify

import (
	"context"
	"errors"
	"fmt"

	"cloud.google.com/go/bigquery"
	"github.com/twmb/franz-go/pkg/kgo"
)

// PersonsOptions says what to compare.
type PersonsOptions struct {
	// Brokers are host:port seeds, PersonTopic and MappingTopic the topics of
	// persons and of whose a distinct ID is.
	Brokers                   []string
	PersonTopic, MappingTopic string

	// Client holds further options of the Kafka client (TLS, SASL).
	Client []kgo.Opt

	// BigQuery reads Project.Dataset.Table. Outside the US its Location must be
	// the dataset's.
	BigQuery                *bigquery.Client
	Project, Dataset, Table string

	// MaxBytes is the largest value that is accepted; 0 means any.
	MaxBytes int

	// Deletes is what becomes of rows that are deleted; empty means DeletesMark.
	Deletes Deletes

	// Skip, if not nil, tells that a team's rows are not meant for this table.
	Skip func(team int64) bool
}

// Persons reads both topics and the table of persons, and compares them. The
// topics' ends are taken first; everything produced by then must have arrived in
// the table. Unlike events, rows do not say what they were made of: a message that
// is produced during the verification may make a row differ, and the report
// counts such messages. A difference is not an error; an error says that no
// comparison was made.
func Persons(ctx context.Context, opts PersonsOptions) (PersonsReport, error) {
	if d := opts.Deletes; d != "" && d != DeletesMark && d != DeletesRemove {
		return PersonsReport{}, fmt.Errorf("verify: deletes is %q; want %q or %q", d, DeletesMark, DeletesRemove)
	}
	if _, _, err := describePersons(ctx, opts); err != nil { // before an hour of reading
		return PersonsReport{}, err
	}
	topics, err := foldPersons(ctx, opts)
	if err != nil {
		return PersonsReport{}, fmt.Errorf("verify: %w", err)
	}
	report, err := topics.fold.Compare(ctx, opts)
	if err != nil {
		return report, err
	}
	if report.Newer, err = topics.newer(ctx, opts); err != nil {
		return PersonsReport{}, fmt.Errorf("verify: %w", err)
	}
	return report, nil
}

// Compare compares the table with what has been added so far. Of opts it looks at
// BigQuery and what the table is, at Deletes and Skip. As with Persons, a
// difference is not an error.
func (f *PersonsFold) Compare(ctx context.Context, opts PersonsOptions) (PersonsReport, error) {
	name, columns, err := describePersons(ctx, opts)
	if err != nil {
		return PersonsReport{}, err
	}
	wanted := f.Rows(opts.Deletes)
	for key := range wanted {
		if opts.Skip != nil && opts.Skip(key.Team) {
			delete(wanted, key)
		}
	}
	c := newPersonComparison(columns, wanted)
	if err := readPersons(ctx, opts.BigQuery, name, c); err != nil {
		return PersonsReport{}, fmt.Errorf("verify: read rows from %s: %w", name, err)
	}
	report := c.sum()
	report.Rejected, report.Conflicting = f.Rejected(), f.Conflicting()
	return report, nil
}

// describePersons returns the table's name in SQL and what to check of it.
func describePersons(ctx context.Context, opts PersonsOptions) (name string, columns personColumns, err error) {
	if name, err = quotedTable(opts.Project, opts.Dataset, opts.Table); err != nil {
		return name, columns, err
	}
	metadata, err := opts.BigQuery.DatasetInProject(opts.Project, opts.Dataset).Table(opts.Table).Metadata(ctx)
	if err == nil {
		columns, err = newPersonColumns(metadata.Schema)
	}
	if err != nil {
		err = fmt.Errorf("verify: table %s: %w", name, err)
	}
	return name, columns, err
}

// personTopics are both topics, as far as they have been read.
type personTopics struct {
	fold *PersonsFold
	ends map[string][]int64
}

// foldPersons reads both topics.
func foldPersons(ctx context.Context, opts PersonsOptions) (personTopics, error) {
	topics := personTopics{NewPersonsFold(), map[string][]int64{}}
	for topic, add := range map[string]func([]byte) bool{opts.PersonTopic: topics.fold.AddPerson, opts.MappingTopic: topics.fold.AddMapping} {
		err := withTopic(opts, topic, func(reader *topicReader) error {
			starts, ends, err := reader.ranges(ctx)
			if err != nil {
				return err
			}
			if len(starts) == 0 {
				return errors.New("topic " + topic + " has no partitions")
			}
			topics.ends[topic] = ends
			return reader.each(ctx, starts, ends, func(r *kgo.Record) {
				if opts.MaxBytes > 0 && len(r.Value) > opts.MaxBytes {
					topics.fold.reject()
					return
				}
				add(r.Value)
			})
		})
		if err != nil {
			return topics, err
		}
	}
	return topics, nil
}

// newer counts the messages behind the ends that were read.
func (t personTopics) newer(ctx context.Context, opts PersonsOptions) (n int64, err error) {
	for topic, before := range t.ends {
		err := withTopic(opts, topic, func(reader *topicReader) error {
			_, ends, err := reader.ranges(ctx)
			for p := range min(len(before), len(ends)) {
				n += ends[p] - before[p]
			}
			return err
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// withTopic connects for the time of a call.
func withTopic(opts PersonsOptions, topic string, call func(*topicReader) error) error {
	reader, err := newTopicReader(Options{Brokers: opts.Brokers, Topic: topic, Client: opts.Client})
	if err != nil {
		return err
	}
	defer reader.client.Close()
	return call(reader)
}
