package bigquery

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// partitions knows which partitions the tables have, lest every job look at all rows
// of its table.
type partitions struct {
	mu       sync.Mutex
	tables   map[tableRef]*present
	versions map[tableRef]int // of changes, so that nothing outdated is learned
}

// present is the partitions of a table.
type present struct {
	ids map[string]bool // nil if they must be looked up

	// expired are those whose rows are gone and that count until then.
	expired map[string]time.Time
}

func newPartitions() *partitions {
	return &partitions{tables: map[tableRef]*present{}, versions: map[tableRef]int{}}
}

// forget is of a table that is created or dropped.
func (p *partitions) forget(ref tableRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.versions[ref]++
	delete(p.tables, ref)
}

// changed is of a table that has lost rows, and perhaps partitions.
func (p *partitions) changed(ref tableRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.versions[ref]++
	p.of(ref).ids = nil
}

// of returns the table's record. The caller holds mu.
func (p *partitions) of(ref tableRef) *present {
	if p.tables[ref] == nil {
		p.tables[ref] = &present{expired: map[string]time.Time{}}
	}
	return p.tables[ref]
}

// add is of partitions that have been written to.
func (p *partitions) add(ref tableRef, ids map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.versions[ref]++
	if t := p.of(ref); t.ids != nil {
		maps.Copy(t.ids, ids)
	}
}

// expire is of partitions whose rows have been removed, and that count for a while.
func (p *partitions) expire(ref tableRef, ids map[string]time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.versions[ref]++
	t := p.of(ref)
	for id, until := range ids {
		delete(t.ids, id)
		t.expired[id] = until
	}
}

// union counts the table's partitions together with those that are about to be
// written; expired ones count until their time. ids are those known to be there.
func (p *partitions) union(ref tableRef, ids, written map[string]bool, now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := maps.Clone(ids)
	maps.Copy(all, written)
	for id, until := range p.of(ref).expired {
		if until.After(now) {
			all[id] = true
		} else {
			delete(p.of(ref).expired, id)
		}
	}
	return len(all)
}

// known are the partitions that a table is known to have, nil if it must be asked,
// and the version to learn the answer as.
func (p *partitions) known(ref tableRef) (ids map[string]bool, version int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.of(ref).ids), p.versions[ref]
}

// learn keeps what was looked up, unless something has been committed meanwhile.
func (p *partitions) learn(ref tableRef, ids map[string]bool, version int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.versions[ref] == version {
		p.of(ref).ids = maps.Clone(ids)
	}
}

// partitionIDs are the committed partitions of a table.
func (s *Server) partitionIDs(ctx context.Context, ref tableRef, p *partitioning) (map[string]bool, error) {
	ids, version := s.partitions.known(ref)
	if ids != nil {
		return ids, nil
	}
	ids = map[string]bool{}
	err := s.store.transact(ctx, func(t *txn) error {
		return t.texts(ctx, p.distinct(ident(p.column), ref.physical()), func(id string) { ids[id] = true })
	})
	if err == nil {
		s.partitions.learn(ref, ids, version)
	}
	return ids, err
}

// texts calls each for every row of a query of one text.
func (t *txn) texts(ctx context.Context, query string, each func(string)) error {
	return t.query(ctx, query, func(rows *sql.Rows) error {
		var text string
		err := rows.Scan(&text)
		each(text)
		return err
	})
}

// countPartitions is what tables.get tells.
func (s *Server) countPartitions(ctx context.Context, ref tableRef, table *bq.Table) (int64, error) {
	p := partitioningOf(table)
	if p == nil {
		return 0, nil
	}
	ids, err := s.partitionIDs(ctx, ref, p)
	return int64(s.partitions.union(ref, ids, nil, s.cfg.Now())), err
}

// checkModified refuses a job that modifies too many partitions.
func (c *catalog) checkModified(written map[string]bool, refusal string) error {
	if limit := c.limits.PartitionsPerJob; len(written) > limit {
		return c.phrases.refuse(refusal, with(with(map[string]string{}, "limit", limit), "partitions", len(written)))
	}
	return nil
}

// checkTotal refuses a job after which the table would have too many partitions.
func (s *Server) checkTotal(ctx context.Context, ref tableRef, p *partitioning, written map[string]bool) error {
	ids, err := s.partitionIDs(ctx, ref, p)
	if err != nil {
		return err
	}
	before := s.partitions.union(ref, ids, nil, s.cfg.Now())
	after := s.partitions.union(ref, ids, written, s.cfg.Now())
	if limit := s.cfg.Limits.PartitionsPerTable; after > limit && after > before {
		return s.catalog.phrases.refuse(caseTablePartitions, with(with(about(ref), "limit", limit), "partitions", after))
	}
	return nil
}

// kindModification is how the store calls the partitions that a load job has modified.
const kindModification = "modification"

// noteModifications counts against the table's daily quota, and remembers it beyond
// the end of the server even if the load fails.
func (s *Server) noteModifications(ctx context.Context, ref tableRef, p *partitioning, n int) error {
	m := modification{At: s.cfg.Now(), N: n}
	if err := s.quota.modify(ref, p, m); err != nil {
		return err
	}
	return s.store.transact(ctx, func(t *txn) error { return t.putObject(ctx, kindModification, ref.key(), mustJSON(m)) })
}

// restoreModifications reads what an earlier server has counted.
func (s *Server) restoreModifications(ctx context.Context) error {
	return s.store.transact(ctx, func(t *txn) error {
		const query = `SELECT id, record FROM "$catalog".objects WHERE kind = '` + kindModification + `' ORDER BY seq`
		return t.query(ctx, query, func(rows *sql.Rows) error {
			var id, record string
			if err := rows.Scan(&id, &record); err != nil {
				return err
			}
			var m modification
			names := strings.Split(id, "/")
			ref := tableRef{names[0], names[1], names[2]}
			err := json.Unmarshal([]byte(record), &m)
			s.quota.modified[ref] = append(s.quota.modified[ref], m)
			return err
		})
	})
}
