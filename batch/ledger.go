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
	meta      Metadata
	stopped   bool // not consumed: its clock stands still and holds the watermark
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
func (l *Ledger) Hold(tp TopicPartition, committed int64, meta Metadata) {
	l.held[tp] = &holding{committed: committed, meta: meta}
}

// Holds says whether the partition is held.
func (l *Ledger) Holds(tp TopicPartition) bool { return l.held[tp] != nil }

// Stop marks a partition as no longer consumed. One that is not held is entered with its clock only.
func (l *Ledger) Stop(tp TopicPartition, clock time.Time) {
	if l.held[tp] == nil {
		l.held[tp] = &holding{meta: Metadata{Clock: clock}}
	}
	l.held[tp].stopped = true
}

// StoppedClock returns the earliest clock of the stopped partitions, if there are any.
func (l *Ledger) StoppedClock() (clock time.Time, stopped bool) {
	for _, h := range l.held {
		if h.stopped && (!stopped || h.meta.Clock.Before(clock)) {
			clock, stopped = h.meta.Clock, true
		}
	}
	return clock, stopped
}

// Release forgets a partition; unknown ones are ignored.
func (l *Ledger) Release(tp TopicPartition) { delete(l.held, tp) }

// Longest returns the length of the longest chain held.
func (l *Ledger) Longest() (n int) {
	for _, h := range l.held {
		n = max(n, len(h.meta.Chain))
	}
	return n
}

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
		commits = append(commits, Commit{r.TopicPartition, h.committed, text})
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
			meta := Metadata{Clock: r.Clock, Chain: h.meta.Chain[1:]}
			commits = append(commits, Commit{r.TopicPartition, r.End, meta.String()})
		default:
			more = true
		}
	}
	return commits, more
}

// Finished records that Kafka has the commits of [Ledger.Finish].
func (l *Ledger) Finished(m *Manifest) {
	for _, r := range m.Ranges {
		if h := l.held[r.TopicPartition]; h != nil && h.names(m.ID) == 0 {
			h.committed, h.meta.Clock, h.meta.Chain = r.End, r.Clock, h.meta.Chain[1:]
		}
	}
}

// Cut returns the commit that clears a partition's chain from place n on: the batch there is void, and nothing can have
// been decided behind it.
func (l *Ledger) Cut(tp TopicPartition, n int) Commit {
	h := l.held[tp]
	return Commit{tp, h.committed, Metadata{Clock: h.meta.Clock, Chain: h.meta.Chain[:n]}.String()}
}

// WasCut records that Kafka has the commit of [Ledger.Cut].
func (l *Ledger) WasCut(tp TopicPartition, n int) {
	if h := l.held[tp]; h != nil {
		h.meta.Chain = h.meta.Chain[:n:n]
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
