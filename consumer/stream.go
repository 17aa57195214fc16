package consumer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
)

// Stream is a set of topics whose records go out together: its batches have partitions of these topics only, and nothing
// that befalls one stream's topics or destination holds up another stream.
type Stream struct {
	Name   string // in manifests, logs and metrics
	Topics []string
	Period time.Duration // how often its batches are sealed
}

// stream is one stream in a session. s.mu of the session guards it.
type stream struct {
	Stream
	driver        *batch.Driver
	current, next *open
	cut           bool // the current batch's boundary has cut the partitions
	lastSeal      time.Time
	decided       func(context.Context) error // waits until the last batch sealed is decided
	full          bool                        // nothing is fetched, since no further batch may be sealed
}

// open is a batch that still takes records.
type open struct {
	id     batch.ID
	period batch.Period
	rows   Rows
	opened time.Time // with a monotonic reading
	oldest time.Time // what the flush lag is measured from
}

// append takes records in. since is an instant before which none of them came to Kafka. It stands for the age of the
// records rather than their own timestamps, one of which may be from 1970 and would look like a lag of decades.
func (b *open) append(ctx context.Context, work [][]*kgo.Record, since time.Time) error {
	b.oldest = earliest(b.oldest, since)
	return b.rows.Append(ctx, work)
}

// openBatch starts a batch of the stream for the period that contains now. s.mu is held.
func (s *Session) openBatch(ctx context.Context, st *stream, now time.Time) (*open, error) {
	id := batch.NewID(now)
	rows, err := s.buffers.Open(ctx, st.Name, id, id.Time())
	if err != nil {
		return nil, fmt.Errorf("open batch %s: %w", id, err)
	}
	return &open{id: id, period: batch.PeriodAt(now, st.Period), rows: rows, opened: now}, nil
}

// sealCurrent seals the stream's current batch and makes the next one current. s.mu is held.
func (s *Session) sealCurrent(st *stream, reason string, now time.Time) {
	b := st.current
	m := &batch.Manifest{
		ID: b.id, Group: s.cfg.Group, Stream: st.Name, Reason: reason, Period: b.period,
		SealedAt: now.UTC(), IngestedAt: b.id.Time(), Oldest: b.oldest.UTC(),
	}
	for _, tp := range s.sorted(st) {
		if p := s.partitions[tp]; p.open() {
			m.Ranges = append(m.Ranges, p.seal(tp))
		} else {
			p.cut = nil
		}
	}
	st.current, st.next, st.cut = st.next, nil, false
	st.lastSeal = now
	s.log.Debug("batch sealed", "stream", st.Name, "batch", m.ID, "reason", reason, "partitions", len(m.Ranges))
	if len(m.Ranges) > 0 {
		st.decided = st.driver.Seal(m, b.rows)
	} else { // a boundary has put everything into the next batch
		b.rows.Discard()
	}
	s.idle(st)
}

// sealAll seals everything that is open, of every stream in order. s.mu is held. The function returned waits until every
// batch sealed so far is decided: those of a stream are decided in order, so waiting for its last one is enough, also if it
// was sealed earlier.
func (s *Session) sealAll(reason string, now time.Time) (decided func(context.Context) error) {
	var waits []func(context.Context) error
	for _, st := range s.streams {
		for st.current != nil {
			s.sealCurrent(st, reason, now)
		}
		waits = append(waits, st.decided)
	}
	return func(ctx context.Context) error {
		for _, wait := range waits {
			if err := wait(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

// sealDue seals the current batch of the stream if its time has come, or if it is full. s.mu is held.
func (s *Session) sealDue(st *stream, now time.Time) {
	switch {
	case st.current == nil:
		if now.Sub(st.lastSeal) >= st.Period {
			st.lastSeal = now
			s.idle(st)
		}
	case st.current.rows.Full():
		s.sealCurrent(st, "size", now)
	case !now.Before(s.boundary(st).Add(s.cfg.FlushDelay)), s.overstays(st, now):
		s.sealCurrent(st, "boundary", now)
	}
}

// overstays says that the current batch has been open for longer than any period lasts: the wall clock was set back. The
// difference of two readings of this process is monotonic.
func (s *Session) overstays(st *stream, now time.Time) bool {
	return s.pacer.Spacing() == 0 && now.Sub(st.current.opened) > st.Period+s.cfg.FlushDelay
}

// boundary is the end of the period with which the current batch is sealed, a while after it: its own, or a later one if
// the day's load jobs would not last otherwise. The group shares the quota, and this replica's share is that of the
// partitions it has.
func (s *Session) boundary(st *stream) time.Time {
	end := st.current.period.End
	mine := len(s.sorted(st))
	if spacing := s.pacer.Spacing(); spacing > 0 && mine > 0 {
		all := 0
		for _, topic := range st.Topics {
			all += s.count[topic]
		}
		share := spacing * time.Duration(max(all, mine)) / time.Duration(mine)
		if paced := st.lastSeal.Add(share); paced.After(end) {
			return batch.PeriodAt(paced, st.Period).End
		}
	}
	return end
}

// idle moves the committed clocks of the stream's idle partitions on, for which no batch does it. s.mu is held.
func (s *Session) idle(st *stream) {
	clocks := make(map[batch.TopicPartition]batch.Complete)
	for tp, p := range s.partitions {
		if p.stream == st && p.phase == consuming && p.start == p.pos && !p.clock.IsZero() {
			clocks[tp] = batch.Complete{Offset: p.pos, Clock: p.clock}
		}
	}
	if len(clocks) > 0 {
		st.driver.Idle(clocks)
	}
}

// sorted returns the assigned partitions of a stream, or of all streams if it is nil. s.mu is held.
func (s *Session) sorted(st *stream) []batch.TopicPartition {
	tps := make([]batch.TopicPartition, 0, len(s.partitions))
	for tp, p := range s.partitions {
		if st == nil || p.stream == st {
			tps = append(tps, tp)
		}
	}
	slices.SortFunc(tps, batch.TopicPartition.Compare)
	return tps
}
