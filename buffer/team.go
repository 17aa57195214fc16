package buffer

import (
	"sync"

	"tidemark/model"
)

// teamBytes is what a team takes beside its rows and seen events: the struct and its place in the map.
const teamBytes = 700

// team collects the rows of one team in one batch: of events in the bin, of persons in people.
type team struct {
	bin
	people   versions
	appender *model.EventAppender // writes to bin.rows
	seen     identitySet
	key      int64 // of the partition of the row before
	anyKey   bool  // key is set
}

func newTeam(b *Batch, id int64) *team {
	t := &team{bin: bin{batch: b, team: id, sheet: b.events}}
	t.people.bin = bin{batch: b, team: id, sheet: b.persons, pour: t.people.pour}
	return t
}

// outcome is what one record became.
type outcome uint8

const (
	kept outcome = iota
	nulled
	duplicate
	tooManyPartitions
	superseded       // by what is held already
	supersedes       // what was held, which is counted as superseded
	supersedesNulled // supersedes, and nulled itself
	dropped          // with its whole batch
)

// append adds an event's row unless it is a duplicate.
func (t *team) append(e *model.Event, src *model.Source) outcome {
	b := t.batch
	var id identity
	if b.deduplicate {
		id = b.buffer.identities.of(e)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if b.discarded.Load() {
		return dropped
	}
	if of := b.events.partitions.key; of != nil {
		if key := of(e, src); !t.anyKey || key != t.key {
			if !b.events.partitions.add(key) {
				return tooManyPartitions
			}
			t.key, t.anyKey = key, true
		}
	}
	if b.deduplicate {
		fresh, grown := t.seen.add(&id)
		if grown > 0 {
			b.fix(grown)
		}
		if !fresh {
			return duplicate
		}
	}
	if t.ready() {
		t.appender = model.NewEventAppender(t.rows.builder, b.events.Columns)
	}
	withheld := t.appender.Append(e, src, b.ingestedAt)
	t.appended()
	if withheld != 0 {
		return nulled
	}
	return kept
}

// forget frees what the end of the batch makes useless.
func (t *team) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.batch.fix(-t.seen.size() - teamBytes)
	t.seen = identitySet{}
}

// bins returns those of the team that have rows.
func (t *team) bins() (bins []*bin) {
	for _, n := range []*bin{&t.bin, &t.people.bin} {
		if n.size.Load() > 0 {
			bins = append(bins, n)
		}
	}
	return bins
}

// teams is a map by team ID, cut into shards so that workers rarely meet.
type teams struct {
	shards [64]struct {
		mu   sync.RWMutex
		byID map[int64]*team
	}
}

// find returns the team, and makes it with create if it is missing; create may return nil.
func (t *teams) find(id int64, create func() *team) *team {
	s := &t.shards[uint64(id)%uint64(len(t.shards))]
	s.mu.RLock()
	found := s.byID[id]
	s.mu.RUnlock()
	if found != nil {
		return found
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found = s.byID[id]; found == nil {
		if found = create(); found != nil {
			if s.byID == nil {
				s.byID = make(map[int64]*team)
			}
			s.byID[id] = found
		}
	}
	return found
}

// bins returns those of the teams that have rows, in no order.
func (t *teams) bins() (bins []*bin) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		for _, team := range s.byID {
			bins = append(bins, team.bins()...)
		}
		s.mu.RUnlock()
	}
	return bins
}

// clear empties the map and returns what was in it.
func (t *teams) clear() (all []*team) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, team := range s.byID {
			all = append(all, team)
		}
		s.byID = nil
		s.mu.Unlock()
	}
	return all
}
