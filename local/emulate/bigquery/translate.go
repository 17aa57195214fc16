package bigquery

import (
	"strconv"
	"strings"
)

// frameKind tells what an open parenthesis belongs to.
type frameKind int

const (
	framePlain     frameKind = iota
	frameCast                // CAST(x AS type)
	frameExtract             // EXTRACT(part FROM x)
	framePart                // f(…, part)
	frameAggregate           // ARRAY_AGG(…) and the like
	frameUnnest              // FROM UNNEST(…)
)

// frame is an open parenthesis or bracket, or the statement itself.
type frame struct {
	kind  frameKind
	close string // what to write for its end
	from  bool   // in the FROM clause, where a comma comes before a table
}

// translator turns GoogleSQL into DuckDB's SQL token by token. There is no grammar:
// what is no GoogleSQL mostly is no DuckDB either and is refused there, and what
// means something else in DuckDB is refused here.
type translator struct {
	scope  *scope
	tokens []token // ends with tokenEnd
	pos    int
	out    []string
	frames []frame
	next   frame           // of the next parenthesis
	table  bool            // a table is next
	ctes   map[string]bool // names that WITH defines, in lower case
}

// translate translates tokens that are a query, an expression or a list of them.
func (s *scope) translate(tokens []token) (string, error) {
	return s.translateWith(tokens, withNames(tokens))
}

func (s *scope) translateWith(tokens []token, ctes map[string]bool) (string, error) {
	if len(tokens) == 0 || tokens[len(tokens)-1].kind != tokenEnd {
		tokens = append(append([]token(nil), tokens...), token{kind: tokenEnd})
	}
	t := &translator{scope: s, tokens: tokens, frames: []frame{{}}, next: frame{close: ")"}, ctes: ctes}
	for t.tokens[t.pos].kind != tokenEnd {
		if err := t.step(); err != nil {
			return "", err
		}
	}
	if len(t.frames) != 1 {
		return "", invalidQuery("Syntax error: Unexpected end of statement")
	}
	return strings.Join(t.out, " "), nil
}

// withNames finds the names in WITH name AS ( … ), name AS ( … ).
func withNames(tokens []token) map[string]bool {
	names := map[string]bool{}
	for i := 1; i+2 < len(tokens); i++ {
		before := tokens[i-1]
		if (before.is("WITH") || before.is("RECURSIVE") || before.is(",")) && isName(tokens[i]) &&
			tokens[i+1].is("AS") && tokens[i+2].is("(") {
			names[strings.ToLower(tokens[i].text)] = true
		}
	}
	return names
}

// isName tells whether the token can be an alias or a column.
func isName(t token) bool {
	return t.kind == tokenQuoted || t.kind == tokenWord && !keyword(t.upper)
}

func (t *translator) emit(text string) { t.out = append(t.out, text) }

// at returns the token that many places from here; there is a tokenEnd around all.
func (t *translator) at(offset int) token {
	if i := t.pos + offset; i >= 0 && i < len(t.tokens) {
		return t.tokens[i]
	}
	return token{kind: tokenEnd}
}

func (t *translator) frame() *frame { return &t.frames[len(t.frames)-1] }

// step translates what begins here and moves on.
func (t *translator) step() error {
	tok := t.at(0)
	if t.table {
		return t.tableItem(tok)
	}
	t.pos++
	switch tok.kind {
	case tokenWord:
		t.pos--
		return t.word(tok)
	case tokenQuoted:
		if strings.Contains(tok.text, ".") {
			return invalidQuery("Unrecognized name: `%s`", tok.text)
		}
		t.emit(ident(tok.text))
	case tokenString:
		t.emit(quote(tok.text))
	case tokenBytes:
		t.emit(bytesLiteral(tok.text))
	case tokenNumber:
		t.emit(numberLiteral(tok.text))
	case tokenParam:
		literal, err := t.scope.param(tok.text)
		if err != nil {
			return err
		}
		t.emit(literal)
	case tokenSymbol:
		return t.symbol(tok)
	case tokenEnd:
	}
	return nil
}

