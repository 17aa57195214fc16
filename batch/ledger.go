package batch

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

var (
	// ErrNotHeld means that a partition of the batch is no longer held by this replica: another one may own it, and
	// Kafka would not stop us from moving its offset (it fences generations, not owners).
	ErrNotHeld = errors.New("partition is not held")
	// ErrGap means that a batch does not start where the one before it ends.
	ErrGap = errors.New("offsets are not contiguous")
)

// Ledger is what one replica knows of the partitions it holds: their committed offset, clock and chain. It turns the
// steps of a batch into offset commits and remembers those that Kafka acknowledged. It does no I/O and is not safe for
// concurrent use; [Driver] guards it with the ownership lock.
type Ledger struct {
	held map[TopicPartition]*holding
}

type holding struct {
	committed int64
	epoch     int32
	meta      Metadata
}

// end returns the offset at which the last prepared batch ends: where consuming starts.
func (h *holding) end() int64 {
	if n := len(h.meta.Chain); n > 0 {
		return h.meta.Chain[n-1].End
	}
	return h.committed
}

// names says at which place of the chain the batch stands, or -1.
func (h *holding) names(id ID) int {
	return slices.IndexFunc(h.meta.Chain, func(l Link) bool { return l.Batch == id })
}

// with returns the chain with a batch appended; the chain itself stays as it is.
func (h *holding) with(l Link) []Link { return append(slices.Clip(h.meta.Chain), l) }

// NewLedger returns a ledger that holds nothing.
func NewLedger() *Ledger { return &Ledger{held: make(map[TopicPartition]*holding)} }

// Hold adds a partition as Kafka describes it, or replaces what is known of it.
func (l *Ledger) Hold(tp TopicPartition, o GroupOffset, meta Metadata) {
	l.held[tp] = &holding{committed: o.Offset, epoch: o.Epoch, meta: meta}
}

// Holds says whether the partition is held.
func (l *Ledger) Holds(tp TopicPartition) bool { return l.held[tp] != nil }

// Release forgets a partition; unknown ones are ignored.
func (l *Ledger) Release(tp TopicPartition) { delete(l.held, tp) }

// Prepare returns the commits that decide the batch: for every partition the unchanged committed offset, with the batch
// appended to the chain. All go into one request.
func (l *Ledger) Prepare(m *Manifest) ([]Commit, error) {
	commits := make([]Commit, 0, len(m.Ranges))
	for _, r := range m.Ranges {
		h := l.held[r.TopicPartition]
		if h == nil {
			return nil, fmt.Errorf("prepare batch %s: %s: %w", m.ID, r.TopicPartition, ErrNotHeld)
		}
		if h.end() != r.Start {
			return nil, fmt.Errorf("prepare batch %s: %s has range [%d, %d) and the batch before ends at %d: %w",
				m.ID, r.TopicPartition, r.Start, r.End, h.end(), ErrGap)
		}
		meta := Metadata{Clock: h.meta.Clock, Chain: h.with(Link{m.ID, r.End})}
		text := meta.String()
		if len(text) > MaxMetadata {
			return nil, fmt.Errorf("prepare batch %s: %s: metadata of %d bytes for a chain of %d, Kafka allows %d",
				m.ID, r.TopicPartition, len(text), len(meta.Chain), MaxMetadata)
		}
		commits = append(commits, Commit{r.TopicPartition, h.committed, h.epoch, text})
	}
	return commits, nil
}

// Prepared records that Kafka has the commits of [Ledger.Prepare].
func (l *Ledger) Prepared(m *Manifest) {
	for _, r := range m.Ranges {
		if h := l.held[r.TopicPartition]; h != nil {
			h.meta.Chain = h.with(Link{m.ID, r.End})
		}
	}
}

// Finish returns the commits of the end offsets of an applied batch, for the held partitions whose chain it heads. More
// says that a held partition names the batch behind an earlier one, which has to be committed first.
func (l *Ledger) Finish(m *Manifest) (commits []Commit, more bool) {
	for _, r := range m.Ranges {
		h := l.held[r.TopicPartition]
		if h == nil {
			continue
		}
		switch h.names(m.ID) {
		case -1: // committed already, perhaps by an earlier session
		case 0:
			commits = append(commits, EndOf(r, h.meta))
		default:
			more = true
		}
	}
	return commits, more
}

// EndOf returns the commit of a range's end by a partition whose chain the range's batch heads.
func EndOf(r Range, meta Metadata) Commit {
	return Commit{r.TopicPartition, r.End, r.Epoch, Metadata{Clock: r.Clock, Chain: meta.Chain[1:]}.String()}
}

// Finished records that Kafka has the commits of [Ledger.Finish].
func (l *Ledger) Finished(m *Manifest) {
	for _, r := range m.Ranges {
		if h := l.held[r.TopicPartition]; h != nil && h.names(m.ID) == 0 {
			h.committed, h.epoch = r.End, r.Epoch
			h.meta = Metadata{Clock: r.Clock, Chain: h.meta.Chain[1:]}
		}
	}
}

// Concerns says whether a held partition names the batch.
func (l *Ledger) Concerns(m *Manifest) bool {
	for _, r := range m.Ranges {
		if h := l.held[r.TopicPartition]; h != nil && h.names(m.ID) >= 0 {
			return true
		}
	}
	return false
}

// Complete is up to which instant a partition is complete at an offset.
type Complete struct {
	Offset int64
	Clock  time.Time
}

// Idle returns the commits that move the committed clocks of partitions on for which no batch does it, since nothing comes
// in. A partition is left alone unless its offset is the committed one and no batch is prepared.
func (l *Ledger) Idle(clocks map[TopicPartition]Complete) []Commit {
	var commits []Commit
	for _, tp := range sortedKeys(clocks) {
		h, c := l.held[tp], clocks[tp]
		if h != nil && h.committed == c.Offset && len(h.meta.Chain) == 0 && h.meta.Clock.Before(c.Clock) {
			commits = append(commits, Commit{tp, h.committed, h.epoch, Metadata{Clock: c.Clock}.String()})
		}
	}
	return commits
}

// WasIdle records that Kafka has commits of [Ledger.Idle].
func (l *Ledger) WasIdle(commits []Commit, clocks map[TopicPartition]Complete) {
	for _, c := range commits {
		if h := l.held[c.TopicPartition]; h != nil {
			h.meta.Clock = clocks[c.TopicPartition].Clock
		}
	}
}
