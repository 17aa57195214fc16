package verify

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
)

// state is what has been learned about an offset.
type state uint8

const (
	stateGap      state = iota // no message: compacted, or a transaction marker
	stateRejected              // must be refused
	stateSkipped               // excluded by Options.Skip
	stateEvent
)

// entry is what is kept of a message.
type entry struct {
	uuid   uuid.UUID
	key    key
	digest digest
	state  state
	rows   uint8 // at this offset, saturating
}

// partition is a range of offsets with its findings.
type partition struct {
	number  int32
	start   int64
	entries []entry
	beyond  []int64        // offsets of rows behind the range
	unequal map[int64]bool // offsets of rows whose sum differs, and whether their values were compared
	report  Report         // of the rows
	first   finding
}

// finding is something wrong at an offset.
type finding struct {
	offset int64
	text   string
}

// note keeps the finding with the lowest offset.
func (p *partition) note(offset int64, format string, args ...any) {
	if p.first.text == "" || offset < p.first.offset {
		p.first = finding{offset, fmt.Sprintf("partition %d offset %d: ", p.number, offset) + fmt.Sprintf(format, args...)}
	}
}

// Fold compares messages with rows. First come all Ranges, then all messages,
// then all rows, then the Report. Messages may be added concurrently, each
// offset once; rows concurrently for different partitions.
type Fold struct {
	columns    Columns
	maxBytes   int
	skip       func(team int64, event string) bool
	partitions []*partition // by number
	unplaced   int64        // rows that do not say where they came from
}

// NewFold returns a fold of events up to maxBytes (0 means no limit). skip, which
// may be nil, tells whether an event is not meant for the table.
func NewFold(columns Columns, maxBytes int, skip func(team int64, event string) bool) *Fold {
	if maxBytes == 0 {
		maxBytes = math.MaxInt
	}
	return &Fold{columns: columns, maxBytes: maxBytes, skip: skip}
}

// Range announces the messages [start, end) of the next partition, from 0 on.
func (f *Fold) Range(start, end int64) {
	f.partitions = append(f.partitions, &partition{
		number: int32(len(f.partitions)), start: start, entries: make([]entry, max(end-start, 0)), unequal: map[int64]bool{},
	})
}

// Message adds the message at an offset of an announced range.
func (f *Fold) Message(partition int32, offset int64, at time.Time, value []byte) {
	p := f.partitions[partition]
	e := &p.entries[offset-p.start]
	id, values, err := f.columns.decode(value, at, f.maxBytes)
	if err != nil {
		e.state = stateRejected
		return
	}
	e.uuid, e.key = id.uuid, id.key()
	if f.skip != nil && f.skip(id.team, values[colEvent].text) {
		e.state = stateSkipped
		return
	}
	e.state, e.digest = stateEvent, f.columns.digest(&values)
}

// Row adds a row of the table.
func (f *Fold) Row(row Row) {
	if p, e := f.place(row.Partition, row.Offset); e != nil {
		f.compare(p, e, row)
	}
}

// summed adds a row of which only the sum is known. If it is not the message's,
// the row's offset is among unequal, and its values are still to be compared.
func (f *Fold) summed(partition int32, offset int64, sum []byte) {
	if p, e := f.place(partition, offset); e != nil && !bytes.HasPrefix(sum, e.digest.sum[:]) {
		p.unequal[offset] = false
	}
}

// values compares a row that summed has added. It passes over those that it has
// found equal.
func (f *Fold) values(row Row) {
	p := f.partitions[row.Partition]
	if _, wanted := p.unequal[row.Offset]; wanted {
		p.unequal[row.Offset] = true
		f.compare(p, &p.entries[row.Offset-p.start], row)
	}
}

// vanished reports rows that differed and were not there any more to be compared.
func (f *Fold) vanished(partition int32) {
	p := f.partitions[partition]
	for offset, compared := range p.unequal {
		if !compared {
			p.report.Different++
			p.note(offset, "row differs, and was gone when it was read again")
		}
	}
}

