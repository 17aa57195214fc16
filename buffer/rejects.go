package buffer

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
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

// rejectFixed is what a reject takes beside its key and value, roughly.
const rejectFixed = 100

// rejects collects messages byte for byte.
type rejects struct{ bin }

// append adds a record. It copies what it keeps.
func (r *rejects) append(rec *kgo.Record, reason model.Reason, detail string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.batch.discarded.Load() {
		return
	}
	r.reserve(int64(rejectFixed + len(detail) + len(rec.Key) + len(rec.Value)))
	b := r.rows.builder
	b.Field(0).(*array.StringBuilder).Append(string(reason))
	b.Field(1).(*array.StringBuilder).Append(detail)
	b.Field(2).(*array.StringBuilder).Append(rec.Topic)
	b.Field(3).(*array.Int32Builder).Append(rec.Partition)
	b.Field(4).(*array.Int64Builder).Append(rec.Offset)
	b.Field(5).(*array.TimestampBuilder).Append(arrow.Timestamp(rec.Timestamp.UnixMicro()))
	appendBytes(b.Field(6), rec.Key)
	appendBytes(b.Field(7), rec.Value)
	r.appended()
}

func appendBytes(b array.Builder, v []byte) {
	if v == nil {
		b.AppendNull()
		return
	}
	b.(*array.BinaryBuilder).Append(v)
}
