package model

import (
	"bytes"
	"unicode/utf8"
)

// AppendLoadable appends a JSON document to dst as BigQuery's PARSE_JSON accepts it:
// halves of surrogate pairs are replaced by \ufffd, and control characters within
// strings by their escapes.
//
// What else PARSE_JSON refuses cannot be mended and is left as it is: text that
// is not JSON, values nested too deeply, numbers beyond float64. The statement is
// to say wide_number_mode=>'round', or it refuses numbers of too many digits too.
func AppendLoadable(dst, doc []byte) []byte {
	copied := 0
	f := faults{doc: doc}
	for at, size := f.next(); size > 0; at, size = f.next() {
		dst = append(dst, doc[copied:at]...)
		dst = appendMendedFault(dst, doc[at])
		copied = at + size
	}
	return append(dst, doc[copied:]...)
}

// loadableSize returns how many bytes AppendLoadable appends.
func loadableSize(doc []byte) int {
	total := len(doc)
	f := faults{doc: doc}
	for at, size := f.next(); size > 0; at, size = f.next() {
		if doc[at] == '\\' {
			total += len(`\ufffd`) - size
		} else {
			total += controlSize(doc[at]) - size
		}
	}
	return total
}

// faults walks over what has to be mended in a document.
type faults struct {
	doc    []byte
	pos    int
	inside bool // a string
}

// next returns where the next fault is, and how long; 0 if there is none.
func (f *faults) next() (at, size int) {
	for f.pos < len(f.doc) {
		if !f.inside {
			quote := bytes.IndexByte(f.doc[f.pos:], '"')
			if quote < 0 {
				break
			}
			f.pos, f.inside = f.pos+quote+1, true
		}
		at, _ = plain(f.doc, f.pos)
		f.pos = at
		if at == len(f.doc) {
			break
		}
		if f.doc[at] == '"' {
			f.pos, f.inside = at+1, false
			continue
		}
		size, fault := faultAt(f.doc[at:])
		f.pos = at + size
		if fault {
			return at, size
		}
	}
	return len(f.doc), 0
}

// faultAt looks at a backslash or control character within a string and returns
// the length of what it starts and whether that is to be mended.
func faultAt(t []byte) (size int, fault bool) {
	if t[0] != '\\' {
		return 1, true
	}
	r, size := escape(t)
	return max(size, 1), r == unpaired
}

func appendMendedFault(dst []byte, c byte) []byte {
	if c == '\\' {
		return append(dst, `\ufffd`...)
	}
	return appendControl(dst, c)
}

// appendControl appends the escape sequence of a control character.
func appendControl(dst []byte, c byte) []byte {
	const hex = "0123456789ABCDEF"
	switch c {
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// controlSize returns how many bytes appendControl appends.
func controlSize(c byte) int {
	switch c {
	case '\b', '\f', '\n', '\r', '\t':
		return len(`\n`)
	}
	return len(`\u0000`)
}

// appendQuoted appends text as a JSON string the way ClickHouse's toJSONString
// writes it, because that is what PostHog's elements column holds: besides what
// JSON demands it escapes the slash and the line separators U+2028 and U+2029.
// Source: https://clickhouse.com/docs/reference/formats/JSON, and the default of
// output_format_json_escape_forward_slashes, both 2026-09. text is valid UTF-8.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	copied := 0
	for i, c := range text {
		size := 1
		switch {
		case c == '"' || c == '\\' || c == '/':
			dst = append(append(dst, text[copied:i]...), '\\', c)
		case c < ' ':
			dst = appendControl(append(dst, text[copied:i]...), c)
		case c == 0xe2 && isLineSeparator(text[i:]):
			dst = append(append(dst, text[copied:i]...), '\\', 'u', '2', '0', '2', text[i+2]-0xa8+'8')
			size = 3
		default:
			continue
		}
		copied = i + size
	}
	return append(append(dst, text[copied:]...), '"')
}

// quotedSize returns how many bytes appendQuoted appends.
func quotedSize(text []byte) int {
	total := len(`""`) + len(text)
	for i, c := range text {
		switch {
		case c == '"' || c == '\\' || c == '/':
			total++
		case c < ' ':
			total += controlSize(c) - 1
		case c == 0xe2 && isLineSeparator(text[i:]):
			total += len(`\u2028`) - len("\u2028")
		}
	}
	return total
}

// isLineSeparator says whether t starts with U+2028 or U+2029.
func isLineSeparator(t []byte) bool {
	return len(t) >= 3 && t[1] == 0x80 && (t[2] == 0xa8 || t[2] == 0xa9)
}

// unquote returns the text of a JSON string without its quotes: itself if it
// holds no escape, otherwise a new slice. Halves of surrogate pairs are U+FFFD.
func unquote(inner []byte) []byte {
	i := bytes.IndexByte(inner, '\\')
	if i < 0 {
		return inner
	}
	text := append(make([]byte, 0, len(inner)), inner[:i]...)
	for i < len(inner) {
		if inner[i] != '\\' {
			text = append(text, inner[i])
			i++
			continue
		}
		r, size := escape(inner[i:])
		text = utf8.AppendRune(text, r)
		i += max(size, 1) // never 0 in a string that was scanned
	}
	return text
}
