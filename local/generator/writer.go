package generator

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// id128 is the 16 bytes of a UUID.
type id128 [16]byte

// newUUIDv7 has the time in its first 48 bits and random ones otherwise.
func newUUIDv7(r *random, at time.Time) id128 {
	id := newUUIDv4(r)
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = id[6]&0x0f | 0x70
	return id
}

func newUUIDv4(r *random) id128 {
	var id id128
	a, b := r.next(), r.next()
	for i := range 8 {
		id[i], id[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

func (id id128) appendTo(dst []byte) []byte {
	for i, part := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}

// writer appends JSON. The zero value of its options writes as JSON.stringify
// does; ascii and spaced together as Python's json.dumps.
type writer struct {
	buf    []byte
	ascii  bool // escape everything outside ASCII
	spaced bool // a blank after each comma and colon
	comma  bool // the next key needs a comma before it
}

func (w *writer) open()  { w.buf, w.comma = append(w.buf, '{'), false }
func (w *writer) close() { w.buf, w.comma = append(w.buf, '}'), true }

// key starts a member. Keys are plain ASCII.
func (w *writer) key(key string) {
	if w.comma {
		w.buf = append(w.buf, ',')
		if w.spaced {
			w.buf = append(w.buf, ' ')
		}
	}
	w.comma = true
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, key...)
	w.buf = append(w.buf, '"', ':')
	if w.spaced {
		w.buf = append(w.buf, ' ')
	}
}

func (w *writer) str(key, value string) {
	w.key(key)
	w.buf = append(w.buf, '"')
	w.text(value)
	w.buf = append(w.buf, '"')
}

// raw writes a value that is JSON already.
func (w *writer) raw(key, json string) {
	w.key(key)
	w.buf = append(w.buf, json...)
}

func (w *writer) int(key string, n int64) {
	w.key(key)
	w.buf = strconv.AppendInt(w.buf, n, 10)
}

func (w *writer) uuid(key string, id id128) {
	w.key(key)
	w.buf = append(w.buf, '"')
	w.buf = id.appendTo(w.buf)
	w.buf = append(w.buf, '"')
}

// time writes a time in UTC in the given layout.
func (w *writer) time(key string, t time.Time, layout string) {
	w.key(key)
	w.buf = append(w.buf, '"')
	w.buf = t.UTC().AppendFormat(w.buf, layout)
	w.buf = append(w.buf, '"')
}

// object starts a member that is an object; the caller closes it.
func (w *writer) object(key string) {
	w.key(key)
	w.open()
}

// nested starts a member whose value is a string with JSON inside. What is
// written until endNested(mark) becomes the text of that string.
func (w *writer) nested(key string) (mark int) {
	w.key(key)
	w.buf = append(w.buf, '"')
	w.open()
	return len(w.buf) - 1
}

// endNested closes the object and escapes it. Its control characters are
// escaped already, hence only quotes and backslashes are left to do.
func (w *writer) endNested(mark int) {
	w.close()
	escapes := bytes.Count(w.buf[mark:], []byte{'"'}) + bytes.Count(w.buf[mark:], []byte{'\\'})
	from := len(w.buf) - 1
	w.buf = slices.Grow(w.buf, escapes+1)[:len(w.buf)+escapes]
	for to := len(w.buf) - 1; to > from; from-- {
		c := w.buf[from]
		w.buf[to] = c
		to--
		if c == '"' || c == '\\' {
			w.buf[to] = '\\'
			to--
		}
	}
	w.buf = append(w.buf, '"')
}

// text writes the inside of a string. What needs no escape is copied in runs.
func (w *writer) text(s string) {
	run := 0
	for i, r := range s {
		if r >= 0x20 && r != '"' && r != '\\' && (r < utf8.RuneSelf || !w.ascii) {
			continue
		}
		w.buf = append(w.buf, s[run:i]...)
		w.escape(r)
		run = i + utf8.RuneLen(r)
	}
	w.buf = append(w.buf, s[run:]...)
}

// escape writes a character in escaped form.
func (w *writer) escape(r rune) {
	switch {
	case r == '"' || r == '\\':
		w.buf = append(w.buf, '\\', byte(r))
	case r == '\n':
		w.buf = append(w.buf, '\\', 'n')
	case r < 0x10000:
		w.unit(uint16(r))
	default:
		w.unit(uint16(0xd800 + (r-0x10000)>>10))
		w.unit(uint16(0xdc00 + (r-0x10000)&0x3ff))
	}
}

// unit writes a UTF-16 code unit as an escape.
func (w *writer) unit(u uint16) {
	w.buf = append(w.buf, '\\', 'u')
	w.buf = hex.AppendEncode(w.buf, []byte{byte(u >> 8), byte(u)})
}
