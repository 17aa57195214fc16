package buffer

import (
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
	shared atomic.Int64 // parts of several teams
}

func newSheet(t Table) *sheet { return &sheet{Table: t, schema: model.Schema(t.Columns)} }

// object names a part.
func (s *sheet) object(b *Batch, team int64, number int) string {
	if s.reject {
		return batch.RejectsObject(b.prefix, b.id, number)
	}
	return batch.PartObject(b.prefix, b.id, s.Target.Model, team, number)
}
