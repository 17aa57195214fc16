package verify

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"

	"tidemark/local/generator"
)

func columns(t *testing.T, documents bigquery.FieldType) Columns {
	c, err := NewColumns(schema(documents))
	require.NoError(t, err)
	require.Len(t, c.Names(), numColumns)
	return c
}

func TestFold_RightTableHasNoFindings(t *testing.T) {
	for _, documents := range []bigquery.FieldType{bigquery.StringFieldType, bigquery.JSONFieldType} {
		for _, dropRepeats := range []bool{false, true} {
			tp, c := newTopic(t, 1000), columns(t, documents)
			rows := tp.rows(t, c, dropRepeats)
			rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			report := tp.compare(c, rows, nil)
			require.True(t, report.OK(), "%v %+v", report, report)
			require.Equal(t, int64(len(rows)), report.Events)
			require.NotZero(t, report.Rejected)
			require.Equal(t, dropRepeats, report.Repeated > 0)
			require.Regexp(t, `^verified: \d+ events, 0 missing, 0 duplicated$`, report.String())
		}
	}
}

func TestFold_EveryMutationIsFound(t *testing.T) {
	tp, c := newTopic(t, 600), columns(t, bigquery.StringFieldType)
	good := tp.rows(t, c, true)
	require.True(t, tp.compare(c, good, nil).OK())
	at := rand.IntN(len(good))
	var rejected message
	for _, m := range tp.messages {
		if m.kind.Rejected() {
			rejected = m
		}
	}
	mutations := map[string]struct {
		mutate func(rows []Row) []Row
		want   Report
	}{
		"missing":  {func(r []Row) []Row { return slices.Delete(r, at, at+1) }, Report{Missing: 1}},
		"doubled":  {func(r []Row) []Row { return append(r, r[at]) }, Report{Duplicated: 1}},
		"tripled":  {func(r []Row) []Row { return append(r, r[at], r[at]) }, Report{Duplicated: 2}},
		"at a gap": {func(r []Row) []Row { x := r[at]; x.Partition, x.Offset = 0, 1; return append(r, x) }, Report{Extra: 1}},
		"of a rejected message": {func(r []Row) []Row {
			x := r[at]
			x.Partition, x.Offset = rejected.partition, rejected.offset
			return append(r, x)
		}, Report{Extra: 1}},
		"beyond the end":    {func(r []Row) []Row { x := r[at]; x.Offset = 1 << 40; return append(r, x) }, Report{Extra: 1}},
		"negative offset":   {func(r []Row) []Row { x := r[at]; x.Offset = -1; return append(r, x) }, Report{Extra: 1}},
		"no such partition": {func(r []Row) []Row { x := r[at]; x.Partition = 3; return append(r, x) }, Report{Extra: 1}},
		"before the start":  {func(r []Row) []Row { x := r[at]; x.Partition, x.Offset = 1, 5; return append(r, x) }, Report{Expired: 1}},
	}
	for name, m := range mutations {
		rows := m.mutate(slices.Clone(good))
		report := tp.compare(c, rows, nil)
		got := Report{Missing: report.Missing, Duplicated: report.Duplicated, Different: report.Different, Extra: report.Extra, Expired: report.Expired}
		require.Equal(t, m.want, got, name)
		require.Equal(t, int64(len(rows)), report.Events, name)
		require.Equal(t, m.want.Expired == 0, report.FirstDifference != "", name)
	}
}

func TestFold_EveryColumnIsCompared(t *testing.T) {
	for _, documents := range []bigquery.FieldType{bigquery.StringFieldType, bigquery.JSONFieldType} {
		tp, c := newTopic(t, 30), columns(t, documents)
		good := tp.rows(t, c, true)
		for i, name := range c.Names() {
			for _, replacement := range []bigquery.Value{nil, "other", int64(77), time.Unix(77, 0), true, `{"other":1}`, 1.5} {
				bad := slices.Clone(good)
				bad[3].Values = slices.Clone(bad[3].Values)
				if c.cell(c.list[i], bad[3].Values[i]) == c.cell(c.list[i], replacement) {
					continue
				}
				bad[3].Values[i] = replacement
				report := tp.compare(c, bad, nil)
				require.Equal(t, int64(1), report.Different, "%s: %v", name, replacement)
				require.NotContains(t, report.FirstDifference, "other", "values are not reported")
				require.Regexp(t, `^partition \d offset \d+: uuid \S+: (`+name+`|a column) differs$`, report.FirstDifference)
			}
		}
	}
}

func TestFold_UUIDsInUpperCaseDiffer(t *testing.T) {
	tp, c := newTopic(t, 30), columns(t, bigquery.StringFieldType)
	rows := tp.rows(t, c, true)
	rows[3].Values = slices.Clone(rows[3].Values)
	at := slices.Index(c.Names(), "uuid")
	rows[3].Values[at] = strings.ToUpper(rows[3].Values[at].(string))
	require.Equal(t, int64(1), tp.compare(c, rows, nil).Different)
}

func TestFold_SwappedRowsDiffer(t *testing.T) {
	tp, c := newTopic(t, 100), columns(t, bigquery.StringFieldType)
	rows := tp.rows(t, c, true)
	rows[10].Values, rows[11].Values = rows[11].Values, rows[10].Values
	require.Equal(t, int64(2), tp.compare(c, rows, nil).Different)
}

