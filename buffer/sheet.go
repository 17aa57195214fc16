package buffer

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow"

	"tidemark/batch"
	"tidemark/model"
)

// Table is where the rows of a model go.
type Table struct {
	Target batch.Target
	// Columns of the rows, in the order of the parts.
	Columns []model.Selected
}

// sheet is one kind of parts of a batch: those of a table, or the rejects.
type sheet struct {
	Table
	reject bool // no table
	schema *arrow.Schema
	json   bool         // of persons: their table has the properties as JSON
	shared atomic.Int64 // parts of several teams
	keys   keys         // of persons that were handed over
}

// keys are the bounds of keys.
type keys struct {
	mu     sync.Mutex
	any    bool
	bounds batch.Keys

	persons, distinctIDs ranges
}

func newSheet(t Table) *sheet {
	return &sheet{
		Table: t, schema: model.Schema(t.Columns),
		json: slices.ContainsFunc(t.Columns, func(c model.Selected) bool { return c.Loadable }),
	}
}

// contents returns the sheet's table with its parts.
func (s *sheet) contents(parts []batch.Part) batch.Table {
	t := batch.Table{Target: s.Target, Parts: parts}
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	if s.keys.any {
		bounds := s.keys.bounds
		bounds.Persons, bounds.DistinctIDs = s.keys.persons.covering(), s.keys.distinctIDs.covering()
		t.Keys = &bounds
	}
	return t
}

// object names a part.
func (s *sheet) object(b *Batch, team int64, number int) string {
	if s.reject {
		return batch.RejectsObject(b.prefix, b.id, number)
	}
	return batch.PartObject(b.prefix, b.id, s.Target.Model, team, number)
}
