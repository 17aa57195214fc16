package verify

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/go-json-experiment/json/jsontext"
)

// documentCell brings a document into the form in which it is compared. No
// document, and in a JSON column one that is no JSON, is NULL.
func (c Columns) documentCell(col column, text string) cell {
	if text == "" {
		return cell{null: true}
	}
	if !c.json[col] {
		return cell{text: mend(text)}
	}
	decoder := jsontext.NewDecoder(strings.NewReader(mend(text)), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	form, err := canonical(nil, decoder)
	if err != nil {
		return cell{null: true}
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return cell{null: true}
	}
	return cell{text: string(form)}
}

// canonical reads a value and appends it as BigQuery's JSON type keeps it: members
// sorted, of several with one name the first, 64-bit integers as they are, and all
// other numbers as float64.
func canonical(dst []byte, decoder *jsontext.Decoder) ([]byte, error) {
	token, err := decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '{':
		return canonicalObject(dst, decoder)
	case '[':
		dst = append(dst, '[')
		for decoder.PeekKind() != ']' {
			if dst, err = canonical(dst, decoder); err != nil {
				return nil, err
			}
			dst = append(dst, ',')
		}
		_, err = decoder.ReadToken()
		return append(dst, ']'), err
	case '"':
		return strconv.AppendQuote(dst, token.String()), nil
	case '0':
		return append(dst, canonicalNumber(token.String())...), nil
	}
	return append(dst, token.String()...), nil // true, false, null
}

// canonicalObject reads the rest of an object whose bracket was read.
func canonicalObject(dst []byte, decoder *jsontext.Decoder) ([]byte, error) {
	members := map[string][]byte{}
	for decoder.PeekKind() != '}' {
		token, err := decoder.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String() // the token is only good until the next one is read
		value, err := canonical(nil, decoder)
		if err != nil {
			return nil, err
		}
		if _, known := members[name]; !known {
			members[name] = value
		}
	}
	dst = append(dst, '{')
	for _, name := range slices.Sorted(maps.Keys(members)) {
		dst = append(strconv.AppendQuote(dst, name), ':')
		dst = append(append(dst, members[name]...), ',')
	}
	_, err := decoder.ReadToken()
	return append(dst, '}'), err
}

// canonicalNumber makes 1, 1.0 and 10e-1 equal, but not 2^53 and 2^53+1.
func canonicalNumber(text string) string {
	if integer, err := strconv.ParseInt(text, 10, 64); err == nil {
		return strconv.FormatInt(integer, 10) // -0 is 0
	}
	if _, err := strconv.ParseUint(text, 10, 64); err == nil {
		return text
	}
	float, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text // out of range
	}
	if float == math.Trunc(float) && math.Abs(float) < 1<<63 {
		return strconv.FormatInt(int64(float), 10)
	}
	return strconv.FormatFloat(float, 'g', -1, 64)
}

// mend makes a document comparable with one that tidemark made loadable: in
// strings, lone surrogate escapes and U+FFFD in either form become U+FFFD, and
// raw control characters become escapes. Everything else stays byte for byte.
func mend(text string) string {
	if !strings.Contains(text, `\u`) && !holdsControl(text) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	inString := false
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			inString = !inString
		case c == '\\' && inString:
			i += mendEscape(&b, text[i:])
			continue
		case isControl(c) && inString:
			b.WriteString(controlEscape(c))
			i++
			continue
		}
		b.WriteByte(text[i])
		i++
	}
	return b.String()
}

// mendEscape writes the escape at the start of text, and returns its length.
func mendEscape(b *strings.Builder, text string) int {
	first, ok := unitEscape(text)
	if !ok {
		n := min(2, len(text))
		b.WriteString(text[:n])
		return n
	}
	if first == 0xfffd {
		b.WriteRune(0xfffd)
		return 6
	}
	if !utf16.IsSurrogate(first) {
		b.WriteString(text[:6])
		return 6
	}
	second, ok := unitEscape(text[6:])
	if ok && utf16.DecodeRune(first, second) != 0xfffd {
		b.WriteString(text[:12])
		return 12
	}
	b.WriteRune(0xfffd)
	return 6
}

// unitEscape reads \uXXXX.
func unitEscape(text string) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(unit), err == nil
}

func isControl(c byte) bool { return c < 0x20 }

// holdsControl looks at bytes: control characters are never part of others.
func holdsControl(text string) bool {
	for i := range len(text) {
		if isControl(text[i]) {
			return true
		}
	}
	return false
}

func controlEscape(c byte) string {
	switch c {
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	case '\b':
		return `\b`
	case '\f':
		return `\f`
	}
	return fmt.Sprintf(`\u%04x`, c)
}
