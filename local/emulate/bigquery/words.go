package bigquery

// word translates a word at the current position: a keyword, function, type or
// identifier, whichever it is here.
func (t *translator) word(tok token) error {
	before, after := t.at(-1), t.at(1)
	switch {
	case tok.is("SAFE") && after.is("."):
		return t.safe()
	case before.is("."):
		t.identifier(tok)
	case tok.is("AS"):
		return t.as()
	case before.is("AS"):
		t.identifier(tok) // an alias, be it a keyword elsewhere
	case after.is("(") && isFunction(tok.upper) && !t.isSyntax(tok):
		return t.call(tok)
	case after.kind == tokenString && isLiteralType(tok.upper):
		return t.typedLiteral(tok, after)
	case tok.is("CURRENT_TIMESTAMP"):
		t.pos++
		t.emit(timeLiteral(t.scope.now))
	case keyword(tok.upper):
		return t.keyword(tok)
	case t.isSyntax(tok):
		t.pos++
		t.emit(tok.upper)
	case t.frame().kind == framePart && before.is(",") && after.is(")"):
		return t.part(tok)
	default:
		t.identifier(tok)
	}
	return nil
}

func (t *translator) identifier(tok token) {
	t.pos++
	if !tok.is(partitionDate) {
		t.emit(ident(tok.text))
		return
	}
	qualifier := ""
	if n := len(t.out); n > 1 && t.out[n-1] == "." {
		qualifier = t.out[n-2] + "."
		t.out = t.out[:n-2]
	}
	t.emit("bq_date(" + qualifier + ident(partitionTime) + ")")
}

// isFunction tells whether a word before a parenthesis is a function's name.
func isFunction(upper string) bool {
	switch upper {
	case "ARRAY", "CAST", "EXTRACT", "IF", "LEFT", "RIGHT", "UNNEST":
		return true
	}
	return !keyword(upper)
}

// isSyntax tells whether a word that is not reserved is a keyword here.
func (t *translator) isSyntax(tok token) bool {
	before := t.at(-1)
	switch tok.upper {
	case "VALUES":
		return t.pos == 0
	case "OFFSET":
		return before.kind == tokenNumber || before.kind == tokenParam
	case "ROW":
		return before.is("CURRENT")
	case "FIRST", "LAST":
		return before.is("NULLS")
	case "REPLACE":
		return before.is("*")
	}
	return false
}

// safe translates SAFE.f, which is NULL where f fails.
func (t *translator) safe() error {
	name := t.at(2)
	if !name.is("PARSE_JSON") {
		return notImplemented("SAFE.%s", name.text)
	}
	t.pos += 3
	t.emit("bq_safe_parse_json")
	return nil
}

// as translates AS, and the type that follows it in a CAST.
func (t *translator) as() error {
	if t.at(-1).is("SELECT") {
		return notImplemented("SELECT AS %s", t.at(1).text)
	}
	t.pos++
	t.emit("AS")
	if t.frame().kind != frameCast {
		return nil
	}
	duck, after, err := parseType(t.tokens, t.pos)
	if err != nil {
		return err
	}
	t.pos = after
	t.emit(duck)
	switch {
	case duck == typeJSON:
		return invalidQuery("Invalid cast to JSON")
	case !t.at(0).is(")"):
		return notImplemented("CAST … %s", t.at(0).text)
	}
	return nil
}

// parseType reads a type at i and returns DuckDB's name of it and the position
// after it.
func parseType(tokens []token, i int) (duck string, after int, err error) {
	tok := tokens[i]
	if tok.is("ARRAY") && i+3 < len(tokens) && tokens[i+1].is("<") && tokens[i+3].is(">") {
		element, ok := typeName(tokens[i+2].text)
		if !ok {
			return "", i, notImplemented("the type ARRAY<%s>", tokens[i+2].text)
		}
		return duckType(element) + "[]", i + 4, nil
	}
	name, ok := typeName(tok.text)
	if !ok || tok.kind != tokenWord {
		return "", i, notImplemented("the type %s", tok.text)
	}
	if i+1 < len(tokens) && tokens[i+1].is("(") {
		return "", i, notImplemented("parameters of the type %s", tok.text)
	}
	return duckType(name), i + 1, nil
}

// call translates a function's name and sets what its parenthesis is.
func (t *translator) call(tok token) error {
	t.pos++
	switch tok.upper {
	case "CAST", "SAFE_CAST":
		t.next.kind = frameCast
		t.emit(map[string]string{"CAST": "CAST", "SAFE_CAST": "TRY_CAST"}[tok.upper])
		return nil
	case "EXTRACT":
		return t.extract()
	case "ARRAY", "LEFT", "RIGHT":
		t.emit(tok.upper)
		return nil
	case "UNNEST":
		if !t.at(-2).is("IN") {
			return notImplemented("UNNEST outside of FROM and IN")
		}
		t.emit("( SELECT UNNEST")
		t.next.close = ") )"
		return nil
	case "CURRENT_TIMESTAMP", "CURRENT_DATE":
		if !t.at(1).is(")") {
			return notImplemented("arguments of %s", tok.upper)
		}
		t.pos += 2
		t.emit(map[string]string{"CURRENT_TIMESTAMP": "", "CURRENT_DATE": "bq_date"}[tok.upper] + "(" + timeLiteral(t.scope.now) + ")")
		return nil
	case "ARRAY_AGG", "STRING_AGG", "ANY_VALUE":
		t.next.kind = frameAggregate
	}
	duck, ok := function(tok.upper)
	if !ok {
		return notImplemented("the function %s", tok.upper)
	}
	if partFunction(tok.upper) {
		t.next.kind = framePart
	}
	t.emit(duck)
	return nil
}

// extract translates EXTRACT(part FROM, for parts that mean the same in DuckDB; its
// microseconds and milliseconds include the seconds.
func (t *translator) extract() error {
	part := t.at(1)
	if !t.at(2).is("FROM") {
		return invalidQuery("Syntax error: Expected EXTRACT(part FROM …)")
	}
	t.pos += 3
	t.next = frame{close: ")"}
	switch part.upper {
	case "DATE":
		t.emit("bq_date (")
	case "YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND":
		t.emit("EXTRACT ( " + part.upper + " FROM")
	case "DAYOFYEAR":
		t.emit("EXTRACT ( doy FROM")
	default:
		return notImplemented("EXTRACT(%s FROM …)", part.text)
	}
	t.frames = append(t.frames, frame{kind: frameExtract, close: ")"})
	return nil
}

func (t *translator) part(tok token) error {
	duck, ok := datePart(tok.upper)
	if !ok {
		return notImplemented("the date part %s", tok.text)
	}
	t.pos++
	t.emit(quote(duck))
	return nil
}

// isLiteralType tells whether the type's name before a string makes a literal.
func isLiteralType(upper string) bool {
	switch upper {
	case typeTimestamp, typeDate, typeDateTime, typeTime, typeNumeric, typeJSON, "BIGNUMERIC", "RANGE":
		return true
	}
	return false
}

func (t *translator) typedLiteral(tok, text token) error {
	name, ok := typeName(tok.text)
	if !ok {
		return notImplemented("literals of type %s", tok.text)
	}
	t.pos += 2
	if name == typeJSON {
		t.emit("bq_parse_json(" + quote(text.text) + ")")
	} else {
		t.emit("CAST(" + quote(text.text) + " AS " + duckType(name) + ")")
	}
	return nil
}
