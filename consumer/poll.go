package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
)

const (
	// pollRecords bounds what one poll returns, and with it how long a rebalance waits for the records of a poll.
	pollRecords = batch.JobPartitions * 3 / 4
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
		fetches := s.fetch(stop)
		refused, err := s.consume(ctx, fetches)
		s.letGo()
		s.client.AllowRebalance()
		if err != nil {
			return err
		}
		if refused && fetches.NumRecords() == 0 { // or the broker would be asked again at once
			batch.Pause(stop, pollWait)
		}
	}
	return s.shutDown(ctx)
}

// fetch waits for records, but not for long, and no longer than until partitions are taken over.
func (s *Session) fetch(stop context.Context) kgo.Fetches {
	wait, cancel := context.WithTimeout(stop, pollWait)
	defer cancel()
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-s.moved:
			cancel()
		case <-over:
		}
	}()
	return s.client.PollRecords(wait, pollRecords)
}

// letGo starts fetching the partitions that were taken over. It runs in the poll loop, between a poll and AllowRebalance,
// because the client wants no rebalance while offsets are set.
func (s *Session) letGo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	offsets := make(map[string]map[int32]kgo.EpochOffset)
	resume := make(map[string][]int32)
	for tp, p := range s.partitions {
		if p.phase != taken {
			continue
		}
		p.phase = consuming
		put(offsets, tp, kgo.EpochOffset{Epoch: p.epoch, Offset: p.pos})
		resume[tp.Topic] = append(resume[tp.Topic], tp.Partition)
	}
	if len(resume) > 0 {
		s.client.SetOffsets(offsets)
		s.client.ResumeFetchPartitions(resume)
		s.metrics.assigned(s.partitions)
	}
}

// room waits until more records may be fetched: the memory budget has room, and the chain of some stream is not full. It
// goes on sealing meanwhile. Not polling is how all fetching pauses: the client fetches nothing more while its fetched
// records are not taken, and goes on with its heartbeats. A stream that is full by itself has its topics paused, and the
// others go on.
func (s *Session) room(ctx, stop context.Context) error {
	for {
		wait, cancel := context.WithTimeout(stop, pollWait)
		err := s.buffers.Wait(wait)
		full := s.pauseFull()
		if err == nil && full {
			<-wait.Done()
		}
		cancel()
		s.metrics.paused(err != nil || full)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if stop.Err() != nil || err == nil && !full {
			return nil //nolint:nilerr // waiting was cut short because the round is over
		}
		s.mu.Lock()
		s.sealAllDue(time.Now())
		s.refresh(time.Now())
		s.mu.Unlock()
	}
}

// pauseFull pauses the topics of streams that may seal no further batch, and resumes those that may again. It says whether
// all are full.
func (s *Session) pauseFull() (all bool) {
	all = true
	for _, st := range s.streams {
		full := st.driver.Full()
		all = all && full
		if full == st.full {
			continue
		}
		st.full = full
		if full {
			s.client.PauseFetchTopics(st.Topics...)
		} else {
			s.client.ResumeFetchTopics(st.Topics...)
		}
		s.metrics.full(st.Name, full)
	}
	return all
}

// sealAllDue seals what is due of every stream that may seal. s.mu is held.
func (s *Session) sealAllDue(now time.Time) {
	for _, st := range s.streams {
		if !st.full {
			s.sealDue(st, now)
		}
	}
}

// consume appends what a poll returned. No rebalance callback runs meanwhile. refused says that Kafka refused something
// that may pass.
func (s *Session) consume(ctx context.Context, fetches kgo.Fetches) (refused bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.sealAllDue(now)
	defer s.refresh(now)
	if refused, err = s.fetchErrors(fetches); err != nil || fetches.NumRecords() == 0 {
		return refused, err
	}
	for _, st := range s.streams {
		if err := s.consumeStream(ctx, st, fetches, now); err != nil {
			return refused, err
		}
	}
	return refused, nil
}

// consumeStream appends the records of one stream. s.mu is held.
func (s *Session) consumeStream(ctx context.Context, st *stream, fetches kgo.Fetches, now time.Time) error {
	var current, next [][]*kgo.Record
	behind := false // something is behind a cut, if only transaction markers
	since := now    // an instant before which none of the records came to Kafka
	var err error
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		p := s.partitions[batch.TopicPartition{Topic: f.Topic, Partition: f.Partition}]
		if len(f.Records) == 0 || p == nil || p.stream != st || p.phase != consuming {
			return
		}
		if first := f.Records[0].Offset; first < p.pos {
			err = errors.Join(err, fmt.Errorf("%s[%d]: fetched offset %d again, expected %d or later: %w", f.Topic, f.Partition, first, p.pos, batch.ErrRejoin))
			return
		}
		if !p.clock.IsZero() {
			since = earliest(since, p.clock)
		}
		n := p.split(f.Records)
		p.take(f.Records, n)
		behind = behind || n < len(f.Records)
		current, next = append(current, data(f.Records[:n])), append(next, data(f.Records[n:]))
	})
	if err != nil || len(current) == 0 {
		return err
	}
	if st.current, err = s.appendTo(ctx, st, st.current, current, since, now); err != nil || !behind {
		return err
	}
	st.next, err = s.appendTo(ctx, st, st.next, next, since, now)
	return err
}

// appendTo appends records to a batch, which it opens if there is none yet. Transaction markers alone open one, too: their
// offsets go through the same steps as others. s.mu is held.
func (s *Session) appendTo(ctx context.Context, st *stream, b *open, work [][]*kgo.Record, since, now time.Time) (_ *open, err error) {
	if b == nil {
		if b, err = s.openBatch(ctx, st, now); err != nil {
			return nil, err
		}
	}
	return b, b.append(ctx, work, since)
}

// fetchErrors handles the errors of the Kafka client. What a person must decide stops the partition. Anything else, such as
// an ACL that is being changed, may pass: the client goes on fetching from the same offset. s.mu is held.
func (s *Session) fetchErrors(fetches kgo.Fetches) (refused bool, err error) {
	stops := make(map[batch.TopicPartition]error)
	fetches.EachError(func(topic string, partition int32, e error) {
		tp := batch.TopicPartition{Topic: topic, Partition: partition}
		p := s.partitions[tp]
		switch {
		case errors.Is(e, context.DeadlineExceeded), errors.Is(e, context.Canceled), kgo.IsRetryableBrokerErr(e):
		case errors.Is(e, kgo.ErrClientClosed):
			err = errors.Join(err, e)
		case topic == "": // about the whole membership
			err = errors.Join(err, joinError(e, &s.cfg), batch.ErrRejoin)
		case p != nil && p.phase == consuming && (needsPerson(e) || unreadable(e)):
			stops[tp] = fmt.Errorf("fetch %s from offset %d: %w", tp, p.pos, e)
		case p != nil && p.phase != consuming: // its take-over tells
		default: // partition -1 stands for all of the topic's, which have errors of their own if they cannot be fetched
			refused = true
			s.tellRefused(tp, e)
		}
	})
	s.troubled(stops)
	return refused, err
}

// tellRefused logs a fetch that is refused, now and then. s.mu is held.
func (s *Session) tellRefused(tp batch.TopicPartition, err error) {
	if s.mayTell(tp.Topic) {
		s.log.Warn("nothing fetched; trying again", "topic", tp.Topic, "partition", tp.Partition, "err", err, "hint", s.hint(tp, err))
	}
}
