package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/operate"
)

// Admin is the consumer group for somebody who is no member of it: for operators' commands. It is safe for concurrent use.
type Admin struct {
	GroupOffsets
	topics []string
	admin  *kadm.Client
	marks  *starter
}

var _ operate.Group = (*Admin)(nil)

// NewAdmin connects to the brokers of a configuration, which is validated, for the topics that it exports. The caller must
// Close it.
func NewAdmin(cfg Config, topics []string, prefix string, marks Marks, log *slog.Logger) (*Admin, error) {
	opts, err := cfg.ConnectionOptions(log)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	admin := kadm.NewClient(client)
	return &Admin{
		GroupOffsets: GroupOffsets{Client: client, Group: cfg.Group}, topics: topics, admin: admin,
		marks: &starter{group: cfg.Group, prefix: prefix, admin: admin, marks: marks, log: log},
	}, nil
}

// Close closes the connections.
func (a *Admin) Close() { a.Client.Close() }

// Members implements operate.Group.
func (a *Admin) Members(ctx context.Context) ([]string, error) {
	groups, err := a.admin.DescribeGroups(ctx, a.Group)
	if err != nil {
		return nil, fmt.Errorf("describe group %s: %w", a.Group, err)
	}
	g := groups[a.Group]
	if errors.Is(g.Err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if g.Err != nil {
		return nil, fmt.Errorf("describe group %s: %w", a.Group, g.Err)
	}
	var members []string
	for _, m := range g.Members {
		members = append(members, m.ClientID+"@"+m.ClientHost)
	}
	return members, nil
}

// Partitions implements operate.Group.
func (a *Admin) Partitions(ctx context.Context) ([]batch.TopicPartition, error) {
	details, err := a.admin.ListTopics(ctx, a.topics...)
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	tps, _ := partitionsOf(details, a.topics)
	return tps, nil
}

// Bounds implements operate.Group.
func (a *Admin) Bounds(ctx context.Context, tps []batch.TopicPartition) (map[batch.TopicPartition]operate.Bounds, error) {
	starts, err := a.listed(ctx, tps, startEarliest)
	if err != nil {
		return nil, err
	}
	ends, err := a.listed(ctx, tps, startLatest)
	bounds := make(map[batch.TopicPartition]operate.Bounds, len(tps))
	for _, tp := range tps {
		bounds[tp] = operate.Bounds{Start: starts[tp], End: ends[tp]}
	}
	return bounds, err
}

// After implements operate.Group.
func (a *Admin) After(ctx context.Context, tps []batch.TopicPartition, at time.Time) (map[batch.TopicPartition]int64, error) {
	return a.listed(ctx, tps, at.UnixMilli())
}

// listed returns where partitions begin, end, or have the first record of an instant: start is as [starter.list] takes it.
func (a *Admin) listed(ctx context.Context, tps []batch.TopicPartition, start int64) (map[batch.TopicPartition]int64, error) {
	offsets := make(map[batch.TopicPartition]int64, len(tps))
	for topic, partitions := range byTopic(tps) {
		listed, err := a.marks.list(ctx, topic, start)
		if err != nil {
			return nil, err
		}
		for _, p := range partitions {
			tp := batch.TopicPartition{Topic: topic, Partition: p}
			offset, ok := listed[p]
			if !ok {
				return nil, fmt.Errorf("list offset of %s: %w", tp, errNotAnswered)
			}
			offsets[tp] = offset
		}
	}
	return offsets, nil
}

// Problems implements operate.Group.
func (a *Admin) Problems(ctx context.Context, offsets map[batch.TopicPartition]batch.GroupOffset) (map[batch.TopicPartition]error, error) {
	problems := make(map[batch.TopicPartition]error)
	for topic, of := range offsetsByTopic(offsets) {
		detail, err := a.marks.topic(ctx, topic)
		if err != nil {
			return nil, err
		}
		found, err := a.marks.partitionMarks(ctx, topic, detail.ID.String(), of)
		if err != nil {
			return nil, err
		}
		b := judgeMarks(topic, detail.ID.String(), found, of)
		for p, err := range b.stops {
			problems[batch.TopicPartition{Topic: topic, Partition: p}] = err
		}
	}
	return problems, nil
}

// Commit implements operate.Group. A commit of no member is accepted by Kafka only while the group has none.
func (a *Admin) Commit(ctx context.Context, commits []batch.Commit) error {
	ids := make(map[string]kadm.TopicID)
	for _, c := range commits {
		if _, known := ids[c.Topic]; known {
			continue
		}
		detail, err := a.marks.topic(ctx, c.Topic)
		if err != nil {
			return err
		}
		ids[c.Topic] = detail.ID
	}
	resp, err := commitRequest(a.Group, commits, ids).RequestWith(ctx, a.Client)
	if err == nil {
		err = checkReply(resp, commits)
	}
	if errors.Is(err, batch.ErrFenced) {
		return fmt.Errorf("group %s has members; want none: stop all replicas first: %w", a.Group, err)
	}
	if err != nil {
		return fmt.Errorf("commit offsets of group %s: %w", a.Group, err)
	}
	return nil
}

// Accept implements operate.Group.
func (a *Admin) Accept(ctx context.Context, tps []batch.TopicPartition) error {
	for topic, partitions := range byTopic(tps) {
		detail, err := a.marks.topic(ctx, topic)
		if err != nil {
			return err
		}
		if err := a.marks.accept(ctx, topic, detail.ID.String(), partitions); err != nil {
			return err
		}
	}
	return nil
}
