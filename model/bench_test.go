package model

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkDecode reports the speed over different messages, more than a branch
// predictor learns by heart. With person_properties they are about 1 KB longer.
func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{1015, 2600} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			benchmarkDecode(b, records(1, 256, size))
		})
	}
}

func benchmarkDecode(b *testing.B, messages [][]byte) {
	total := 0
	for _, m := range messages {
		total += len(m)
	}
	d := NewDecoder(1 << 20)
	var e Event
	for _, m := range messages {
		require.NoError(b, d.Decode(m, &e))
	}
	b.SetBytes(int64(total / len(messages)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := d.Decode(messages[i%len(messages)], &e); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppend reports the speed of appending decoded 2.6 KB messages to the
// created columns, a record being cut off every megabyte.
func BenchmarkAppend(b *testing.B) {
	for _, loadable := range []bool{false, true} {
		b.Run(fmt.Sprintf("loadable=%t", loadable), func(b *testing.B) { benchmarkAppend(b, loadable) })
	}
}

func benchmarkAppend(b *testing.B, loadable bool) {
	var cols []Selected
	for _, c := range EventColumns() {
		if c.Created {
			cols = append(cols, Selected{Column: c, Loadable: loadable && c.JSON})
		}
	}
	messages := records(1, 256, 2600)
	events := make([]Event, len(messages))
	size := 0
	for i, m := range messages {
		require.NoError(b, NewDecoder(1<<20).Decode(m, &events[i]))
		size += events[i].RowSize(cols, &Source{})
	}
	builder := NewBuilder(Schema(cols))
	a := NewEventAppender(builder, cols)
	src := Source{Topic: "clickhouse_events_json"}
	b.SetBytes(int64(size / len(events)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a.Append(&events[i%len(events)], &src, 1)
		if i%480 == 479 {
			builder.NewRecord().Release()
		}
	}
}
