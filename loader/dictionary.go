package loader

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow"
)

const (
	// dictionaryBytes is how large a dictionary may become. A column with more distinct values is written without.
	dictionaryBytes = 1 << 20
	minSlots        = 256
)

// dictionary numbers the distinct values of a column in the order in which they first appear. It is used again for the
// next column.
type dictionary struct {
	page    []byte   // the values in plain encoding, which is what a dictionary page holds
	entries []entry  // where they are in it
	slots   []uint32 // hash table of numbers plus one; 0 is free. At most half full, and its length a power of two.
	indices []uint32 // the numbers of the column's values that are not NULL
	seed    maphash.Seed
	scratch [8]byte
}

type entry struct{ from, to uint32 }

// fill takes in a column. It reports false if the column is better written without a dictionary.
func (d *dictionary) fill(chunks []arrow.Array) bool {
	if d.slots == nil {
		d.slots, d.seed = make([]uint32, minSlots), maphash.MakeSeed()
	}
	d.page, d.entries, d.indices, d.slots = d.page[:0], d.entries[:0], d.indices[:0], d.slots[:minSlots]
	clear(d.slots)
	for _, arr := range chunks {
		if t, ok := arr.(texts); ok {
			d.fillTexts(t)
		} else {
			for i := range arr.Len() {
				if arr.IsValid(i) {
					d.add(appendFixed(d.scratch[:0], arr, i), false)
				}
			}
		}
		if len(d.page) > dictionaryBytes {
			return false
		}
	}
	return len(d.entries) > 0
}

func (d *dictionary) fillTexts(t texts) {
	if t.Len() == 0 {
		return
	}
	offsets, values := t.ValueOffsets(), t.ValueBytes()
	base, nulls := offsets[0], t.NullN() > 0
	for i := range t.Len() {
		if !nulls || t.IsValid(i) {
			d.add(values[offsets[i]-base:offsets[i+1]-base], true)
		}
	}
}

// add notes the number of one value.
func (d *dictionary) add(v []byte, text bool) {
	if n := len(d.indices); n > 0 && bytes.Equal(d.value(d.indices[n-1]), v) { // as most often where few values are
		d.indices = append(d.indices, d.indices[n-1])
		return
	}
	slot := d.find(v)
	if *slot == 0 {
		if text {
			d.page = binary.LittleEndian.AppendUint32(d.page, uint32(len(v)))
		}
		from := len(d.page)
		d.page = append(d.page, v...)
		d.entries = append(d.entries, entry{uint32(from), uint32(len(d.page))})
		*slot = uint32(len(d.entries))
		if len(d.entries) > len(d.slots)/2 {
			d.indices = append(d.indices, uint32(len(d.entries)-1))
			d.grow()
			return
		}
	}
	d.indices = append(d.indices, *slot-1)
}

func (d *dictionary) value(index uint32) []byte {
	e := d.entries[index]
	return d.page[e.from:e.to]
}

// find returns the slot of a value, or the free one where it belongs.
func (d *dictionary) find(v []byte) *uint32 {
	mask := uint64(len(d.slots) - 1)
	for i := maphash.Bytes(d.seed, v) & mask; ; i = (i + 1) & mask {
		slot := &d.slots[i]
		if *slot == 0 || bytes.Equal(d.value(*slot-1), v) {
			return slot
		}
	}
}

func (d *dictionary) grow() {
	if n := 2 * len(d.slots); n <= cap(d.slots) {
		d.slots = d.slots[:n]
		clear(d.slots)
	} else {
		d.slots = make([]uint32, n)
	}
	for i := range d.entries {
		*d.find(d.value(uint32(i))) = uint32(i + 1)
	}
}

// appendIndices appends numbers as the values of a data page.
func (d *dictionary) appendIndices(dst []byte, indices []uint32) []byte {
	width := max(1, bits.Len(uint(len(d.entries)-1)))
	return appendRuns(append(dst, byte(width)), indices, width)
}
