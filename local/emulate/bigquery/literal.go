package bigquery

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// literalPrefix returns how many letters (r, b, rb, br) come before the quotation
// mark that the text starts with, or -1 if it starts otherwise.
func literalPrefix(text string) int {
	for i := range min(len(text), 3) {
		switch text[i] {
		case '\'', '"':
			return i
		case 'r', 'R', 'b', 'B':
		default:
			return -1
		}
	}
	return -1
}

// quoted takes a string or bytes literal, or an identifier in backticks, and
// decodes it.
func (l *lexer) quoted(prefix int) (token, error) {
	flags := strings.ToLower(l.sql[l.pos : l.pos+prefix])
	l.pos += prefix
	delimiter := l.rest()[:1]
	if triple := strings.Repeat(delimiter, 3); delimiter != "`" && strings.HasPrefix(l.rest(), triple) {
		delimiter = triple
	}
	l.pos += len(delimiter)
	var text strings.Builder
	isBytes, raw := strings.Contains(flags, "b"), strings.Contains(flags, "r")
	for !strings.HasPrefix(l.rest(), delimiter) {
		rest := l.rest()
		if rest == "" || len(delimiter) == 1 && rest[0] == '\n' {
			return token{}, invalidQuery("Syntax error: Unclosed string literal")
		}
		size := 1
		switch {
		case rest[0] != '\\':
			text.WriteByte(rest[0])
		case raw:
			size = min(2, len(rest))
			text.WriteString(rest[:size])
		default:
			decoded, n, err := unescape(rest, isBytes)
			if err != nil {
				return token{}, err
			}
			text.WriteString(decoded)
			size = n
		}
		l.pos += size
	}
	l.pos += len(delimiter)
	kind := tokenString
	if isBytes {
		kind = tokenBytes
	} else if !utf8.ValidString(text.String()) {
		return token{}, invalidQuery("Syntax error: String literal is not valid UTF-8")
	}
	return token{kind: kind, text: text.String()}, nil
}

// unescape decodes the escape sequence that the text starts with, and returns how
// long it is
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/lexical#escape_sequences).
func unescape(text string, isBytes bool) (string, int, error) {
	illegal := invalidQuery("Syntax error: Illegal escape sequence %.10q", text)
	if len(text) < 2 {
		return "", 0, illegal
	}
	simple := map[byte]string{
		'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
		'\\': `\`, '?': "?", '"': `"`, '\'': "'", '`': "`",
	}
	if decoded, ok := simple[text[1]]; ok {
		return decoded, 2, nil
	}
	start, digits, base := 2, 0, 16
	switch {
	case text[1] == 'x' || text[1] == 'X':
		digits = 2
	case text[1] == 'u' && !isBytes:
		digits = 4
	case text[1] == 'U' && !isBytes:
		digits = 8
	case '0' <= text[1] && text[1] <= '3':
		start, digits, base = 1, 3, 8
	default:
		return "", 0, illegal
	}
	if len(text) < start+digits {
		return "", 0, illegal
	}
	code, err := strconv.ParseUint(text[start:start+digits], base, 32)
	if err != nil || !isBytes && !utf8.ValidRune(rune(code)) {
		return "", 0, illegal
	}
	if isBytes {
		return string([]byte{byte(code)}), start + digits, nil
	}
	return string(rune(code)), start + digits, nil
}
