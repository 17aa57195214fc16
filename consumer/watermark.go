package consumer

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"tidemark/batch"
)

// Watermark is how far a stream is complete, by what the group has committed.
type Watermark struct {
	// Through is an instant: every record that came to the stream's topics before it is committed. Zero if that is not
	// known: a partition has not been begun, or a newer tidemark wrote it, or Kafka does not tell.
	Through time.Time
	// Publish is true on one of the replicas, which is to tell others.
	Publish bool
}

// Watermarks returns the watermark of every stream: the earliest clock that is committed for any of its partitions, whoever
// has them. A partition of which everything is committed counts as now, at the moment its end was asked for.
//
// Nothing is known of a session that has ended. The ends are read before the offsets: what is committed later than an end was read can only be more.
func (s *Session) Watermarks(ctx context.Context) (map[string]Watermark, error) {
	<-s.built
	if s.ended.Err() != nil {
		return nil, nil //nolint:nilerr // another session follows
	}
	marks := make(map[string]Watermark, len(s.streams))
	for _, st := range s.streams {
		topics, err := s.starter.admin.ListTopics(ctx, st.Topics...)
		if err != nil {
			return nil, fmt.Errorf("describe topics of %s: %w", st.Name, err)
		}
		s.missing(topics)
		tps, whole := partitionsOf(topics, st.Topics)
		mark := Watermark{Publish: len(tps) > 0 && s.has(tps[0])}
		if whole {
			if mark.Through, err = s.through(ctx, tps); err != nil {
				return nil, err
			}
		}
		marks[st.Name] = mark
	}
	return marks, nil
}

// missing notes and tells which topics are not there, or not to be seen. Nobody is given their partitions, so nothing else
// would show it.
func (s *Session) missing(topics kadm.TopicDetails) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, detail := range topics {
		delete(s.absent, topic)
		if detail.Err != nil {
			s.absent[topic] = detail.Err
			s.tellRefused(batch.TopicPartition{Topic: topic, Partition: -1}, detail.Err)
		}
	}
}

// partitionsOf lists the partitions of the topics, in their order; whole is false if a topic is not there.
func partitionsOf(details kadm.TopicDetails, topics []string) (tps []batch.TopicPartition, whole bool) {
	whole = true
	for _, topic := range topics {
		whole = whole && details.Has(topic) && details[topic].Err == nil
		for _, p := range details[topic].Partitions.Sorted() {
			tps = append(tps, batch.TopicPartition{Topic: topic, Partition: p.Partition})
		}
	}
	return tps, whole
}

// has says whether a partition is assigned to this replica.
func (s *Session) has(tp batch.TopicPartition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.partitions[tp] != nil
}

// through returns the earliest instant up to which one of the partitions is committed, zero if that of one is not known.
func (s *Session) through(ctx context.Context, tps []batch.TopicPartition) (time.Time, error) {
	asked := time.Now()
	ends, err := listOffsets(ctx, s.client, tps, readUncommitted)
	if err != nil {
		return time.Time{}, err
	}
	offsets, err := s.starter.offsets.Fetch(ctx, tps)
	if err != nil {
		return time.Time{}, err
	}
	var through time.Time
	for _, tp := range tps {
		clock := committedThrough(offsets[tp], ends[tp], asked)
		if clock.IsZero() {
			return clock, nil
		}
		through = earliest(through, clock)
	}
	return through, nil
}

// committedThrough returns the instant up to which a partition is committed, given its end at the instant asked.
func committedThrough(o batch.GroupOffset, end int64, asked time.Time) time.Time {
	meta, err := batch.ParseMetadata(o.Metadata)
	switch {
	case o.Err != nil, o.Offset < 0, err != nil:
		return time.Time{}
	case o.Offset >= end:
		return asked
	}
	return meta.Clock
}
