package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/batch"
)

// GroupOffsets are the committed offsets of a consumer group, for whoever may read them.
type GroupOffsets struct {
	Client *kgo.Client
	Group  string
}

var _ batch.GroupOffsets = GroupOffsets{}

// Fetch implements batch.GroupOffsets. It names the partitions it asks for: of a request for all of the group's Kafka
// leaves out topics that the user may not read, and their offsets would look gone.
func (g GroupOffsets) Fetch(ctx context.Context, tps []batch.TopicPartition) (map[batch.TopicPartition]batch.GroupOffset, error) {
	got := make(map[batch.TopicPartition]batch.GroupOffset, len(tps))
	if len(tps) == 0 {
		return got, nil
	}
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true // an offset in an open transaction may still be taken back
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = g.Group
	for topic, partitions := range byTopic(tps) {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.Partitions = topic, partitions
		group.Topics = append(group.Topics, t)
	}
	req.Groups = append(req.Groups, group)
	resp, err := req.RequestWith(ctx, g.Client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err == nil && len(resp.Groups) == 1 {
		err = kerr.ErrorForCode(resp.Groups[0].ErrorCode)
	}
	if err != nil {
		return nil, fmt.Errorf("fetch offsets of group %s: %w", g.Group, err)
	}
	for _, answered := range resp.Groups {
		for _, t := range answered.Topics {
			for _, p := range t.Partitions {
				got[batch.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = groupOffset(p)
			}
		}
	}
	return got, g.unanswered(ctx, tps, got)
}

// unanswered completes what a reply leaves out: partitions of topics that are not there, which have no ID to ask for, and no
// offsets.
func (g GroupOffsets) unanswered(ctx context.Context, tps []batch.TopicPartition, got map[batch.TopicPartition]batch.GroupOffset) error {
	var out []batch.TopicPartition
	for _, tp := range tps {
		if _, answered := got[tp]; !answered {
			out = append(out, tp)
		}
	}
	if len(out) == 0 {
		return nil
	}
	topics, err := kadm.NewClient(g.Client).ListTopics(ctx, slices.Collect(maps.Keys(byTopic(out)))...)
	if err != nil {
		return fmt.Errorf("describe topics: %w", err)
	}
	for _, tp := range out {
		got[tp] = batch.GroupOffset{Err: fmt.Errorf("offset of group %s, %s: %w", g.Group, tp, errNotAnswered)}
		if errors.Is(topics[tp.Topic].Err, kerr.UnknownTopicOrPartition) {
			got[tp] = none
		}
	}
	return nil
}

// none is the offset of a partition that the group has none of.
var none = batch.GroupOffset{Offset: -1, Epoch: -1} //nolint:gochecknoglobals // a constant

func groupOffset(p kmsg.OffsetFetchResponseGroupTopicPartition) batch.GroupOffset {
	err := kerr.ErrorForCode(p.ErrorCode)
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		return none // a topic that is not there has no offsets
	case err != nil:
		return batch.GroupOffset{Err: fmt.Errorf("fetch committed offset: %w", err)}
	}
	o := batch.GroupOffset{Offset: p.Offset, Epoch: p.LeaderEpoch}
	if p.Metadata != nil {
		o.Metadata = *p.Metadata
	}
	return o
}

// MaxCommit asks the broker how many bytes the entries of one offset commit may take: the largest record batch of the topic
// that group coordinators keep offsets in. A user who may not ask gets Kafka's default.
func (g GroupOffsets) MaxCommit(ctx context.Context) int {
	const topic, key = "__consumer_offsets", "max.message.bytes"
	configs, err := kadm.NewClient(g.Client).DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return batch.DefaultMaxCommit
	}
	for _, c := range configs {
		for _, entry := range c.Configs {
			var n int
			if _, err := fmt.Sscan(entry.MaybeValue(), &n); entry.Key == key && err == nil && n > 0 {
				return n
			}
		}
	}
	return batch.DefaultMaxCommit
}
