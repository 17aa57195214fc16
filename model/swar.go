package model

import (
	"encoding/binary"
	"math/bits"
)

// Strings are scanned eight bytes at a time, as one 64-bit word ("SIMD within a
// register"). ones and highs are the two patterns all of it is made from.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// word returns the eight bytes of t from i on, the first in the lowest bits.
func word(t []byte, i int) uint64 { return binary.LittleEndian.Uint64(t[i : i+8]) }

// specials returns w with the top bit set in each byte which ends a run of plain
// text in a JSON string: quote, backslash or a control character below 0x20.
// Only the lowest bit set is to be trusted: a borrow may flag a plain byte above
// one that is rightly flagged.
//
// Quote and controls take one test: xor 2 makes the quote 0x20, leaves controls
// controls and moves no other byte below 0x21. Bytes of 0x80 and more are never
// special; they are masked out at the end.
func specials(w uint64) uint64 {
	low := (w ^ 2*ones) - 0x21*ones
	backslash := (w ^ '\\'*ones) - ones
	return (low | backslash) &^ w & highs
}

// first returns the index of the lowest byte flagged in a word of specials.
func first(flags uint64) int { return bits.TrailingZeros64(flags) >> 3 }

// special says whether c ends a run of plain text in a JSON string.
func special(c byte) bool { return c < 0x20 || c == '"' || c == '\\' }

// plain returns the index of the first special byte of t from i on, len(t) if
// there is none, and a word that has a top bit set if any byte before it may be
// other than ASCII.
func plain(t []byte, i int) (end int, high uint64) {
	for ; i+8 <= len(t); i += 8 {
		w := word(t, i)
		high |= w
		if flags := specials(w); flags != 0 {
			return i + first(flags), high
		}
	}
	for ; i < len(t) && !special(t[i]); i++ {
		high |= uint64(t[i])
	}
	return i, high
}