// place counts a row, and returns the message that it is to be compared with; none
// if where it comes from is fault enough.
func (f *Fold) place(number int32, offset int64) (*partition, *entry) {
	if number < 0 || int(number) >= len(f.partitions) {
		f.Unplaced(1)
		return nil, nil
	}
	p := f.partitions[number]
	p.report.Events++
	index := offset - p.start
	switch {
	case offset < 0:
		p.report.Extra++
		p.note(offset, "row without a message")
		return nil, nil
	case index < 0:
		p.report.Expired++
		return nil, nil
	case index >= int64(len(p.entries)):
		p.beyond = append(p.beyond, offset)
		return nil, nil
	}
	e := &p.entries[index]
	e.rows = min(e.rows, math.MaxUint8-1) + 1
	switch e.state {
	case stateEvent:
	case stateGap:
		p.report.Extra++
		p.note(offset, "row without a message")
		return nil, nil
	default:
		p.report.Extra++
		p.note(offset, "row of a message that does not belong in the table")
		return nil, nil
	}
	if e.rows > 1 {
		p.report.Duplicated++
		p.note(offset, "uuid %s: row %d of one message", e.uuid, e.rows)
	}
	return p, e
}

// compare checks a row's values against those of the message at its offset.
func (f *Fold) compare(p *partition, e *entry, row Row) {
	values := f.columns.cells(row.Values)
	if d := f.columns.digest(&values); d != e.digest {
		p.report.Different++
		p.note(row.Offset, "uuid %s: %s differs", e.uuid, f.columns.differing(d, e.digest))
	}
}

// settle takes the topic's ends as of after the table was read, and tells rows
// behind the ranges that are newer from those that no message explains.
func (f *Fold) settle(ends []int64) {
	for i, p := range f.partitions {
		var unexplained []int64
		for _, offset := range p.beyond {
			if offset < ends[i] {
				p.report.Newer++
			} else {
				unexplained = append(unexplained, offset)
			}
		}
		p.beyond = unexplained
	}
}

// Unplaced adds rows that name no partition of the topic.
func (f *Fold) Unplaced(rows int64) { f.unplaced += rows }

// Report sums up. It is called once, when everything has been added.
func (f *Fold) Report() Report {
	total := Report{Events: f.unplaced, Extra: f.unplaced}
	f.findMissing(&total)
	for _, p := range f.partitions {
		for _, offset := range p.beyond {
			p.report.Extra++
			p.note(offset, "row beyond the topic")
		}
		for i := range p.entries {
			switch p.entries[i].state {
			case stateRejected:
				total.Rejected++
			case stateSkipped:
				total.Skipped++
			case stateGap, stateEvent:
			}
		}
		total.Events += p.report.Events
		total.Duplicated += p.report.Duplicated
		total.Different += p.report.Different
		total.Extra += p.report.Extra
		total.Expired += p.report.Expired
		total.Newer += p.report.Newer
		if total.FirstDifference == "" {
			total.FirstDifference = p.first.text
		}
	}
	if total.FirstDifference == "" && f.unplaced > 0 {
		total.FirstDifference = fmt.Sprintf("%d rows name no partition or offset of the topic", f.unplaced)
	}
	return total
}

// findMissing tells messages without a row that were dropped as repeats from
// those that are lost. An event sent twice and lost twice is one missing event.
func (f *Fold) findMissing(total *Report) {
	present := map[key]bool{} // of events with a message that has no row
	f.each(func(_ *partition, _ int64, e *entry) {
		if e.state == stateEvent && e.rows == 0 {
			present[e.key] = false
		}
	})
	f.each(func(_ *partition, _ int64, e *entry) {
		if _, wanted := present[e.key]; wanted && e.state == stateEvent && e.rows > 0 {
			present[e.key] = true
		}
	})
	f.each(func(p *partition, offset int64, e *entry) {
		switch {
		case e.state != stateEvent || e.rows > 0:
		case present[e.key]:
			total.Repeated++
		default:
			total.Missing++
			present[e.key] = true // counted
			p.note(offset, "uuid %s: missing", e.uuid)
		}
	})
}

// each calls visit for every offset, in order.
func (f *Fold) each(visit func(p *partition, offset int64, e *entry)) {
	for _, p := range f.partitions {
		for i := range p.entries {
			visit(p, p.start+int64(i), &p.entries[i])
		}
	}
}
