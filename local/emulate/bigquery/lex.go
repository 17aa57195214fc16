package bigquery

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind tells tokens of GoogleSQL apart
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/lexical).
type tokenKind int

const (
	tokenEnd    tokenKind = iota
	tokenWord             // an identifier or keyword
	tokenQuoted           // an identifier in backticks
	tokenString
	tokenBytes
	tokenNumber
	tokenParam  // @name or ?
	tokenSymbol // an operator or punctuation
)

// token is a token of a statement.
type token struct {
	kind tokenKind

	// text is the word as written, the decoded content of anything quoted, the name
	// of a parameter ("?" if it has none), or the symbol.
	text string

	// upper is a word in upper case, for comparing with keywords, or a symbol.
	upper string

	// pos is the offset in the statement, glued tells that nothing is between this
	// token and the last.
	pos   int
	glued bool
}

// is tells whether the token is this keyword or symbol.
func (t token) is(upper string) bool { return t.upper == upper }

// lexer cuts GoogleSQL into tokens.
type lexer struct {
	sql string
	pos int
}

// lex returns the tokens of a script, with a tokenEnd at the end.
func lex(sql string) ([]token, error) {
	l := &lexer{sql: sql}
	var tokens []token
	for {
		before := l.pos
		if err := l.skipSpace(); err != nil {
			return nil, err
		}
		start := l.pos
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		t.pos, t.glued = start, before == start
		tokens = append(tokens, t)
		if t.kind == tokenEnd {
			return tokens, nil
		}
	}
}

func (l *lexer) rest() string { return l.sql[l.pos:] }

// skipSpace passes white space and comments.
func (l *lexer) skipSpace() error {
	for {
		l.pos = len(l.sql) - len(strings.TrimLeftFunc(l.rest(), unicode.IsSpace))
		rest := l.rest()
		switch {
		case strings.HasPrefix(rest, "#"), strings.HasPrefix(rest, "--"):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			l.pos += end
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest, "*/")
			if end < 0 {
				return invalidQuery("Syntax error: Unclosed comment")
			}
			l.pos += end + len("*/")
		default:
			return nil
		}
	}
}

func (l *lexer) next() (token, error) {
	rest := l.rest()
	if rest == "" {
		return token{kind: tokenEnd}, nil
	}
	if prefix := literalPrefix(rest); prefix >= 0 {
		return l.quoted(prefix)
	}
	c, _ := utf8.DecodeRuneInString(rest)
	switch {
	case c == '`':
		t, err := l.quoted(0)
		t.kind = tokenQuoted
		return t, err
	case isWordStart(c):
		text := l.take(isWordPart)
		return token{kind: tokenWord, text: text, upper: strings.ToUpper(text)}, nil
	case isDigit(c), c == '.' && len(rest) > 1 && isDigit(rune(rest[1])):
		return l.number(), nil
	case c == '@':
		l.pos++
		if name := l.take(isWordPart); name != "" {
			return token{kind: tokenParam, text: name}, nil
		}
		return token{}, notImplemented("system variables and hints (%.20q)", rest)
	case c == '?':
		l.pos++
		return token{kind: tokenParam, text: "?"}, nil
	}
	return l.symbol()
}

func isDigit(c rune) bool     { return '0' <= c && c <= '9' }
func isWordStart(c rune) bool { return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isWordPart(c rune) bool  { return isWordStart(c) || isDigit(c) }

func (l *lexer) take(part func(rune) bool) string {
	rest := l.rest()
	end := strings.IndexFunc(rest, func(c rune) bool { return !part(c) })
	if end < 0 {
		end = len(rest)
	}
	l.pos += end
	return rest[:end]
}

// number takes an integer, also hexadecimal, or a floating-point number.
func (l *lexer) number() token {
	start := l.pos
	if rest := strings.ToUpper(l.rest()); strings.HasPrefix(rest, "0X") {
		l.pos += len("0X")
		l.take(isWordPart)
		return token{kind: tokenNumber, text: l.sql[start:l.pos]}
	}
	l.take(isDigit)
	if strings.HasPrefix(l.rest(), ".") {
		l.pos++
		l.take(isDigit)
	}
	if rest := l.rest(); rest != "" && (rest[0] == 'e' || rest[0] == 'E') {
		l.pos++
		if rest := l.rest(); rest != "" && (rest[0] == '+' || rest[0] == '-') {
			l.pos++
		}
		l.take(isDigit)
	}
	return token{kind: tokenNumber, text: l.sql[start:l.pos]}
}

// symbol takes an operator of GoogleSQL. Those that only DuckDB knows (::, ->, **)
// or knows to mean something else (^, %) are none.
func (l *lexer) symbol() (token, error) {
	rest := l.rest()
	for _, symbol := range []string{"<>", "<=", ">=", "!=", "||", "=>", "(", ")", "[", "]", ",", ".", ";", "=", "<", ">", "+", "-", "*", "/"} {
		if strings.HasPrefix(rest, symbol) {
			l.pos += len(symbol)
			return token{kind: tokenSymbol, text: symbol, upper: symbol}, nil
		}
	}
	c, _ := utf8.DecodeRuneInString(rest)
	return token{}, invalidQuery("Syntax error: Unexpected %q", c)
}

// statements cuts tokens at semicolons; each ends with a tokenEnd.
func statements(tokens []token) [][]token {
	var all [][]token
	start := 0
	for i, t := range tokens {
		if t.kind != tokenEnd && !t.is(";") {
			continue
		}
		if i > start {
			statement := append([]token(nil), tokens[start:i]...)
			all = append(all, append(statement, token{kind: tokenEnd, pos: t.pos}))
		}
		start = i + 1
	}
	return all
}
