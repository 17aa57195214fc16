package model

import (
	"encoding/binary"
	"unicode/utf8"
)

// str decodes the string of the message whose opening quote is at pos. Without
// escapes it is a part of the message, otherwise it is written to the arena, and
// d.quotes is the index of the quotes in it, as scanner.quotes describes.
func (d *Decoder) str() (text []byte, ok bool) {
	s := &d.in
	d.quotes = nil
	start := s.pos + 1
	end, high := plain(s.text, start)
	if end < len(s.text) && s.text[end] == '\\' {
		return d.unescape(start, end, high)
	}
	s.pos = end
	if end == len(s.text) || s.text[end] != '"' {
		return nil, false
	}
	s.pos++
	return validUTF8(s.text[start:end:end], high), true
}

// unescape decodes a string that starts at start and has its first backslash at
// i; high is what plain said of the text between.
func (d *Decoder) unescape(start, i int, high uint64) (text []byte, ok bool) {
	s, dst := &d.in, d.arena[d.used:]
	end, j, n, high := d.unescapeRest(i, copy(dst, s.text[start:i]), high)
	s.pos = end
	if end >= len(s.text) || s.text[end] != '"' {
		return nil, false
	}
	s.pos++
	d.used += j
	return d.finish(dst[:j:j], high, d.index[:n]), true
}

// unescapeRest decodes from i of the message to j of the free arena, and returns
// where it stopped in both, at the closing quote or a fault; how many quotes it
// noted in the index; and high or'ed with the text.
//
// Properties are JSON within a string, and most of a decoder's time goes into
// this loop and the one over its result. So it does what it can for the latter in
// passing: it notes where the quotes are. In such text nearly every escape is a
// quote, and the end of a name or value is soon followed by the next one's start.
//
// An escape is at least as long as what it stands for, so what is written never
// gets ahead of what is read, and an arena as long as the message is enough.
func (d *Decoder) unescapeRest(i, j int, high uint64) (end, length, n int, or uint64) {
	src, dst, quotes := d.in.text, d.arena[d.used:], d.index
	for i < len(src) {
		if i+8 <= len(src) {
			w := word(src, i)
			binary.LittleEndian.PutUint64(dst[j:j+8], w)
			high |= w
			flags := specials(w)
			if flags == 0 {
				i, j = i+8, j+8
				continue
			}
			k := first(flags)
			i, j = i+k, j+k
		} else if c := src[i]; !special(c) {
			dst[j] = c
			high |= uint64(c)
			i, j = i+1, j+1
			continue
		}
		if src[i] != '\\' {
			break
		}
		if !escapedQuote(src, i) {
			before := i
			if i, j, n = d.unescapeOther(i, j, n); i == before {
				break
			}
			continue
		}
		dst[j], quotes[n] = '"', uint32(j)
		i, j, n = i+2, j+1, n+1
		if escapedQuote(src, i+1) && (src[i] == ':' || src[i] == ',') {
			dst[j], dst[j+1], quotes[n] = src[i], '"', uint32(j+1)
			i, j, n = i+3, j+2, n+1
		}
	}
	return i, j, n, high
}

// escapedQuote says whether t has \" at i.
func escapedQuote(t []byte, i int) bool { return i+1 < len(t) && t[i] == '\\' && t[i+1] == '"' }

// finish makes the decoded text valid UTF-8 and keeps the index of its quotes if
// that did not move them.
func (d *Decoder) finish(decoded []byte, high uint64, quotes []uint32) []byte {
	text := validUTF8(decoded, high)
	if len(text) == len(decoded) {
		d.quotes = quotes
	}
	return text
}

// unescapeOther decodes the escape sequence at i of the message to j of the free
// arena, with n quotes noted so far, and returns all three moved on. They are
// returned as they are if there is no valid escape sequence.
//
// A backslash or control character inside a string of the decoded text makes that
// string hard. What a backslash escapes is decoded with it, so that an escaped
// quote is not noted: it delimits nothing. Outside of strings a backslash is a
// fault, and whoever reads the text meets it before the quotes behind it.
func (d *Decoder) unescapeOther(i, j, n int) (int, int, int) {
	src, dst, quotes := d.in.text, d.arena[d.used:], d.index
	r, size := escape(src[i:])
	if size == 0 {
		return i, j, n
	}
	i += size
	j += utf8.EncodeRune(dst[j:], r) // U+FFFD for an unpaired surrogate
	if r == '"' {
		quotes[n] = uint32(j - 1)
		return i, j, n + 1
	}
	if r != '\\' && (r < 0 || r >= ' ') {
		return i, j, n
	}
	if n&1 == 1 {
		quotes[n-1] |= hard
	}
	if r == '\\' && i < len(src) && src[i] == '\\' {
		r, size = escape(src[i:]) // a faulty one is met again by the caller
		if size > 0 {
			i += size
			j += utf8.EncodeRune(dst[j:], r)
		}
	}
	return i, j, n
}

// validUTF8 returns text with U+FFFD for each byte that is not part of valid
// UTF-8, which BigQuery's STRING demands. high has no top bit set if text is
// known to be ASCII.
func validUTF8(text []byte, high uint64) []byte {
	if high&highs == 0 || utf8.Valid(text) {
		return text
	}
	mended := make([]byte, 0, 3*len(text))
	for _, r := range string(text) {
		mended = utf8.AppendRune(mended, r)
	}
	return mended
}
