package bigquery

import (
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// parser reads the words of a definition.
type parser struct {
	sc     *scope
	tokens []token
	i      int
}

func (p *parser) peek() token { return p.tokens[p.i] }

// accept passes all of the words, or none.
func (p *parser) accept(words ...string) bool {
	for k, word := range words {
		if p.i+k >= len(p.tokens) || !p.tokens[p.i+k].is(word) {
			return false
		}
	}
	p.i += len(words)
	return true
}

func (p *parser) unexpected() error {
	return invalidQuery("Syntax error: Unexpected %q", p.peek().text)
}

// tableName resolves a path.
func (p *parser) tableName() (tableRef, error) {
	if !isName(p.peek()) {
		return tableRef{}, p.unexpected()
	}
	path, after := tablePath(p.tokens, p.i)
	p.i = after
	return p.sc.resolve(path)
}

// definition reads columns, partitioning, clustering and options.
func (p *parser) definition(table *bq.Table) error {
	if p.peek().is("(") {
		end := closing(p.tokens, p.i)
		table.Schema = &bq.TableSchema{}
		for _, item := range splitList(p.tokens[p.i+1 : end]) {
			field, err := parseColumn(item)
			if err != nil {
				return err
			}
			table.Schema.Fields = append(table.Schema.Fields, field)
		}
		p.i = end + 1
	}
	if p.accept("PARTITION", "BY") {
		if err := p.partitioning(table); err != nil {
			return err
		}
	}
	if p.accept("CLUSTER", "BY") {
		table.Clustering = &bq.Clustering{}
		for ok := true; ok; ok = p.accept(",") {
			table.Clustering.Fields = append(table.Clustering.Fields, p.peek().text)
			p.i++
		}
	}
	if p.accept("OPTIONS") {
		end := closing(p.tokens, p.i)
		if err := tableOptions(p.tokens[p.i+1:end], table); err != nil {
			return err
		}
		p.i = end + 1
	}
	return nil
}

// closing is the position of the parenthesis that ends the one at i.
func closing(tokens []token, i int) int {
	depth := 0
	for ; i < len(tokens)-1; i++ {
		switch {
		case tokens[i].is("("):
			depth++
		case tokens[i].is(")"):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return i
}

// parseColumn reads name type [NOT NULL] [OPTIONS (description = …)].
func parseColumn(tokens []token) (*bq.TableFieldSchema, error) {
	p := &parser{tokens: append(append([]token(nil), tokens...), token{kind: tokenEnd}), i: 1}
	if !isName(p.tokens[0]) {
		return nil, invalidQuery("Syntax error: Unexpected %q", p.tokens[0].text)
	}
	field := &bq.TableFieldSchema{Name: p.tokens[0].text, Mode: modeNullable}
	if p.accept("ARRAY", "<") {
		field.Type, field.Mode = p.peek().text, modeRepeated
		p.i++
		if !p.accept(">") {
			return nil, notImplemented("the type of column %s", field.Name)
		}
	} else {
		field.Type = p.peek().text
		p.i++
	}
	if p.accept("NOT", "NULL") {
		field.Mode = modeRequired
	}
	if p.accept("OPTIONS", "(", "DESCRIPTION", "=") && p.peek().kind == tokenString {
		field.Description = p.peek().text
		if p.i++; !p.accept(")") {
			return nil, notImplemented("options of column %s other than its description", field.Name)
		}
	}
	if p.peek().kind != tokenEnd {
		return nil, notImplemented("%s in the definition of column %s", p.peek().text, field.Name)
	}
	return field, normalizeField(field)
}

func parseTimestamp(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999Z07:00", "2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.999999 UTC", "2006-01-02 15:04:05.999999", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, invalidQuery("Invalid TIMESTAMP literal %q", text)
}
