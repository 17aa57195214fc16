package buffer

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"tidemark/batch"
	"tidemark/model"
)

// Table is where the rows of a model go.
type Table struct {
	Target batch.Target
	// Columns of the rows, in the order of the parts.
	Columns []model.Selected
	// From is the earliest time that events may have, where the table's partitions have no room for any.
	From time.Time
	// StageAbove is how many partitions the rows may be in before they go by a stage table.
	StageAbove int
}

// sheet is one kind of parts of a batch: those of a table, or the rejects.
type sheet struct {
	Table
	reject bool // no table
	schema *arrow.Schema
	json   bool         // of persons: their table has the properties as JSON
	shared atomic.Int64 // parts of several teams
	keys   keys         // of persons that were handed over
	// partitions that the rows of events are in. Persons are merged, and may move from one to another.
	partitions *partitions
}

// keys are the bounds of keys.
type keys struct {
	mu     sync.Mutex
	any    bool
	bounds batch.Keys

	persons, distinctIDs ranges
}

func newSheet(t Table, opened time.Time) *sheet {
	return &sheet{
		Table: t, schema: model.Schema(t.Columns), partitions: newPartitions(t, opened),
		json: slices.ContainsFunc(t.Columns, func(c model.Selected) bool { return c.Loadable }),
	}
}

// contents returns the sheet's table with its parts.
func (s *sheet) contents(parts []batch.Part) batch.Table {
	t := batch.Table{Target: s.Target, Parts: parts, Partitions: s.partitions.count()}
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	t.Staged = !s.keys.any && (t.Target.HasJSON() || s.StageAbove > 0 && t.Partitions > s.StageAbove)
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
