package verify

import (
	"encoding/json"
	"math/rand/v2"
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