// numberLiteral has an exponent if it is floating-point, lest DuckDB make it decimal,
// and is decimal if it was hexadecimal.
func numberLiteral(text string) string {
	upper := strings.ToUpper(text)
	if strings.HasPrefix(upper, "0X") {
		if n, err := strconv.ParseUint(upper[2:], 16, 64); err == nil {
			return strconv.FormatUint(n, 10)
		}
		return text
	}
	if !strings.ContainsAny(upper, ".E") {
		return text
	}
	if !strings.Contains(upper, "E") {
		return text + "e0"
	}
	return text
}

// symbol translates an operator or punctuation that has been passed.
func (t *translator) symbol(tok token) error {
	switch tok.text {
	case "(":
		t.frames = append(t.frames, t.next)
		t.next = frame{close: ")"}
	case "[":
		if t.next.close == ")" {
			t.next.close = "]"
		}
		t.frames = append(t.frames, t.next)
		t.next = frame{close: ")"}
	case ")", "]":
		return t.closeFrame(tok.text)
	case ",":
		t.table = t.frame().from
	}
	t.emit(tok.text)
	return nil
}

func (t *translator) closeFrame(symbol string) error {
	closed := *t.frame()
	if len(t.frames) == 1 || !strings.HasPrefix(closed.close, symbol) {
		return invalidQuery("Syntax error: Unexpected %q", symbol)
	}
	t.frames = t.frames[:len(t.frames)-1]
	t.emit(closed.close)
	if closed.kind == frameUnnest {
		return t.unnestAlias()
	}
	return nil
}

// unnestAlias makes the alias of an UNNEST in FROM name its column, as in GoogleSQL;
// in DuckDB it would name a row.
func (t *translator) unnestAlias() error {
	if t.at(0).is("AS") {
		t.pos++
	}
	alias := t.at(0)
	if alias.is("WITH") || t.at(1).is("WITH") {
		return notImplemented("UNNEST … WITH OFFSET")
	}
	if isName(alias) {
		t.pos++
		t.emit("AS " + ident(alias.text) + "(" + ident(alias.text) + ")")
	}
	return nil
}

// tableItem translates a table, or what stands in its place.
func (t *translator) tableItem(tok token) error {
	t.table = false
	switch {
	case tok.is("("):
		t.pos++
		inner := t.at(0)
		t.table = !inner.is("SELECT") && !inner.is("WITH")
		t.frames = append(t.frames, frame{close: ")"})
		t.emit("(")
		return nil
	case tok.is("UNNEST") && t.at(1).is("("):
		t.pos++
		t.next = frame{kind: frameUnnest, close: ")"}
		t.emit("UNNEST")
		return nil
	case !isName(tok):
		return invalidQuery("Syntax error: Expected a table but got %q", tok.text)
	case tok.kind == tokenWord && t.at(1).is("("):
		return notImplemented("table functions (%s)", tok.text)
	}
	path, after := tablePath(t.tokens, t.pos)
	t.pos = after
	if len(path) == 1 && t.ctes[strings.ToLower(path[0])] {
		t.emit(ident(path[0]))
		return nil
	}
	ref, table, err := t.scope.read(path)
	if err != nil {
		return err
	}
	if err := t.checkReading(ref, table); err != nil {
		return err
	}
	t.scope.scanned.note(ref, table)
	t.emit(source(ref, table, t.tokens))
	if next := t.at(0); !next.is("AS") && !isName(next) {
		t.emit("AS " + ident(ref.table))
	}
	return nil
}

// tablePath reads the path of a table at i: parts with dots between them, in
// backticks by the part or as a whole, or a project with dashes. It returns the
// position after it.
func tablePath(tokens []token, i int) (path []string, after int) {
	at := func(i int) token { return tokens[min(i, len(tokens)-1)] }
	for {
		tok := at(i)
		text := tok.text
		i++
		for tok.kind == tokenWord && at(i).is("-") && at(i).glued && at(i+1).glued {
			text += "-" + at(i+1).text
			i += 2
		}
		if tok.kind == tokenQuoted {
			path = append(path, strings.Split(text, ".")...)
		} else {
			path = append(path, text)
		}
		if !at(i).is(".") {
			return path, i
		}
		i++
	}
}
