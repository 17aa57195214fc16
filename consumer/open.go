package consumer

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
)

// partition is where one held partition stands. Offsets from start on are in the current batch; once the partition's
// clock has passed the current period's end, those from cut on are in the next one.
type partition struct {
	start, pos  int64
	cut         int64 // -1 while the clock is in the current period
	records     int64 // consumed since start
	nextRecords int64 // of them, since cut
	clock       time.Time
	stopped     error // why it is no longer fetched
}

// open is a batch that still takes records.
type open struct {
	id     batch.ID
	period batch.Period
	rows   Rows
	opened time.Time // with a monotonic reading
	oldest time.Time // what the flush lag is measured from
}

// append takes records in. clock is the earliest clock of their partitions. It stands for the age of the records rather
// than their own timestamps, one of which may be from 1970 and would look like a lag of decades.
func (b *open) append(ctx context.Context, work [][]*kgo.Record, clock time.Time) error {
	b.oldest = earliest(b.oldest, clock)
	return b.rows.Append(ctx, work)
}

// earliest returns the earlier of two instants, a zero one being none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// cutAt returns the index of the first record that belongs to the next period: the one with which the partition's clock
// passes end, len(records) if none does. It moves the clock, which is the largest timestamp so far, never ahead of now (a
// record from 2030 must not hold the partition for years) and never back (now may jump).
func (p *partition) cutAt(records []*kgo.Record, end, now time.Time) int {
	index := len(records)
	for i, r := range records {
		t := r.Timestamp
		if t.After(now) {
			t = now
		}
		if t.After(p.clock) {
			p.clock = t
			if index == len(records) && !p.clock.Before(end) {
				index = i
			}
		}
	}
	return index
}

// take notes that records were consumed, the first n of them for the current period.
func (p *partition) take(records []*kgo.Record, n int) {
	if p.cut < 0 && n < len(records) {
		p.cut = records[n].Offset
	}
	p.records += int64(len(records))
	if p.cut >= 0 {
		p.nextRecords += int64(len(records) - n)
	}
	p.pos = records[len(records)-1].Offset + 1
}

// seal returns the partition's range in the current batch and moves on to the next.
func (p *partition) seal(tp batch.TopicPartition, periodEnd time.Time) batch.Range {
	r := batch.Range{TopicPartition: tp, Start: p.start, End: p.pos, Records: p.records, Clock: p.clock.UTC()}
	if p.cut >= 0 {
		r.End, r.Records, r.Clock = p.cut, p.records-p.nextRecords, periodEnd
	}
	p.start, p.cut, p.records, p.nextRecords = r.End, -1, p.records-r.Records, 0
	return r
}

// sealCurrent seals the current batch and makes the next one current. s.mu is held.
func (s *Session) sealCurrent(reason string, now time.Time) {
	b := s.current
	m := &batch.Manifest{
		Version: batch.ManifestVersion, ID: b.id, Group: s.cfg.Group, Reason: reason, Period: b.period,
		SealedAt: now.UTC(), IngestedAt: b.id.Time(), Oldest: b.oldest.UTC(),
	}
	for _, tp := range sortedPartitions(s.partitions) {
		p := s.partitions[tp]
		if p.stopped != nil && p.pos == p.start {
			continue // its clock stands still, and holds the watermark: see batch.Driver.Stop
		}
		m.Ranges = append(m.Ranges, p.seal(tp, b.period.End))
	}
	s.current, s.next = s.next, nil
	s.lastSeal = now
	s.log.Debug("batch sealed", "batch", m.ID, "reason", reason, "partitions", len(m.Ranges))
	s.decided = s.driver.Seal(m, b.rows)
}

// sealAll seals everything that is open, in order. s.mu is held. The function returned waits until every batch sealed
// so far is decided: they are decided in order, so waiting for the last one is enough, also if it was sealed earlier.
func (s *Session) sealAll(reason string, now time.Time) (decided func(context.Context) error) {
	for s.current != nil {
		s.sealCurrent(reason, now)
	}
	return s.decided
}

// sealDue seals the current batch if its time has come, or if it is full. s.mu is held.
func (s *Session) sealDue(now time.Time) {
	switch {
	case s.current == nil:
		if now.Sub(s.lastSeal) >= s.cfg.Period {
			s.lastSeal = now
			s.driver.Idle()
		}
	case s.current.rows.Full():
		s.sealCurrent("size", now)
	case !now.Before(s.dueAt()), s.overstays(now):
		s.sealCurrent("boundary", now)
	}
}

// overstays says that the current batch has been open for longer than any period lasts: the wall clock was set back. The
// difference of two readings of this process is monotonic.
func (s *Session) overstays(now time.Time) bool {
	return s.pacer.Spacing() == 0 && now.Sub(s.current.opened) > s.cfg.Period+s.cfg.FlushDelay
}

// dueAt is when the current batch is sealed: at its boundary, or later if the day's load jobs would not last otherwise.
// The group shares the quota, and this replica's share is that of the partitions it holds.
func (s *Session) dueAt() time.Time {
	due := s.current.period.End.Add(s.cfg.FlushDelay)
	if spacing := s.pacer.Spacing(); spacing > 0 && len(s.partitions) > 0 {
		share := spacing * time.Duration(max(s.topicPartitions, len(s.partitions))) / time.Duration(len(s.partitions))
		if paced := s.lastSeal.Add(share); paced.After(due) {
			return batch.PeriodAt(paced, s.cfg.Period).End.Add(s.cfg.FlushDelay)
		}
	}
	return due
}

// openBatch starts a batch for the period that contains now. s.mu is held.
func (s *Session) openBatch(ctx context.Context, now time.Time) (*open, error) {
	id := batch.NewID(now)
	rows, err := s.buffers.Open(ctx, id, id.Time())
	if err != nil {
		return nil, fmt.Errorf("open batch %s: %w", id, err)
	}
	return &open{id: id, period: batch.PeriodAt(now, s.cfg.Period), rows: rows, opened: now}, nil
}
