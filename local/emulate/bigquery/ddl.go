package bigquery

import (
	"context"

	bq "google.golang.org/api/bigquery/v2"
)

// planDDL plans CREATE TABLE, DROP TABLE and ALTER TABLE … ADD COLUMN or SET OPTIONS
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
	target := dmlTarget{ref: ref, table: table, catalog: s.catalog, now: s.cfg.Now()}
	written, err := target.partitions(ctx, t, target.inserted(table.Schema.Fields, query))
	if err != nil {
		return err
	}
	if limit := s.cfg.Limits.PartitionsPerTable; len(written) > limit {
		return s.catalog.phrases.refuse(caseTablePartitions, with(with(about(ref), "limit", limit), "partitions", len(written)))
	}
	if _, err := t.exec(ctx, insertSQL(target, table.Schema.Fields, query)); err != nil {
		return queryError(err)
	}
	return nil
}

func noCheck(context.Context, *txn) (*bq.TableSchema, error) { return nil, nil }

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

// planSetOptions plans ALTER TABLE path SET OPTIONS (name = value, …).
func (s *Server) planSetOptions(p *parser, ref tableRef) (*statement, error) {
	end := closing(p.tokens, p.i)
	if !p.peek().is("(") || p.tokens[end+1].kind != tokenEnd {
		return nil, p.unexpected()
	}
	options := p.tokens[p.i+1 : end]
	return &statement{kind: kindAlter, target: ref, ddl: true, check: noCheck, run: func(ctx context.Context, t *txn) (*outcome, error) {
		s.catalog.write.Lock()
		defer s.catalog.write.Unlock()
		old, err := s.catalog.table(ref)
		if err != nil {
			return nil, err
		}
		patched := *old
		if err := tableOptions(options, &patched); err != nil {
			return nil, err
		}
		return &outcome{}, s.alterTable(ctx, t, ref, old, &patched)
	}}, nil
}

// planAlter plans ALTER TABLE path ADD COLUMN [IF NOT EXISTS] column, … and SET OPTIONS.
func (s *Server) planAlter(p *parser) (*statement, error) {
	ref, err := p.tableName()
	if err != nil {
		return nil, err
	}
	type addition struct {
		field     *bq.TableFieldSchema
		unlessHas bool
	}
	if p.accept("SET", "OPTIONS") {
		return s.planSetOptions(p, ref)
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
