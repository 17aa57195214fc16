package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tidemark/batch"
)

const (
	// retryPending and retryPendingMax bound the pause before partitions that could not be taken over are tried again.
	retryPending, retryPendingMax = 100 * time.Millisecond, 10 * time.Second
	// retryStopped is the pause where a person has to do something first: it may have been done, with no restart.
	retryStopped = time.Minute
)

// ErrTruncated means that a partition ends before what was committed of it: after an unclean election, records that were
// consumed are gone and others will get their offsets.
var ErrTruncated = errors.New("the partition was truncated below what is committed")

// takeOvers takes over assigned partitions until ctx ends. Those that cannot be taken over yet are tried again by
// themselves; the others are consumed meanwhile.
func (s *Session) takeOvers(ctx context.Context) error {
	backoff := batch.Backoff{Min: retryPending, Max: retryPendingMax}
	for {
		timer := time.NewTimer(s.untilRetry(backoff.Next()))
		select {
		case <-ctx.Done():
		case <-s.arrived:
			backoff.Reset()
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, st := range s.streams {
			if err := s.takeOver(ctx, st, s.due(st)); err != nil {
				if ctx.Err() == nil {
					s.fail(err)
				}
				return err
			}
		}
	}
}

// untilRetry is the time until partitions are tried again: never, if none wait.
func (s *Session) untilRetry(wait time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	until := time.Duration(1<<63 - 1)
	for _, p := range s.partitions {
		switch {
		case p.phase == pending:
			return wait
		case p.phase == stopped && !p.held:
			until = retryStopped
		}
	}
	return until
}

// due returns the stream's partitions that are to be taken over.
func (s *Session) due(st *stream) map[batch.TopicPartition]*partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := make(map[batch.TopicPartition]*partition)
	for tp, p := range s.partitions {
		if p.stream == st && (p.phase == pending || p.phase == stopped && !p.held) {
			due[tp] = p
		}
	}
	return due
}

// takeOver takes over what it can of partitions of one stream: it completes their offsets, finishes other replicas' batches
// and finds out where to consume from. An error wraps [batch.ErrRejoin].
func (s *Session) takeOver(ctx context.Context, st *stream, due map[batch.TopicPartition]*partition) error {
	if len(due) == 0 {
		return nil
	}
	still := func(tp batch.TopicPartition) bool { return !due[tp].gone.Load() }
	positions := make(map[batch.TopicPartition]batch.Position, len(due))
	fail := func(tps []batch.TopicPartition, err error) {
		for _, tp := range tps {
			positions[tp] = batch.Position{Err: err}
		}
	}
	tps := slices.Collect(maps.Keys(due))
	offsets, err := s.starter.offsets.Fetch(ctx, tps)
	if err != nil {
		fail(tps, err)
		offsets = nil
	}
	for topic, of := range offsetsByTopic(offsets) {
		begun, err := s.begin(ctx, st, topic, of, still)
		if errors.Is(err, batch.ErrRejoin) {
			return err
		}
		for p, o := range of {
			tp := batch.TopicPartition{Topic: topic, Partition: p}
			if e := errors.Join(err, begun.stops[p]); e != nil {
				fail([]batch.TopicPartition{tp}, e)
				delete(offsets, tp)
			} else {
				offsets[tp] = o
			}
		}
	}
	assigned, err := st.driver.Assign(ctx, offsets, still)
	if err != nil {
		return err
	}
	for tp, pos := range assigned {
		positions[tp] = pos
	}
	s.checkEpochs(ctx, positions)
	s.tookOver(st, due, positions)
	return nil
}

// begin completes the offsets of a topic's partitions: those that the group has never consumed get the one they begin at,
// committed and marked. of is changed. An error concerns all of them.
func (s *Session) begin(ctx context.Context, st *stream, topic string, of map[int32]batch.GroupOffset, still func(batch.TopicPartition) bool) (begun, error) {
	b, err := s.starter.begin(ctx, topic, of)
	if err != nil {
		return b, err
	}
	s.mu.Lock()
	s.count[topic] = b.total
	s.mu.Unlock()
	done, err := st.driver.Begin(ctx, b.commits, still)
	if err != nil {
		return b, err
	}
	for _, c := range done {
		b.unmarked = append(b.unmarked, c.Partition)
	}
	return b, s.starter.mark(ctx, topic, b)
}

// checkEpochs finds partitions that were truncated: the leader epoch that was committed along with an offset ends before
// that offset now.
func (s *Session) checkEpochs(ctx context.Context, positions map[batch.TopicPartition]batch.Position) {
	var ask kadm.OffsetForLeaderEpochRequest
	for tp, pos := range positions {
		if pos.Err == nil && pos.Epoch >= 0 {
			ask.Add(tp.Topic, tp.Partition, pos.Epoch)
		}
	}
	if len(ask) == 0 {
		return
	}
	ends, err := s.starter.admin.OffsetForLeaderEpoch(ctx, ask)
	for tp, pos := range positions {
		if pos.Err != nil || pos.Epoch < 0 {
			continue
		}
		end, ok := ends[tp.Topic][tp.Partition]
		if !ok {
			end.Err = errNotAnswered
		}
		switch {
		case errors.Is(err, kerr.UnsupportedVersion), errors.Is(end.Err, kerr.UnknownLeaderEpoch), errors.Is(end.Err, kerr.FencedLeaderEpoch):
			continue // nothing is known
		case end.Err != nil:
			pos.Err = fmt.Errorf("ask where leader epoch %d of %s ends: %w", pos.Epoch, tp, errors.Join(err, end.Err))
		case end.EndOffset >= 0 && end.EndOffset < pos.Offset:
			pos.Err = fmt.Errorf("%s is committed to %d, and its leader epoch %d ends at %d: %w", tp, pos.Offset, pos.Epoch, end.EndOffset, ErrTruncated)
		}
		positions[tp] = pos
	}
}

// errNotAnswered is what a broker's reply leaves out.
var errNotAnswered = errors.New("not in Kafka's reply")

// tookOver notes what became of the partitions, those that are still assigned.
func (s *Session) tookOver(st *stream, due map[batch.TopicPartition]*partition, positions map[batch.TopicPartition]batch.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := 0
	problems := make(map[batch.TopicPartition]error)
	for tp, p := range due {
		pos, ok := positions[tp]
		switch {
		case s.partitions[tp] != p:
			continue // revoked meanwhile
		case !ok:
			pos.Err = errNotAnswered
		}
		if pos.Err == nil {
			p.begin(pos)
			s.metrics.stopped(tp, false)
			taken++
			continue
		}
		p.clock = latest(p.clock, pos.Clock)
		problems[tp] = pos.Err
		if errors.Is(pos.Err, ErrTruncated) {
			st.driver.Release([]batch.TopicPartition{tp})
		}
	}
	s.troubled(problems)
	s.metrics.assigned(s.partitions)
	if taken > 0 {
		s.log.Info("partitions taken over", "stream", st.Name, "partitions", taken, "assigned", len(s.partitions))
		signal(s.moved)
	}
	s.refresh(time.Now())
}

func offsetsByTopic(offsets map[batch.TopicPartition]batch.GroupOffset) map[string]map[int32]batch.GroupOffset {
	topics := make(map[string]map[int32]batch.GroupOffset)
	for tp, o := range offsets {
		put(topics, tp, o)
	}
	return topics
}

// put enters a partition's value into a map by topic.
func put[V any](topics map[string]map[int32]V, tp batch.TopicPartition, v V) {
	if topics[tp.Topic] == nil {
		topics[tp.Topic] = make(map[int32]V)
	}
	topics[tp.Topic][tp.Partition] = v
}
