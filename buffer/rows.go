package buffer

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

const (
	// chunkBytes is the size at which a record is cut from its builder. Builders grow by doubling and copying, so small
	// records are cheaper to build than large ones; below 256 KB the cutting itself costs 30 %.
	chunkBytes = 1 << 20
	// columnBytes is what an empty builder takes for each column beside its allocations.
	columnBytes = 450
)

// rows will become one part: a builder and the records cut from it.
type rows struct {
	mem     account
	own     int64 // bytes of the builder beside its allocations
	builder *array.RecordBuilder
	records []arrow.Record
	count   int64 // rows in all
	size    int64 // their column values in bytes
	open    int64 // of size, in the builder
	widths  []int // bytes of each text column in the last record
}

func newRows(b *budget, schema *arrow.Schema) *rows {
	r := &rows{mem: account{budget: b}, own: int64(schema.NumFields()) * columnBytes}
	r.mem.add(r.own)
	r.builder = array.NewRecordBuilder(&r.mem, schema)
	return r
}

// reserve is called before a row of size bytes is appended to the builder.
func (r *rows) reserve(size int64) {
	if r.open > 0 && r.open+size > chunkBytes {
		r.cut()
	}
	if r.open == 0 && len(r.records) > 0 {
		r.presize()
	}
	r.count++
	r.size += size
	r.open += size
}

// presize makes the builder as large as the last record, and a little larger: it need not grow, and it does not take
// up to twice what it needs.
func (r *rows) presize() {
	last := r.records[len(r.records)-1]
	r.builder.Reserve(int(last.NumRows()))
	for i, width := range r.widths {
		if b := textBuilder(r.builder.Field(i)); b != nil {
			b.ReserveData(width + width/16)
		}
	}
}

// cut moves the builder's rows into a record.
func (r *rows) cut() {
	if r.open == 0 {
		return
	}
	r.widths = r.widths[:0]
	for _, field := range r.builder.Fields() {
		width := 0
		if b := textBuilder(field); b != nil {
			width = b.DataLen()
		}
		r.widths = append(r.widths, width)
	}
	r.records = append(r.records, r.builder.NewRecord())
	r.open = 0
}

func textBuilder(b array.Builder) *array.BinaryBuilder {
	switch b := b.(type) {
	case *array.StringBuilder:
		return b.BinaryBuilder
	case *array.BinaryBuilder:
		return b
	}
	return nil
}

// close ends the building and takes the rows out of what can be handed over.
func (r *rows) close() {
	r.cut()
	r.builder.Release()
	r.builder = nil
	r.mem.handedOver()
}

// release frees closed rows. It must be called once.
func (r *rows) release() {
	for _, rec := range r.records {
		rec.Release()
	}
	r.records = nil
	r.mem.add(-r.own)
}
