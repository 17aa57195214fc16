package buffer

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/model"
)

// ReasonUnloadable is what a rejects part says of a message whose row was kept with NULL in a JSON column. It is not a
// rejected record.
const ReasonUnloadable model.Reason = "unloadable_json"

// rejectSchema is the format of rejects parts; the package comment describes it.
func rejectSchema() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "reason", Type: arrow.BinaryTypes.String},
		{Name: "detail", Type: arrow.BinaryTypes.String},
		{Name: "topic", Type: arrow.BinaryTypes.String},
		{Name: "partition", Type: arrow.PrimitiveTypes.Int32},
		{Name: "offset", Type: arrow.PrimitiveTypes.Int64},
		{Name: "timestamp", Type: arrow.FixedWidthTypes.Timestamp_us},
		{Name: "key", Type: arrow.BinaryTypes.Binary, Nullable: true},
		{Name: "value", Type: arrow.BinaryTypes.Binary, Nullable: true},
	}, nil)
}

// rejects collects messages byte for byte.
type rejects struct{ bin }

// append adds a record. It copies what it keeps.
func (r *rejects) append(rec *kgo.Record, reason model.Reason, detail string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.batch.discarded.Load() {
		return
	}
	r.ready()
	b := r.rows.builder
	b.Column(0).AppendString(string(reason))
	b.Column(1).AppendString(detail)
	b.Column(2).AppendString(rec.Topic)
	b.Column(3).AppendInt(int64(rec.Partition))
	b.Column(4).AppendInt(rec.Offset)
	b.Column(5).AppendInt(rec.Timestamp.UnixMicro())
	appendBytes(b.Column(6), rec.Key)
	appendBytes(b.Column(7), rec.Value)
	r.appended()
}

func appendBytes(c *model.ColumnBuilder, v []byte) {
	if v == nil {
		c.AppendNull()
		return
	}
	c.AppendText(v)
}
