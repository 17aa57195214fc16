package operate

import (
	"context"
	"errors"
	"time"

	"tidemark/batch"
)

// ErrRefused means that nothing was changed, because it would lose or double rows, or cannot be done as things are.
var ErrRefused = errors.New("refused")

// Group is a consumer group, for somebody who is no member of it.
type Group interface {
	batch.GroupOffsets
	// Members names the members that the group has.
	Members(ctx context.Context) ([]string, error)
	// Partitions returns the partitions of the exported topics, those that are there.
	Partitions(ctx context.Context) ([]batch.TopicPartition, error)
	// Bounds returns where partitions begin and end.
	Bounds(ctx context.Context, tps []batch.TopicPartition) (map[batch.TopicPartition]Bounds, error)
	// After returns the offsets of the first records with a timestamp of at or later; the partition's end if there is none.
	After(ctx context.Context, tps []batch.TopicPartition, at time.Time) (map[batch.TopicPartition]int64, error)
	// Problems says why a replica would not consume partitions, of those that it would not.
	Problems(ctx context.Context, offsets map[batch.TopicPartition]batch.GroupOffset) (map[batch.TopicPartition]error, error)
	// Commit sets offsets. Kafka refuses that while the group has members. An error means that not all are known to be set.
	Commit(ctx context.Context, commits []batch.Commit) error
	// Accept makes replicas consume partitions of a topic that was made again, from their committed offset on. It is safe to
	// repeat.
	Accept(ctx context.Context, tps []batch.TopicPartition) error
}

// Bounds are the first offset that a partition has and the one behind its last: [Start, End).
type Bounds struct{ Start, End int64 }

// Manifests are those of the batches.
type Manifests interface {
	batch.ManifestReader
	// Place says where a manifest is looked for.
	Place(id batch.ID) string
}

// Jobs are BigQuery's.
type Jobs interface {
	batch.Applier
	// Void uses up the next job ID of a table of a batch, so that nobody can apply it any more, unless a job runs or has
	// succeeded: the evidence says which. It is safe to repeat.
	Void(ctx context.Context, m *batch.Manifest, t *batch.Table) (batch.Evidence, error)
	// Traces lists the IDs of the jobs of a batch that this account has made, without a manifest to go by.
	Traces(ctx context.Context, id batch.ID) ([]string, error)
}

// Operator does what a person asks for.
type Operator struct {
	Name      string // of the group
	Group     Group
	Manifests Manifests
	Jobs      Jobs
	Tables    Tables
	// Say is told how far long work has come, a line each time.
	Say func(format string, args ...any)
}

// requireEmpty refuses while the group has members.
func (o *Operator) requireEmpty(ctx context.Context) error {
	members, err := o.Group.Members(ctx)
	if err != nil {
		return err
	}
	if len(members) > 0 {
		return refuse("group %s has %d members (%s); want none: stop all replicas first", o.Name, len(members), short(members))
	}
	return nil
}
