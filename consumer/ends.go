package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/batch"
)

const (
	// lookEvery is how often the ends of the partitions are looked at: how far the clocks lag behind.
	lookEvery = time.Second
	// lookTimeout bounds one look.
	lookTimeout = 10 * time.Second
	// readUncommitted asks for high watermarks, readCommitted for the offsets that open transactions do not hold up.
	readUncommitted, readCommitted int8 = 0, 1
)

// watchEnds looks at where the partitions end, about once a second and right after every boundary, until ctx ends. What it
// sees moves their clocks on and divides them between periods. Not seeing anything is harmless: clocks stand still.
func (s *Session) watchEnds(ctx context.Context) error {
	for batch.Pause(ctx, s.untilLook(time.Now())) {
		if err := s.lookAtEnds(ctx); err != nil && ctx.Err() == nil {
			s.warnSometimes("ends of partitions not read; the watermark stands still", "err", err)
		}
	}
	return ctx.Err()
}

// untilLook is the time until the next look.
func (s *Session) untilLook(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := lookEvery
	for _, st := range s.streams {
		wait = min(wait, st.Period/4)
		if st.current == nil || st.cut {
			continue
		}
		if until := s.boundary(st).Sub(now); until > 0 {
			wait = min(wait, until)
		}
	}
	return wait
}

func (s *Session) lookAtEnds(ctx context.Context) error {
	s.mu.Lock()
	var tps []batch.TopicPartition
	for tp, p := range s.partitions {
		if p.phase == consuming {
			tps = append(tps, tp)
		}
	}
	s.mu.Unlock()
	if len(tps) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	asked := time.Now()
	ends, err := listOffsets(ctx, s.client, tps, readUncommitted)
	lagging := s.observe(asked, ends)
	if len(lagging) == 0 {
		return err
	}
	stable, e := listOffsets(ctx, s.client, lagging, readCommitted)
	s.blocked(asked, stable)
	return errors.Join(err, e)
}

// observe notes the ends. It returns the partitions that have more, of which nothing has come since the last look.
func (s *Session) observe(asked time.Time, ends map[batch.TopicPartition]int64) (lagging []batch.TopicPartition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for tp, offset := range ends {
		p := s.partitions[tp]
		if p == nil || p.phase != consuming {
			continue
		}
		p.observe(end{asked, offset})
		if p.pos < offset && p.lagged == p.pos {
			lagging = append(lagging, tp)
		} else {
			p.blocked = time.Time{}
		}
		p.lagged = p.pos
	}
	for _, st := range s.streams {
		if st.current != nil && !st.cut && !asked.Before(s.boundary(st)) {
			s.cutStream(st, asked, ends)
		}
	}
	s.tellBlocked()
	return lagging
}

// cutStream divides the stream's partitions at a boundary that has passed when the ends were asked for: "before the
// boundary" is what had come to Kafka by then. s.mu is held.
func (s *Session) cutStream(st *stream, asked time.Time, ends map[batch.TopicPartition]int64) {
	st.cut = true
	for tp, p := range s.partitions {
		if offset, ok := ends[tp]; ok && p.stream == st && p.phase == consuming {
			p.cutAt(end{asked, offset})
		}
	}
}

// blocked notes which of the partitions an open transaction holds up: Kafka gives out nothing from there on.
func (s *Session) blocked(asked time.Time, stable map[batch.TopicPartition]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for tp, offset := range stable {
		p := s.partitions[tp]
		switch {
		case p == nil:
		case offset > p.pos:
			p.blocked = time.Time{}
		case p.blocked.IsZero():
			p.blocked = asked
		}
	}
	s.tellBlocked()
}

// tellBlocked updates the metric of partitions that open transactions hold up. s.mu is held.
func (s *Session) tellBlocked() {
	now := time.Now()
	for tp, p := range s.partitions {
		s.metrics.blocked(tp, p.blocked, now)
	}
}

// listOffsets returns the partitions' ends, of those it gets to know; the error tells of the others.
func listOffsets(ctx context.Context, client *kgo.Client, tps []batch.TopicPartition, isolation int8) (map[batch.TopicPartition]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, isolation
	for topic, partitions := range byTopic(tps) {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for _, partition := range partitions {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp = partition, -1
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	found := make(map[batch.TopicPartition]int64, len(tps))
	refused := make(map[error][]batch.TopicPartition) // by cause: a broker that starts refuses all of its partitions at once
	var errs []error
	for _, shard := range client.RequestSharded(ctx, req) {
		if shard.Err != nil {
			errs = append(errs, fmt.Errorf("list end offsets: %w", shard.Err))
			continue
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				tp := batch.TopicPartition{Topic: t.Topic, Partition: p.Partition}
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					refused[err] = append(refused[err], tp)
				} else {
					found[tp] = p.Offset
				}
			}
		}
	}
	for err, tps := range refused {
		errs = append(errs, fmt.Errorf("end offsets of %d partitions, %s among them: %w", len(tps), tps[0], err))
	}
	return found, errors.Join(errs...)
}

// byTopic gathers the partitions of each topic.
func byTopic(tps []batch.TopicPartition) map[string][]int32 {
	topics := make(map[string][]int32)
	for _, tp := range tps {
		topics[tp.Topic] = append(topics[tp.Topic], tp.Partition)
	}
	return topics
}
