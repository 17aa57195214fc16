package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
)

const (
	// pollRecords bounds what one poll returns, and with it how long a rebalance waits for the records of a poll.
	pollRecords = 10_000
	// pollWait is how long a poll waits for records: the accuracy of a seal.
	pollWait = 250 * time.Millisecond
)

// poll fetches and appends until stop ends, then seals and waits until everything is decided.
func (s *Session) poll(ctx context.Context, stop context.Context) error {
	for stop.Err() == nil {
		if err := s.room(ctx, stop); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		wait, cancel := context.WithTimeout(stop, pollWait)
		fetches := s.client.PollRecords(wait, pollRecords)
		cancel()
		err := s.consume(ctx, fetches)
		s.client.AllowRebalance()
		if err != nil {
			return err
		}
	}
	return s.shutDown(ctx)
}

// room waits until more records may be fetched: the memory budget has room and the chain is not full. It goes on
// sealing meanwhile. Not polling is how fetching pauses: the client fetches nothing more while its fetched records are
// not taken, and goes on with its heartbeats.
func (s *Session) room(ctx, stop context.Context) error {
	for {
		wait, cancel := context.WithTimeout(stop, pollWait)
		err := s.buffers.Wait(wait)
		full := s.driver.Full()
		if err == nil && full {
			<-wait.Done()
		}
		cancel()
		s.metrics.paused(err != nil || full)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if stop.Err() != nil || err == nil && !full {
			return nil
		}
		s.mu.Lock()
		if !full {
			s.sealDue(time.Now())
		}
		s.publish(time.Now())
		s.mu.Unlock()
	}
}

// consume appends what a poll returned. No rebalance callback runs meanwhile.
func (s *Session) consume(ctx context.Context, fetches kgo.Fetches) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.sealDue(now)
	defer s.publish(now)
	var err error
	fetches.EachError(func(topic string, p int32, e error) {
		err = errors.Join(err, s.fetchFailed(batch.TopicPartition{Topic: topic, Partition: p}, e))
	})
	if err != nil || fetches.NumRecords() == 0 {
		return err
	}
	if s.current == nil {
		if s.current, err = s.openBatch(ctx, now); err != nil {
			return err
		}
	}
	var current, next [][]*kgo.Record
	var clock time.Time // the earliest of the partitions
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		p := s.partitions[batch.TopicPartition{Topic: f.Topic, Partition: f.Partition}]
		if len(f.Records) == 0 || p == nil || p.stopped != nil {
			return
		}
		n, e := s.split(p, f, now)
		current, next, err = append(current, f.Records[:n]), append(next, f.Records[n:]), errors.Join(err, e)
		clock = earliest(clock, p.clock)
	})
	if err != nil {
		return err
	}
	if err := s.current.append(ctx, current, clock); err != nil || total(next) == 0 {
		return err
	}
	if s.next == nil {
		if s.next, err = s.openBatch(ctx, now); err != nil {
			return err
		}
	}
	return s.next.append(ctx, next, clock)
}

// split advances a partition by its records and returns how many of them belong to the current batch; the rest belong to
// the next. s.mu is held.
func (s *Session) split(p *partition, f kgo.FetchTopicPartition, now time.Time) (n int, err error) {
	if first := f.Records[0].Offset; first < p.pos {
		return 0, fmt.Errorf("%s[%d]: fetched offset %d again, expected %d or later: %w", f.Topic, f.Partition, first, p.pos, batch.ErrRejoin)
	}
	n = p.cutAt(f.Records, s.current.period.End, now)
	if p.cut >= 0 {
		n = 0
	}
	p.take(f.Records, n)
	return n, nil
}

func total(work [][]*kgo.Record) (n int) {
	for _, records := range work {
		n += len(records)
	}
	return n
}

// fetchFailed handles an error of the Kafka client. An offset that is out of range, or a topic that is gone, stops the
// partition: where to go on is for a person to decide. The client has stopped fetching it by itself.
func (s *Session) fetchFailed(tp batch.TopicPartition, err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), kgo.IsRetryableBrokerErr(err):
		return nil
	case errors.Is(err, kgo.ErrClientClosed):
		return err
	}
	var group *kgo.ErrGroupSession
	if errors.As(err, &group) {
		return fmt.Errorf("%w: %w", err, batch.ErrRejoin)
	}
	s.stop(tp, err)
	return nil
}

// stop takes a partition out of use, loudly. s.mu is held.
func (s *Session) stop(tp batch.TopicPartition, err error) {
	p := s.partitions[tp]
	if p == nil {
		p = &partition{cut: -1}
		s.partitions[tp] = p
	}
	if p.stopped != nil {
		return
	}
	p.stopped = err
	s.driver.Stop(tp, p.clock)
	s.metrics.stopped(tp, true)
	s.log.Error("partition stopped: nothing more is read from it", "topic", tp.Topic, "partition", tp.Partition,
		"start", p.pos, "err", err, "hint", stopHint(err))
}

func sortedPartitions(m map[batch.TopicPartition]*partition) []batch.TopicPartition {
	tps := make([]batch.TopicPartition, 0, len(m))
	for tp := range m {
		tps = append(tps, tp)
	}
	slices.SortFunc(tps, batch.TopicPartition.Compare)
	return tps
}
