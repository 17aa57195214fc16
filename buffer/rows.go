package buffer

import (
	"github.com/apache/arrow/go/v17/arrow"

	"tidemark/model"
)

const (
	// chunkBytes is the size from which on a record is cut from its builder. Builders grow by doubling and copying, so small
	// records are cheaper to build than large ones; below 256 KB the cutting itself costs 30 %.
	chunkBytes = 1 << 20
	// columnBytes is what a column takes beside its values.
	columnBytes = 450
)

// rows will become one part: a builder and the records cut from it.
type rows struct {
	mem     account
	builder *model.Builder
	records []arrow.Record
	count   int64 // rows in all
	size    int64 // their column values in bytes, as they were written
	open    int64 // of size, in the builder
}

func newRows(b *budget, schema *arrow.Schema) *rows {
	r := &rows{mem: account{budget: b}, builder: model.NewBuilder(schema)}
	r.account()
	return r
}

// appended is called after a row was appended to the builder.
func (r *rows) appended() {
	size := r.builder.Size()
	r.count++
	r.size += size - r.open
	r.open = size
	if r.open >= chunkBytes {
		r.cut()
	}
	r.account()
}

// account counts the memory.
func (r *rows) account() { r.mem.set(r.builder.Bytes() + int64(r.builder.Columns())*columnBytes) }

// cut moves the builder's rows into a record.
func (r *rows) cut() {
	if r.open == 0 {
		return
	}
	r.records = append(r.records, r.builder.NewRecord())
	r.open = 0
}

// close ends the building and takes the rows out of what can be handed over.
func (r *rows) close() {
	r.cut()
	r.builder = nil
	r.mem.handedOver()
}

// release frees closed rows. It must be called once.
func (r *rows) release() {
	for _, rec := range r.records {
		rec.Release()
	}
	r.records = nil
	r.mem.set(0)
}
