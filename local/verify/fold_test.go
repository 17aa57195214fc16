package verify

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"

	"tidemark/local/generator"
)

// topic is messages in memory, as three partitions.
type topic struct {
	ranges   []kafkaRange
	messages []message
	maxBytes int
}

type kafkaRange struct{ start, end int64 }

type message struct {
	partition int32
	offset    int64
	value     string
	kind      generator.Kind
}

var kafkaTime = time.Date(2026, 9, 1, 0, 0, 1, 0, time.UTC)

// schema has all columns that can be checked and one that cannot.
func schema(documents bigquery.FieldType) bigquery.Schema {
	fields := bigquery.Schema{
		{Name: "_kafka_topic", Type: bigquery.StringFieldType}, {Name: "_kafka_partition", Type: bigquery.IntegerFieldType},
		{Name: "_kafka_offset", Type: bigquery.IntegerFieldType}, {Name: "bq_ingested_timestamp", Type: bigquery.TimestampFieldType},
	}
	for c := column(0); c < numColumns; c++ {
		kind := bigquery.StringFieldType
		switch {
		case c.document():
			kind = documents
		case c == colTeamID:
			kind = bigquery.IntegerFieldType
		case c == colTimestamp || c == colCreatedAt || c == colKafkaTimestamp:
			kind = bigquery.TimestampFieldType
		case c == colHistorical:
			kind = bigquery.BooleanFieldType
		}
		fields = append(fields, &bigquery.FieldSchema{Name: c.name(), Type: kind})
	}
	return fields
}

func newTopic(t *testing.T, n uint64) topic {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g, err := generator.New(generator.Config{Seed: seed, Teams: 5, Malformed: 0.05, Duplicate: 0.05, Late: 0.05, Oversized: 0.002, MaxBytes: 20_000})
	require.NoError(t, err)
	made := topic{ranges: []kafkaRange{{0, 0}, {100, 100}, {7, 7}}, maxBytes: 20_000}
	for i := range n {
		_, m := g.Append(nil, i)
		p := int32(i % 3)
		r := &made.ranges[p]
		made.messages = append(made.messages, message{p, r.end, string(m.Value), m.Kind})
		r.end++
		if i%50 == 0 {
			r.end++ // a gap
		}
	}
	return made
}

// row is what a straightforward loader makes of a message.
func row(t *testing.T, c Columns, m message) Row {
	var v struct {
		UUID, Event, Properties, Timestamp string
		TeamID                             json.RawMessage `json:"team_id"`
		DistinctID                         string          `json:"distinct_id"`
		ElementsChain                      *string         `json:"elements_chain"`
		CreatedAt                          string          `json:"created_at"`
		Person                             *string         `json:"person_properties"`
		ID                                 *string         `json:"person_id"`
		Mode                               *string         `json:"person_mode"`
		Historical                         bool            `json:"historical_migration"`
	}
	require.NoError(t, json.Unmarshal([]byte(m.value), &v), m.value)
	var properties map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(v.Properties), &properties))
	var team int64
	require.NoError(t, json.Unmarshal([]byte(strings.Trim(string(v.TeamID), `"`)), &team))
	optional := func(s *string) bigquery.Value {
		if s == nil {
			return nil
		}
		return *s
	}
	instant := func(s string) bigquery.Value {
		at, err := time.Parse("2006-01-02 15:04:05", s)
		require.NoError(t, err)
		return at
	}
	var ip bigquery.Value
	if raw := strings.Trim(string(properties["$ip"]), `"`); raw != "" {
		ip = raw
	}
	elements, err := json.Marshal(optional(v.ElementsChain))
	require.NoError(t, err)
	values := map[string]bigquery.Value{
		"uuid": v.UUID, "event": v.Event, "properties": v.Properties, "elements": string(elements), "distinct_id": v.DistinctID,
		"set": raw(properties["$set"]), "set_once": raw(properties["$set_once"]), "team_id": team, "ip": ip, "site_url": "",
		"timestamp": instant(v.Timestamp), "created_at": instant(v.CreatedAt), "person_id": optional(v.ID), "person_mode": optional(v.Mode),
		"person_properties": optional(v.Person), "elements_chain": optional(v.ElementsChain), "historical_migration": v.Historical, "_kafka_timestamp": kafkaTime,
	}
	r := Row{Partition: m.partition, Offset: m.offset}
	for i, name := range c.Names() {
		value := values[name]
		if text, ok := value.(string); ok && c.json[c.list[i]] {
			value = reformatted(t, text)
		}
		r.Values = append(r.Values, value)
	}
	return r
}

func raw(document json.RawMessage) bigquery.Value {
	if document == nil {
		return nil
	}
	return string(document)
}

// reformatted is a document as a JSON column gives it back: with other blanks,
// order and escapes.
func reformatted(t *testing.T, text string) string {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	require.NoError(t, decoder.Decode(&value))
	out, err := json.MarshalIndent(value, "", " ")
	require.NoError(t, err)
	return string(out)
}

// rows loads all acceptable messages, and of repeats only the first when asked.
func (tp topic) rows(t *testing.T, c Columns, dropRepeats bool) []Row {
	var rows []Row
	for _, m := range tp.messages {
		if m.kind.Rejected() || dropRepeats && m.kind == generator.Duplicate {
			continue
		}
		rows = append(rows, row(t, c, m))
	}
	return rows
}

// compare folds the topic and rows.
func (tp topic) compare(c Columns, rows []Row, skip func(int64, string) bool) Report {
	f := NewFold(c, tp.maxBytes, skip)
	for _, r := range tp.ranges {
		f.Range(r.start, r.end)
	}
	for _, m := range tp.messages {
		f.Message(m.partition, m.offset, kafkaTime, []byte(m.value))
	}
	for _, r := range rows {
		f.Row(r)
	}
	return f.Report()
}

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
