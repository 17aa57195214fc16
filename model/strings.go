package model

// str scans the string whose opening quote is at pos.
func (s *scanner) str() bool {
	if s.quotes == nil {
		return s.scanString()
	}
	if s.quote+1 >= len(s.quotes) {
		return false // no closing quote
	}
	open, end := s.quotes[s.quote], s.quotes[s.quote+1]
	s.quote += 2
	if open&hard != 0 {
		return s.scanString()
	}
	s.escaped = false
	s.pos = int(end&^hard) + 1
	return true
}

func (s *scanner) scanString() bool {
	s.escaped = false
	for i := s.pos + 1; ; {
		i, _ = plain(s.text, i)
		if i == len(s.text) {
			s.pos = i
			return false
		}
		switch s.text[i] {
		case '"':
			s.pos = i + 1
			return true
		case '\\':
			s.escaped = true
			r, size := escape(s.text[i:])
			if size == 0 {
				s.pos = i
				return false
			}
			s.mend = s.mend || r == unpaired
			i += size
		default:
			if s.strict {
				s.pos = i
				return false
			}
			s.mend = true
			i++
		}
	}
}

// unpaired is what escape returns for half of a surrogate pair.
const unpaired = -1

// escape decodes the escape sequence that t starts with and returns the
// character and the sequence's length: 12 for a surrogate pair, 6 and unpaired
// for half of one. The length is 0 if it is no escape sequence of JSON.
func escape(t []byte) (r rune, size int) {
	if len(t) < 2 {
		return 0, 0
	}
	switch t[1] {
	case '"', '\\', '/':
		return rune(t[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return unicodeEscape(t)
	}
	return 0, 0
}

func unicodeEscape(t []byte) (r rune, size int) {
	const (
		surrogates = 0xd800
		low        = 0xdc00
		beyond     = 0xe000
	)
	r, ok := codeUnit(t)
	switch {
	case !ok:
		return 0, 0
	case r < surrogates || r >= beyond:
		return r, 6
	case r >= low:
		return unpaired, 6
	}
	half, ok := codeUnit(t[6:])
	if !ok || half < low || half >= beyond {
		return unpaired, 6
	}
	return (r-surrogates)<<10 + (half - low) + 0x10000, 12
}

// codeUnit returns the value of the \uXXXX that t starts with.
func codeUnit(t []byte) (unit rune, ok bool) {
	if len(t) < 6 || t[0] != '\\' || t[1] != 'u' {
		return 0, false
	}
	for _, c := range t[2:6] {
		digit, ok := hexDigit(c)
		if !ok {
			return 0, false
		}
		unit = unit<<4 | rune(digit)
	}
	return unit, true
}

func hexDigit(c byte) (digit byte, ok bool) {
	switch {
	case c-'0' <= 9:
		return c - '0', true
	case (c|0x20)-'a' <= 5:
		return (c | 0x20) - 'a' + 10, true
	}
	return 0, false
}
