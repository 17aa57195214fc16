package bigquery

import (
	"fmt"
	"sync"

	"github.com/google/uuid"
)

// conflicts knows whose changes of rows are in progress, by the table, as BigQuery
// does: adding rows conflicts with nothing, and of two that update or delete rows of
// a table at the same time only one goes on
// (docs.cloud.google.com/bigquery/docs/transactions#transaction_concurrency).
// DuckDB's own rules are no substitute: it looks at single rows, and lets a row be
// deleted that somebody else is updating.
//
// BigQuery looks at partitions for statements outside of transactions. Here the
// table is the unit for them, too, so that some run again which there would not.
type conflicts struct {
	mu     sync.Mutex
	tables map[tableRef]*changes
}

// changes is what has happened to the rows of a table since the server started.
type changes struct {
	commits int64     // of attempts that changed rows
	by      *snapshot // in progress that has changed rows; nil if there is none
}

func newConflicts() *conflicts { return &conflicts{tables: map[tableRef]*changes{}} }

// of returns the table's changes. The caller holds mu.
func (c *conflicts) of(ref tableRef) *changes {
	if c.tables[ref] == nil {
		c.tables[ref] = &changes{}
	}
	return c.tables[ref]
}

// changing returns the end of somebody who is changing rows of the tables; nil if
// nobody is.
func (c *conflicts) changing(refs []tableRef) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ref := range refs {
		if by := c.of(ref).by; by != nil {
			return by.ended
		}
	}
	return nil
}

// snapshot is a job's view of the tables, and what it has changed since.
type snapshot struct {
	conflicts   *conflicts
	transaction bool
	targets     []tableRef
	seen        map[tableRef]int64 // commits to the targets that it includes
	claimed     []tableRef
	ended       chan struct{}
	once        sync.Once
}

// snapshot is of one who may change the targets. It must be ended.
func (c *conflicts) snapshot(targets []tableRef, transaction bool) *snapshot {
	return &snapshot{conflicts: c, transaction: transaction, targets: targets, ended: make(chan struct{})}
}

// take notes which commits the view includes. It must be called before the view is
// taken: a commit in between then conflicts although it is seen, which is only a
// moment's bad luck, where in the other order it would be overlooked.
func (s *snapshot) take() {
	s.conflicts.mu.Lock()
	defer s.conflicts.mu.Unlock()
	s.seen = map[tableRef]int64{}
	for _, ref := range s.targets {
		s.seen[ref] = s.conflicts.of(ref).commits
	}
}

// claim notes that rows of the table were updated or deleted, or tells who else has
// done so since the snapshot. The caller holds the table's lock.
func (s *snapshot) claim(ref tableRef) error {
	s.conflicts.mu.Lock()
	defer s.conflicts.mu.Unlock()
	table := s.conflicts.of(ref)
	switch {
	case table.by == s:
		return nil
	case table.by != nil || table.commits != s.seen[ref]:
		return conflictWith(ref, table.by)
	}
	table.by = s
	s.claimed = append(s.claimed, ref)
	return nil
}

// lost is the conflict that DuckDB has found in the table.
func (s *snapshot) lost(ref tableRef) error {
	s.conflicts.mu.Lock()
	defer s.conflicts.mu.Unlock()
	by := s.conflicts.of(ref).by
	if by == s {
		by = nil
	}
	return conflictWith(ref, by)
}

// end gives up the claims, before anybody is told that the job is DONE. Only the
// first call counts.
func (s *snapshot) end(committed bool) {
	s.once.Do(func() {
		s.conflicts.mu.Lock()
		defer s.conflicts.mu.Unlock()
		for _, ref := range s.claimed {
			table := s.conflicts.of(ref)
			table.by = nil
			if committed {
				table.commits++
			}
		}
		close(s.ended)
	})
}

// conflict is why a snapshot cannot be committed: another has changed rows of the
// table since.
type conflict struct {
	table  tableRef
	at     place           // of the statement that has found out
	ended  <-chan struct{} // of the other one; nil if it has ended
	queues bool            // the other one is a transaction, which statements wait for
}

func conflictWith(ref tableRef, by *snapshot) *conflict {
	if by == nil {
		return &conflict{table: ref}
	}
	return &conflict{table: ref, ended: by.ended, queues: by.transaction}
}

// aborts is what becomes of a transaction.
func (c *conflict) aborts(p phrases) error {
	values := with(about(c.table), "transaction", uuid.NewString())
	return p.refuse(caseConcurrentUpdate, with(with(values, "line", c.at.line), "column", c.at.column))
}

func (c *conflict) Error() string {
	return fmt.Sprintf("rows of table %s were changed meanwhile", c.table)
}
