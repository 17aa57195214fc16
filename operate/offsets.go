package operate

import (
	"context"
	"errors"
	"slices"
	"time"

	"tidemark/batch"
)

// Partition is where the group is on one partition.
type Partition struct {
	batch.TopicPartition
	Committed int64      `json:"committed"` // -1 if there is none
	Epoch     int32      `json:"leader_epoch"`
	Clock     time.Time  `json:"complete_through,omitzero"`
	Chain     []batch.ID `json:"chain"`
	Start     int64      `json:"start"` // first offset that Kafka has
	End       int64      `json:"end"`   // high watermark
	Behind    int64      `json:"behind"`
	// Problem is why a replica would not consume it.
	Problem string `json:"problem,omitempty"`
}

// Offsets returns where the group is: on all partitions, or on those of a topic, or on some of them.
func (o *Operator) Offsets(ctx context.Context, of Selection) ([]Partition, error) {
	tps, err := o.selected(ctx, of)
	if err != nil {
		return nil, err
	}
	is, err := o.situation(ctx, tps)
	if err != nil {
		return nil, err
	}
	list := make([]Partition, len(tps))
	for i, tp := range tps {
		list[i] = partition(tp, is.offsets[tp], is.bounds[tp], is.problems[tp])
	}
	return list, nil
}

// situation is what Kafka says of partitions.
type situation struct {
	offsets  map[batch.TopicPartition]batch.GroupOffset
	bounds   map[batch.TopicPartition]Bounds
	problems map[batch.TopicPartition]error
}

func (o *Operator) situation(ctx context.Context, tps []batch.TopicPartition) (is situation, err error) {
	if is.offsets, err = o.Group.Fetch(ctx, tps); err != nil {
		return is, err
	}
	if is.bounds, err = o.Group.Bounds(ctx, tps); err != nil {
		return is, err
	}
	is.problems, err = o.Group.Problems(ctx, is.offsets)
	return is, err
}

// errOutOfRange is the problem of an offset that Kafka no longer has.
var errOutOfRange = errors.New("the committed offset is out of range: Kafka has deleted records behind it, or the partition was truncated")

func partition(tp batch.TopicPartition, o batch.GroupOffset, b Bounds, problem error) Partition {
	p := Partition{TopicPartition: tp, Committed: o.Offset, Epoch: o.Epoch, Start: b.Start, End: b.End, Chain: []batch.ID{}}
	meta, err := batch.ParseMetadata(o.Metadata)
	p.Clock = meta.Clock
	for _, link := range meta.Chain {
		p.Chain = append(p.Chain, link.Batch)
	}
	if o.Offset >= 0 {
		p.Behind = max(0, b.End-o.Offset)
	}
	if problem == nil && o.Offset >= 0 && (o.Offset < b.Start || o.Offset > b.End) {
		problem = errOutOfRange
	}
	if problem = errors.Join(err, problem); problem != nil {
		p.Problem = problem.Error()
	}
	return p
}

// Selection is a set of partitions of one topic: all of it if there are no numbers, and of all topics if it has no name.
type Selection struct {
	Topic   string
	Numbers []int32
}

// selected finds the partitions.
func (o *Operator) selected(ctx context.Context, of Selection) ([]batch.TopicPartition, error) {
	all, err := o.Group.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, batch.TopicPartition.Compare)
	if of.Topic == "" {
		return all, nil
	}
	var tps []batch.TopicPartition
	var topics []string
	for _, tp := range all {
		if tp.Topic == of.Topic && (len(of.Numbers) == 0 || slices.Contains(of.Numbers, tp.Partition)) {
			tps = append(tps, tp)
		}
		if !slices.Contains(topics, tp.Topic) {
			topics = append(topics, tp.Topic)
		}
	}
	switch {
	case !slices.Contains(topics, of.Topic):
		return nil, refuse("topic %q is none of the exported ones that are there; want one of %s", of.Topic, short(topics))
	case len(of.Numbers) > 0 && len(tps) < len(of.Numbers):
		n := len(slices.DeleteFunc(all, func(tp batch.TopicPartition) bool { return tp.Topic != of.Topic }))
		return nil, refuse("topic %s has no partition of one of the numbers %v; want 0 to %d", of.Topic, of.Numbers, n-1)
	}
	return tps, nil
}