func TestFold_RepeatsNeedOneRow(t *testing.T) {
	c := columns(t, bigquery.StringFieldType)
	value := `{"uuid":"` + id + `","team_id":2,"event":"e","distinct_id":"d","timestamp":"2026-09-01 12:34:56","created_at":"2026-09-01 12:34:56","properties":"{}","elements_chain":""}`
	other := strings.Replace(value, `"team_id":2`, `"team_id":3`, 1)
	tp := topic{ranges: []kafkaRange{{0, 4}}, maxBytes: 1000, messages: []message{{0, 0, value, 0}, {0, 1, value, 0}, {0, 2, other, 0}, {0, 3, value, 0}}}
	third, second := row(t, c, tp.messages[2]), row(t, c, tp.messages[1])

	report := tp.compare(c, []Row{second, third}, nil)
	require.Equal(t, Report{Events: 2, Repeated: 2}, report)
	report = tp.compare(c, []Row{third}, nil)
	require.Equal(t, Report{Events: 1, Missing: 1, Repeated: 0, FirstDifference: "partition 0 offset 0: uuid " + id + ": missing"}, withoutRepeats(report))
	report = tp.compare(c, []Row{second}, nil)
	require.Equal(t, int64(1), report.Missing, "another team's event of the same UUID")
}

// What differs in a part of PostHog's identity is another event, which needs a row of its own.
func TestFold_EventsWithOneUUIDMayBeDifferentOnes(t *testing.T) {
	c := columns(t, bigquery.StringFieldType)
	value := `{"uuid":"` + id + `","team_id":2,"event":"e","distinct_id":"d x","timestamp":"2026-09-01 00:00:00","created_at":"2026-09-03 12:34:56","properties":"{}","elements_chain":""}`
	for change, repeats := range map[[2]string]int64{
		{id, strings.ToUpper(id)}:                  1,
		{`00:00:00"`, `23:59:59.999999"`}:          1,
		{`01 00:00:00"`, `02T01:59:59.999+02:00"`}: 1,
		{`"{}"`, `"[]"`}:                           1,
		{`01 00:00:00"`, `02 00:00:00"`}:           0,
		{`01 00:00:00"`, `01T01:59:59.999+02:00"`}: 0,
		{`"e"`, `"f"`}:                             0,
		{`"d x"`, `"D x"`}:                         0,
		{`"event":"e"`, `"event":null`}:            0,
		{`"event":"e","distinct_id":"d x"`, `"event":"e d","distinct_id":"x"`}: 0,
		{`"team_id":2`, `"team_id":3`}:                                         0,
		{id, strings.Replace(id, "0", "1", 1)}:                                 0,
	} {
		second := strings.Replace(value, change[0], change[1], 1)
		require.NotEqual(t, value, second)
		tp := topic{ranges: []kafkaRange{{0, 2}}, maxBytes: 1000, messages: []message{{0, 0, value, 0}, {0, 1, second, 0}}}
		report := tp.compare(c, []Row{row(t, c, tp.messages[0])}, nil)
		require.Equal(t, [2]int64{repeats, 1 - repeats}, [2]int64{report.Repeated, report.Missing}, second)
	}
}

// withoutRepeats drops how often a missing event had been sent.
func withoutRepeats(r Report) Report {
	r.Repeated = 0
	return r
}

func TestFold_SkippedEventsMustNotBeThere(t *testing.T) {
	tp, c := newTopic(t, 300), columns(t, bigquery.StringFieldType)
	skip := func(team int64, _ string) bool { return team == 1 }
	team := slices.Index(c.Names(), "team_id")
	all := tp.rows(t, c, true)
	kept := slices.DeleteFunc(slices.Clone(all), func(r Row) bool { return r.Values[team] == int64(1) })
	report := tp.compare(c, kept, skip)
	require.True(t, report.OK(), report)
	require.NotZero(t, report.Skipped)
	require.Equal(t, int64(len(all)-len(kept)), tp.compare(c, all, skip).Extra)
}

func TestFold_RowsNewerThanTheCheckAreNotExtra(t *testing.T) {
	c := columns(t, bigquery.StringFieldType)
	f := NewFold(c, 0, nil)
	f.Range(0, 0)
	f.Range(0, 0)
	for _, offset := range []int64{0, 1, 2} {
		f.Row(Row{Partition: 1, Offset: offset, Values: make([]bigquery.Value, numColumns)})
	}
	f.settle([]int64{0, 2})
	report := f.Report()
	require.Equal(t, Report{Events: 3, Newer: 2, Extra: 1, FirstDifference: "partition 1 offset 2: row beyond the topic"}, report)
	require.Equal(t, "verified: 3 events, 0 missing, 0 duplicated, 1 extra, 2 newer than the check; first: partition 1 offset 2: row beyond the topic", report.String())
}

func TestNewColumns_WantsToKnowWhereRowsComeFrom(t *testing.T) {
	_, err := NewColumns(bigquery.Schema{{Name: "uuid", Type: bigquery.StringFieldType}})
	require.EqualError(t, err, "table has no _kafka_topic, _kafka_partition, _kafka_offset, team_id; want them to tell where rows came from")
}

func BenchmarkFold(b *testing.B) {
	for _, documents := range []bigquery.FieldType{bigquery.StringFieldType, bigquery.JSONFieldType} {
		b.Run(string(documents), func(b *testing.B) {
			g, err := generator.New(generator.Config{Seed: 1, Oversized: -1})
			require.NoError(b, err)
			var values [][]byte
			for i := range uint64(1000) {
				_, m := g.Append(nil, i)
				values = append(values, m.Value)
			}
			c, err := NewColumns(schema(documents))
			require.NoError(b, err)
			f := NewFold(c, 0, nil)
			f.Range(0, 1000)
			for i := 0; b.Loop(); i++ {
				f.Message(0, int64(i%1000), kafkaTime, values[i%1000])
			}
			b.ReportAllocs()
		})
	}
}
