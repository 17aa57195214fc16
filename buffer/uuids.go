package buffer

import (
	"hash/maphash"
	"math/bits"
)

// uuidSet is a set of uuids in one flat table: 16 bytes each, at most 3/4 full, growing by half. The zero value is
// empty. Entries are exact: a fingerprint would one day drop an event that was not seen. The hash is seeded, since
// uuids come from customers.
type uuidSet struct {
	table []uuid
	used  int
	zero  bool // the zero uuid marks free slots, so it is kept apart
	seed  maphash.Seed
}

type uuid = [16]byte

const minSlots = 8

// add adds id and reports whether it was new, and by how many bytes the set grew.
func (s *uuidSet) add(id *uuid) (fresh bool, grown int64) {
	if *id == (uuid{}) {
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
func (s *uuidSet) find(id *uuid) *uuid {
	// The high half of the product maps the hash to the table, whose length need not be a power of two.
	start, _ := bits.Mul64(maphash.Bytes(s.seed, id[:]), uint64(len(s.table)))
	for i := int(start); ; {
		if slot := &s.table[i]; *slot == *id || *slot == (uuid{}) {
			return slot
		}
		if i++; i == len(s.table) {
			i = 0
		}
	}
}

func (s *uuidSet) grow() (bytes int64) {
	old := s.table
	if old == nil {
		s.seed = maphash.MakeSeed()
	}
	const step = minSlots - 1 // lengths are multiples of minSlots
	s.table = make([]uuid, max(minSlots, (len(old)+len(old)/2+step)&^step))
	for i := range old {
		if old[i] != (uuid{}) {
			*s.find(&old[i]) = old[i]
		}
	}
	return int64(len(s.table)-len(old)) * int64(len(uuid{}))
}

// size returns the bytes of the table.
func (s *uuidSet) size() int64 { return int64(len(s.table) * len(uuid{})) }
