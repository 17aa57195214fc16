package consumer

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
)

// phase is where an assigned partition stands. Every assigned partition is in one of them, so that none is forgotten.
type phase uint8

const (
	pending   phase = iota // it is being taken over, again and again until it is
	taken                  // it was taken over; the poll loop starts to consume it next
	consuming              // it is fetched
	stopped                // it is not fetched, and a person has to do something
)

// partition is one assigned partition. Offsets from start on are in the stream's current batch; once a boundary has cut
// it, those from the cut on are in the next batch.
//
// Positions are offsets, not records: transaction markers move the position on and are no records.
type partition struct {
	stream  *stream
	phase   phase
	problem error       // why it is not consumed
	since   time.Time   // when it was assigned
	gone    atomic.Bool // no longer assigned; set before the driver releases the partition
	held    bool        // the driver has it

	start, pos int64
	epoch      int32 // leader epoch of the record before pos, -1 if it is not known
	records    int64 // consumed since start
	cut        *cut  // nil while no boundary has come

	// clock is an instant up to which the partition is complete at pos: every record that came to Kafka before it has a
	// lower offset. The timestamps of records have no part in it: producers' clocks may say anything.
	clock time.Time
	// first and last are ends that are not reached yet. Two are enough: while the position gets to the first one, the last
	// is replaced by newer ones.
	first, last end

	end     int64     // the newest high watermark, 0 while it is not known
	blocked time.Time // since when an open transaction keeps the next records from being read; zero if none does
	lagged  int64     // pos at the last look, if it was below the end then
}

// end says where a partition ended at an instant: every record that came before at has an offset below offset. Zero at is
// no end.
type end struct {
	at     time.Time
	offset int64
}

// cut is where a boundary divides a partition between two batches.
type cut struct {
	end
	reached bool
	records int64 // of the partition's, before the cut
	epoch   int32 // leader epoch of the record before it
}

// begin starts to consume a partition that the driver has taken over.
func (p *partition) begin(pos batch.Position) {
	p.phase, p.problem, p.held = taken, nil, true
	p.start, p.pos, p.epoch, p.clock = pos.Offset, pos.Offset, pos.Epoch, pos.Clock
}

// observe notes where the partition ended at an instant.
func (p *partition) observe(e end) {
	p.end = e.offset
	if p.first.at.IsZero() {
		p.first = e
	} else {
		p.last = e
	}
	p.reach()
}

// reach moves the clock on to the ends that the position has reached. The clock never goes back, though the wall clock may.
func (p *partition) reach() {
	for !p.first.at.IsZero() && p.first.offset <= p.pos {
		p.clock = latest(p.clock, p.first.at)
		p.first, p.last = p.last, end{}
	}
}

// cutAt divides the partition at a boundary. What was consumed already stays in the current batch.
func (p *partition) cutAt(e end) {
	p.cut = &cut{end: end{at: e.at, offset: max(e.offset, p.pos)}}
	if p.cut.offset == p.pos {
		p.cut.reached, p.cut.records, p.cut.epoch = true, p.records, p.epoch
	}
}

// split returns how many of the records belong to the current batch; the rest belong to the next.
func (p *partition) split(records []*kgo.Record) int {
	if p.cut == nil {
		return len(records)
	}
	n, _ := slices.BinarySearchFunc(records, p.cut.offset, func(r *kgo.Record, offset int64) int { return int(r.Offset - offset) })
	return n
}

// take notes that records were consumed, the first n of them for the current batch.
func (p *partition) take(records []*kgo.Record, n int) {
	p.advance(records[:n])
	if p.cut != nil && !p.cut.reached && (n < len(records) || p.pos >= p.cut.offset) {
		p.cut.reached, p.cut.records, p.cut.epoch = true, p.records, p.epoch
	}
	p.advance(records[n:])
	p.reach()
}

func (p *partition) advance(records []*kgo.Record) {
	if len(records) == 0 {
		return
	}
	p.records += int64(len(records) - markers(records))
	last := records[len(records)-1]
	p.pos, p.epoch = last.Offset+1, last.LeaderEpoch
}

// markers counts the transaction markers among records.
func markers(records []*kgo.Record) (n int) {
	for _, r := range records {
		if r.Attrs.IsControl() {
			n++
		}
	}
	return n
}

// data returns the records without transaction markers: the same slice if there are none, as nearly always.
func data(records []*kgo.Record) []*kgo.Record {
	if markers(records) == 0 {
		return records
	}
	return slices.DeleteFunc(slices.Clone(records), func(r *kgo.Record) bool { return r.Attrs.IsControl() })
}

// open says whether the partition has something in the current batch.
func (p *partition) open() bool {
	return p.pos > p.start && !(p.cut != nil && p.cut.reached && p.cut.offset == p.start)
}

// seal returns the partition's range in the current batch and moves on to the next.
func (p *partition) seal(tp batch.TopicPartition) batch.Range {
	r := batch.Range{TopicPartition: tp, Start: p.start, End: p.pos, Records: p.records, Clock: p.clock.UTC(), Epoch: p.epoch}
	if c := p.cut; c != nil && c.reached {
		r.End, r.Records, r.Epoch, r.Clock = c.offset, c.records, c.epoch, c.at.UTC()
	}
	p.start, p.cut, p.records = r.End, nil, p.records-r.Records
	return r
}

// latest returns the later of two instants.
func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// earliest returns the earlier of two instants, a zero one being none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
