package buffer

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"

	"tidemark/batch"
	"tidemark/model"
)

// identity stands for what makes two events of a team the same. That is what PostHog says: its table of events is sorted by
// team, UTC day of the timestamp, event, distinct id and uuid, and of rows that agree in all five ClickHouse keeps one. A
// uuid that comes again under another name, day or distinct id is another event, and dropping it would lose it.
type identity [16]byte

// identities makes identities of events. An identity is the uuid xor'ed with 128 bits of a hash of day, event and distinct
// id. So events of one day, name and distinct id are told apart exactly. Others collide only if their hashes differ by just
// what their uuids differ by. All five come from customers, who could search for such a pair if they knew the hash, so its
// seeds are random. By chance a pair is as likely as two equal random uuids. It would lose an event of the same team.
type identities [2]maphash.Seed

func newIdentities() *identities { return &identities{maphash.MakeSeed(), maphash.MakeSeed()} }

// of returns an event's identity within its team. Event and distinct id are hashed each on its own, so that no text can move
// from one to the other.
func (h *identities) of(e *model.Event) (id identity) {
	for i, seed := range h {
		var rest [24]byte
		binary.NativeEndian.PutUint64(rest[0:], uint64(batch.DayOf(e.Timestamp)))
		binary.NativeEndian.PutUint64(rest[8:], maphash.Bytes(seed, e.Event))
		binary.NativeEndian.PutUint64(rest[16:], maphash.Bytes(seed, e.DistinctID))
		uuid := binary.NativeEndian.Uint64(e.UUID[8*i:])
		binary.NativeEndian.PutUint64(id[8*i:], uuid^maphash.Bytes(seed, rest[:]))
	}
	return id
}

// identitySet is a set of identities in one flat table: 16 bytes each, at most 3/4 full, growing by half. The zero value
// is empty. Entries are whole: a shorter fingerprint would one day drop an event that was not seen. Their places come from
// a seeded hash of their own, since customers can make identities that differ as they like.
type identitySet struct {
	table []identity
	used  int
	zero  bool // the zero identity marks free slots, so it is kept apart
	seed  maphash.Seed
}

const minSlots = 8

// add adds id and reports whether it was new, and by how many bytes the set grew.
func (s *identitySet) add(id *identity) (fresh bool, grown int64) {
	if *id == (identity{}) {
		fresh, s.zero = !s.zero, true
		return fresh, 0
	}
	if s.used >= len(s.table)/4*3 {
		grown = s.grow()
	}
	slot := s.find(id)
	if *slot == *id {
		return false, grown
	}
	*slot = *id
	s.used++
	return true, grown
}

// find returns the slot that holds id, or the free one where it belongs.
func (s *identitySet) find(id *identity) *identity {
	// The high half of the product maps the hash to the table, whose length need not be a power of two.
	start, _ := bits.Mul64(maphash.Bytes(s.seed, id[:]), uint64(len(s.table)))
	for i := int(start); ; {
		if slot := &s.table[i]; *slot == *id || *slot == (identity{}) {
			return slot
		}
		if i++; i == len(s.table) {
			i = 0
		}
	}
}

func (s *identitySet) grow() (bytes int64) {
	old := s.table
	if old == nil {
		s.seed = maphash.MakeSeed()
	}
	const step = minSlots - 1 // lengths are multiples of minSlots
	s.table = make([]identity, max(minSlots, (len(old)+len(old)/2+step)&^step))
	for i := range old {
		if old[i] != (identity{}) {
			*s.find(&old[i]) = old[i]
		}
	}
	return int64(len(s.table)-len(old)) * int64(len(identity{}))
}

// size returns the bytes of the table.
func (s *identitySet) size() int64 { return int64(len(s.table) * len(identity{})) }
