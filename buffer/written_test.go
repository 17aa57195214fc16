package buffer

import (
	"bytes"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/model"
)

// withChain is an event's message with a chain of elements.
func withChain(e event, chain string) []byte {
	return bytes.Replace(e.value(), []byte(`"elements_chain":""`), []byte(`"elements_chain":"`+chain+`"`), 1)
}

// jsonColumns are all columns, the documents as JSON.
func jsonColumns() []model.Selected {
	cols := columns()
	for i := range cols {
		cols[i].Loadable = cols[i].JSON
	}
	return cols
}

// What counts is what is written, in the columns that the table has, and not how long the message is.
func TestBatch_ARowThatBigQueryRefusesIsARejectHoweverShortItsMessage(t *testing.T) {
	e := makeEvent(1, 1, 1)
	e.properties = `{"$set":{"a":"here"}}`
	set := func(old string, n int, text string) []byte {
		return bytes.Replace(e.value(), []byte(old), bytes.Repeat([]byte(text), n), 1)
	}
	for name, c := range map[string]struct {
		value    []byte
		cols     []model.Selected
		rejected int64
	}{
		"a byte that is no UTF-8 becomes three, twice with $set: 8 MB become 48": {set("here", 8_000_000, "\xff"), columns(), 1},
		"a slash of the elements becomes two, and stands in the chain: 66 MB":    {withChain(e, strings.Repeat("/", 22_000_000)), columns(), 1},
		"without a column for the chain it is 44 MB":                             {withChain(e, strings.Repeat("/", 22_000_000)), columns()[:12], 0},
		"other text does not grow: 44 MB":                                        {withChain(e, strings.Repeat("a", 22_000_000)), columns(), 0},
		"a mended control character becomes six, twice with $set: 48 MB":         {set("here", 4_000_000, `\u0001`), jsonColumns(), 1},
		"a STRING column gets it as it is: 8 MB":                                 {set("here", 4_000_000, `\u0001`), columns(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			cfg.MaxRecordSize = maxRecordSize
			f := start(t, cfg, &fakeParts{})
			b := f.batch(c.cols)
			require.NoError(t, b.Append(t.Context(), [][]*kgo.Record{{record(0, makeEvent(1, 0, 1).value()), record(1, c.value)}}))
			contents, err := b.Finish(t.Context())
			require.NoError(t, err)
			check(t, contents)
			require.Equal(t, batch.Counts{Consumed: 2, Rejected: c.rejected}, contents.Counts)
			require.Equal(t, 2-c.rejected, contents.Tables[0].Rows())
			require.Equal(t, float64(c.rejected), testutil.ToFloat64(f.metrics.rejected.WithLabelValues("too_large")))
		})
	}
}

// A part is cut at its size by what is written: elements are quoted, and documents mended.
func TestBatch_PartsAreSizedByWhatIsWritten(t *testing.T) {
	cfg := testConfig()
	cfg.PartSize = 1 << 20
	controls := `{"id":"ID","team_id":1,"properties":"[\"` + strings.Repeat(`\u0001`, 5_000) + `\"]"}`
	var events, persons []*kgo.Record
	for n := range 200 {
		events = append(events, record(n, withChain(makeEvent(1, n, 1), strings.Repeat("/", 10_000))))
		persons = append(persons, topicRecords("persons", []byte(strings.Replace(controls, "ID", uuidText(numbered(n)), 1)))...)
	}
	f := start(t, cfg, &fakeParts{})
	b := f.batch(columns())
	require.NoError(t, b.Append(t.Context(), [][]*kgo.Record{events, persons}))
	contents, err := b.Finish(t.Context())
	require.NoError(t, err)
	require.Len(t, contents.Tables, 2)
	for _, table := range contents.Tables {
		require.Greater(t, len(table.Parts), 3)
		for _, p := range table.Parts[:len(table.Parts)-1] {
			written := 0
			for _, row := range f.parts.read(t, p) {
				for _, text := range row {
					written += len(text)
				}
			}
			require.InDelta(t, 1<<20, written, 40_000, "%s: the part size and not a row more", p.Object)
		}
	}
}

// A record of a builder stays small, and so does what growing it copies.
func TestRows_AreCutIntoRecordsOfAMegabyte(t *testing.T) {
	r := newRows(&budget{}, rejectSchema())
	for range 3 * 1024 {
		r.builder.Column(0).AppendString(strings.Repeat("x", 1024))
		for i := 1; i < r.builder.Columns(); i++ {
			r.builder.Column(i).AppendNull()
		}
		r.appended()
	}
	require.Len(t, r.records, 3)
	require.EqualValues(t, 3*1024, r.count)
	require.InDelta(t, 3<<20, r.size, 3*1024*28, "and the fixed columns")
	for _, rec := range r.records {
		require.InDelta(t, 1024, rec.NumRows(), 30)
	}
}
