package bigquery

import (
	"context"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// planDDL plans CREATE TABLE, DROP TABLE and ALTER TABLE … ADD COLUMN
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language).
func (s *Server) planDDL(sc *scope, tokens []token) (*statement, error) {
	p := &parser{sc: sc, tokens: tokens, i: 1}
	replace := p.accept("OR", "REPLACE")
	if !p.accept("TABLE") {
		return nil, notImplemented("%s %s", tokens[0].upper, p.peek().text)
	}
	switch tokens[0].upper {
	case "CREATE":
		return s.planCreate(p, replace)
	case "DROP":
		return s.planDrop(p)
	}
	return s.planAlter(p)
}

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

// planCreate plans CREATE [OR REPLACE] TABLE [IF NOT EXISTS] path [(columns)]
// [PARTITION BY day] [CLUSTER BY columns] [OPTIONS (…)] [AS query].
func (s *Server) planCreate(p *parser, replace bool) (*statement, error) {
	ifNotExists := p.accept("IF", "NOT", "EXISTS")
	ref, err := p.tableName()
	if err != nil {
		return nil, err
	}
	table := &bq.Table{}
	if err := p.definition(table); err != nil {
		return nil, err
	}
	st := &statement{kind: kindCreate, target: ref, ddl: true, check: noCheck}
	query := ""
	if p.accept("AS") {
		st.kind = kindCreateAs
		if query, err = p.sc.translate(p.tokens[p.i:]); err != nil {
			return nil, err
		}
	} else if p.peek().kind != tokenEnd {
		return nil, p.unexpected()
	}
	st.run = func(ctx context.Context, t *txn) (*outcome, error) {
		s.catalog.write.Lock()
		defer s.catalog.write.Unlock()
		_, missing := s.catalog.table(ref)
		if missing == nil && ifNotExists {
			return &outcome{}, nil
		}
		if missing == nil && !replace {
			return nil, errExists(ref)
		}
		return &outcome{}, s.createAs(ctx, t, ref, table, query)
	}
	return st, nil
}

// createAs creates the table, in place of one that is there, and fills it with what
// the query selects, if there is one.
func (s *Server) createAs(ctx context.Context, t *txn, ref tableRef, table *bq.Table, query string) error {
	if query != "" {
		columns, err := t.describe(ctx, query)
		if err != nil {
			return queryError(err)
		}
		selected, err := resultSchema(columns)
		if err != nil {
			return err
		}
		if table.Schema == nil {
			table.Schema = selected
		} else if err := checkAssignments(columns, table.Schema.Fields, false); err != nil {
			return err
		}
	}
	if err := s.createTable(ctx, t, ref, table); err != nil || query == "" {
		return err
	}
	_, err := t.exec(ctx, insertSQL(ref, table.Schema.Fields, query))
	if err != nil {
		return queryError(err)
	}
	return nil
}

func noCheck(context.Context, *txn) (*bq.TableSchema, error) { return nil, nil }

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

// partitioning reads DATE(column), TIMESTAMP_TRUNC(column, DAY) or a column.
func (p *parser) partitioning(table *bq.Table) error {
	wrapped := p.accept("DATE", "(")
	truncated := !wrapped && p.accept("TIMESTAMP_TRUNC", "(")
	if !isName(p.peek()) {
		return p.unexpected()
	}
	table.TimePartitioning = &bq.TimePartitioning{Type: "DAY", Field: p.peek().text}
	p.i++
	if wrapped && !p.accept(")") || truncated && !p.accept(",", "DAY", ")") {
		return notImplemented("partitioning other than by the day of a column")
	}
	return nil
}

// tableOptions reads name = value, …
func tableOptions(tokens []token, table *bq.Table) error {
	for _, item := range splitList(tokens) {
		p := &parser{tokens: append(append([]token(nil), item...), token{kind: tokenEnd})}
		switch {
		case p.accept("DESCRIPTION", "=") && p.peek().kind == tokenString:
			table.Description = p.peek().text
			p.i++
		case p.accept("EXPIRATION_TIMESTAMP", "=", "TIMESTAMP") && p.peek().kind == tokenString:
			expiration, err := parseTimestamp(p.peek().text)
			if err != nil {
				return err
			}
			table.ExpirationTime = expiration.UnixMilli()
			p.i++
		}
		if p.i == 0 || p.peek().kind != tokenEnd {
			return notImplemented("the table option %s", p.tokens[0].text)
		}
	}
	return nil
}

func parseTimestamp(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999Z07:00", "2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.999999 UTC", "2006-01-02 15:04:05.999999", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, invalidQuery("Invalid TIMESTAMP literal %q", text)
}

// planDrop plans DROP TABLE [IF EXISTS] path.
func (s *Server) planDrop(p *parser) (*statement, error) {
	ifExists := p.accept("IF", "EXISTS")
	ref, err := p.tableName()
	if err != nil {
		return nil, err
	}
	if p.peek().kind != tokenEnd {
		return nil, p.unexpected()
	}
	return &statement{kind: kindDrop, target: ref, ddl: true, check: noCheck, run: func(ctx context.Context, t *txn) (*outcome, error) {
		s.catalog.write.Lock()
		defer s.catalog.write.Unlock()
		if _, err := s.catalog.table(ref); err != nil {
			if ifExists && isNotFound(err) {
				err = nil
			}
			return &outcome{}, err
		}
		return &outcome{}, s.dropTable(ctx, t, ref)
	}}, nil
}

// planAlter plans ALTER TABLE path ADD COLUMN [IF NOT EXISTS] column, ….
func (s *Server) planAlter(p *parser) (*statement, error) {
	ref, err := p.tableName()
	if err != nil {
		return nil, err
	}
	type addition struct {
		field     *bq.TableFieldSchema
		unlessHas bool
	}
	var additions []addition
	for _, item := range splitList(p.tokens[p.i : len(p.tokens)-1]) {
		words := &parser{tokens: append(append([]token(nil), item...), token{kind: tokenEnd})}
		if !words.accept("ADD", "COLUMN") {
			return nil, notImplemented("ALTER TABLE … %s", words.peek().text)
		}
		a := addition{unlessHas: words.accept("IF", "NOT", "EXISTS")}
		if a.field, err = parseColumn(words.tokens[words.i : len(words.tokens)-1]); err != nil {
			return nil, err
		}
		additions = append(additions, a)
	}
	return &statement{kind: kindAlter, target: ref, ddl: true, check: noCheck, run: func(ctx context.Context, t *txn) (*outcome, error) {
		s.catalog.write.Lock()
		defer s.catalog.write.Unlock()
		old, err := s.catalog.table(ref)
		if err != nil {
			return nil, err
		}
		patched := *old
		patched.Schema = &bq.TableSchema{Fields: append([]*bq.TableFieldSchema(nil), old.Schema.Fields...)}
		for _, a := range additions {
			if a.unlessHas && fieldNamed(patched.Schema, a.field.Name) != nil {
				continue
			}
			patched.Schema.Fields = append(patched.Schema.Fields, a.field)
		}
		return &outcome{}, s.alterTable(ctx, t, ref, old, &patched)
	}}, nil
}
