package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
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
		if s.refused { // or the broker would be asked again at once
			batch.Pause(stop, pollWait)
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
		s.refresh(time.Now())
		s.mu.Unlock()
	}
}

// consume appends what a poll returned. No rebalance callback runs meanwhile.
func (s *Session) consume(ctx context.Context, fetches kgo.Fetches) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.refused = false
	s.sealDue(now)
	defer s.refresh(now)
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

// fetchFailed handles an error of the Kafka client. What a person must decide stops the partition. Anything else, such as
// an ACL that is being changed, may pass: the client goes on fetching from the same offset. s.mu is held.
func (s *Session) fetchFailed(tp batch.TopicPartition, err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), kgo.IsRetryableBrokerErr(err):
		return nil
	case errors.Is(err, kgo.ErrClientClosed):
		return err
	}
	switch {
	case tp.Topic == "": // about the whole membership
		return fmt.Errorf("%w: %w", err, batch.ErrRejoin)
	case tp.Partition >= 0 && isFinal(err):
		s.stop(tp, err)
		return nil
	}
	s.refused = true // partition -1 stands for all of the topic's, which have errors of their own if they cannot be fetched
	if now := time.Now(); now.Sub(s.warned) >= warnEvery {
		s.warned = now
		s.log.Warn("nothing fetched; trying again", "topic", tp.Topic, "partition", tp.Partition, "err", err)
	}
	return nil
}

// warnEvery bounds how often a fetch that is refused again and again is told of.
const warnEvery = time.Minute

// isFinal says whether fetching a partition fails until a person has decided something: where to go on, what becomes of a
// topic that was deleted or re-created, or of records that cannot be read.
func isFinal(err error) bool {
	for _, final := range []error{kerr.OffsetOutOfRange, kerr.UnknownTopicID, kerr.InconsistentTopicID, kerr.UnknownTopicOrPartition, kerr.CorruptMessage} {
		if errors.Is(err, final) {
			return true
		}
	}
	var loss *kgo.ErrDataLoss
	var kafka *kerr.Error
	return errors.As(err, &loss) || !errors.As(err, &kafka) // not Kafka's word: a batch that cannot be decoded
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
		"next", p.pos, "err", err, "hint", stopHint(err))
}

func sortedPartitions(m map[batch.TopicPartition]*partition) []batch.TopicPartition {
	tps := make([]batch.TopicPartition, 0, len(m))
	for tp := range m {
		tps = append(tps, tp)
	}
	slices.SortFunc(tps, batch.TopicPartition.Compare)
	return tps
}
