package model

import "strconv"

const (
	// maxJSONDepth is how deep objects and arrays may nest in a JSON value of
	// BigQuery. Source: https://cloud.google.com/bigquery/docs/json-data, 2026-08.
	maxJSONDepth = 500

	// safeDigits is the power of ten up to which a number is surely below the
	// largest float64, 1.8e308.
	safeDigits = 308
)

// scanner walks over JSON text and checks it against RFC 8259, without making
// anything of it. Its methods return false where the text is not JSON, with pos
// near the fault. The zero scanner is ready for reset.
type scanner struct {
	text []byte
	pos  int

	// strict refuses control characters within strings. Without it they are
	// accepted and noted in mend.
	strict bool

	// quotes are the positions of the quotes that delimit the strings of text, in
	// order, if whoever made the text has noted them; strings are then stepped
	// over instead of scanned. Positions are or'ed with hard for a string that has
	// to be scanned all the same. Nil if there is no such index.
	quotes []uint32
	quote  int // how many of them are behind pos

	stack []byte // the brackets that are open in the value being scanned
	depth int    // the deepest nesting of that value

	escaped bool // the last string scanned holds a backslash
	mend    bool // some string holds a control character or an unpaired surrogate
	unfit   bool // some number is beyond float64
}

// hard marks an opening quote whose string holds backslashes or control
// characters, so that it has to be looked at.
const hard = 1 << 31

func (s *scanner) reset(text []byte, quotes []uint32) {
	s.text, s.pos, s.quotes, s.quote = text, 0, quotes, 0
	s.depth, s.escaped, s.mend, s.unfit = 0, false, false, false
}

// next skips white space and returns the byte there, 0 at the end of the text.
func (s *scanner) next() byte {
	if s.pos < len(s.text) {
		if c := s.text[s.pos]; c > ' ' {
			return c
		}
	}
	return s.nextSlow()
}

func (s *scanner) nextSlow() byte {
	for ; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// end says whether nothing but white space is left.
func (s *scanner) end() bool { return s.next() == 0 && s.pos == len(s.text) }

// document scans a whole text that holds one value and nothing else.
func (s *scanner) document() bool {
	s.next()
	return s.value() && s.end()
}

// value scans the value that starts at pos. It adds to mend and unfit, and sets
// depth.
func (s *scanner) value() bool {
	s.depth = 0
	if s.pos >= len(s.text) {
		return false
	}
	if c := s.text[s.pos]; c != '{' && c != '[' {
		return s.scalar(c)
	}
	s.stack = s.stack[:0]
	for {
		var ok bool
		switch c := s.next(); c {
		case '{', '[':
			ok = s.open(c)
		default:
			ok = s.scalar(c) && s.close()
		}
		if !ok {
			return false
		}
		if len(s.stack) == 0 {
			return true
		}
	}
}

// open enters an object or array and stops where its first value starts; an
// empty one is left again.
func (s *scanner) open(bracket byte) bool {
	s.stack = append(s.stack, bracket)
	s.depth = max(s.depth, len(s.stack))
	s.pos++
	if c := s.next(); c == bracket+2 { // '}' is '{'+2 and ']' is '['+2
		return s.close()
	}
	return bracket == '[' || s.name()
}

// close is called behind a value or at the end of an empty container. It leaves
// all containers that end here and stops where the next value starts.
func (s *scanner) close() bool {
	for len(s.stack) > 0 {
		bracket := s.stack[len(s.stack)-1]
		switch s.next() {
		case ',':
			s.pos++
			return bracket == '[' || s.name()
		case bracket + 2:
			s.pos++
			s.stack = s.stack[:len(s.stack)-1]
		default:
			return false
		}
	}
	return true
}

// name scans the name of an object's member and its colon.
func (s *scanner) name() bool {
	if s.next() != '"' || !s.str() || s.next() != ':' {
		return false
	}
	s.pos++
	return true
}

// scalar scans a string, number or literal that starts with c, the byte at pos.
func (s *scanner) scalar(c byte) bool {
	switch {
	case c == '"':
		return s.str()
	case c-'0' <= 9 || c == '-':
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return false
}

func (s *scanner) literal(word string) bool {
	end := s.pos + len(word)
	if end > len(s.text) || string(s.text[s.pos:end]) != word {
		return false
	}
	s.pos = end
	return true
}

// number scans a number, and notes in unfit if it is too large for float64,
// which is what BigQuery rounds to.
func (s *scanner) number() bool {
	t, start, i := s.text, s.pos, s.pos
	if t[i] == '-' {
		i++
	}
	whole := digits(t, i)
	if whole == i || (t[i] == '0' && whole > i+1) {
		return false
	}
	i = whole
	if i < len(t) && t[i] == '.' {
		if i = digits(t, i+1); t[i-1] == '.' {
			return false
		}
	}
	magnitude := whole - start // the number is below ten to this power
	if i < len(t) && t[i]|0x20 == 'e' {
		i++
		negative := i < len(t) && t[i] == '-'
		if negative || i < len(t) && t[i] == '+' {
			i++
		}
		end := digits(t, i)
		if end == i {
			return false
		}
		if !negative {
			magnitude += decimal(t[i:end])
		}
		i = end
	}
	s.pos = i
	if magnitude > safeDigits {
		_, err := strconv.ParseFloat(string(t[start:i]), 64)
		s.unfit = s.unfit || err != nil // the syntax is right: only its range can be wrong
	}
	return true
}

// digits returns the index of the first byte of t from i on that is no digit.
func digits(t []byte, i int) int {
	for i < len(t) && t[i]-'0' <= 9 {
		i++
	}
	return i
}

// decimal returns the value of digits, or any number above safeDigits if it is
// above that.
func decimal(digits []byte) (n int) {
	for _, c := range digits {
		if n = 10*n + int(c-'0'); n > safeDigits {
			break
		}
	}
	return n
}
