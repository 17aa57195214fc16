package model

import (
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// selected returns all columns, as JSON where loadable is set and they can be.
func selected(loadable bool) []Selected {
	var cols []Selected
	for _, c := range EventColumns() {
		cols = append(cols, Selected{Column: c, Loadable: loadable && c.JSON})
	}
	return cols
}

// appended returns the row of each message by column name, NULLs left out, and
// which documents were withheld.
func appended(t *testing.T, cols []Selected, messages ...string) (rows []map[string]string, withheld []Documents) {
	t.Helper()
	b := NewBuilder(Schema(cols))
	a, d := NewEventAppender(b, cols), NewDecoder(1<<20)
	for i, m := range messages {
		var e Event
		require.NoError(t, d.Decode([]byte(m), &e))
		withheld = append(withheld, a.Append(&e, &Source{Topic: "events", Partition: 3, Offset: int64(i), Timestamp: testTime + 1}, testTime+2))
	}
	rec := b.NewRecord()
	defer rec.Release()
	require.EqualValues(t, len(messages), rec.NumRows())
	for i := range messages {
		rows = append(rows, rowOf(rec, i))
	}
	return rows, withheld
}

func rowOf(rec arrow.Record, i int) map[string]string {
	row := map[string]string{}
	for c, f := range rec.Schema().Fields() {
		if col := rec.Column(c); col.IsValid(i) {
			row[f.Name] = col.ValueStr(i)
		}
	}
	return row
}

func TestAppend_FillsEveryColumn(t *testing.T) {
	full := with(`"event":"e","distinct_id":"d","properties":"{\"$ip\":\"1\",\"$set\":{\"a\":1},\"$set_once\":{\"b\":2}}","elements_chain":"a:href=\"/x\"",` +
		`"created_at":"2026-09-01 12:34:57","person_id":"p","person_properties":"{\"c\":3}","person_mode":"full","historical_migration":true`)
	rows, withheld := appended(t, selected(false), full, with(""))
	require.Equal(t, []Documents{0, 0}, withheld)
	require.Empty(t, cmp.Diff(map[string]string{
		"uuid": testUUID, "event": "e", "properties": `{"$ip":"1","$set":{"a":1},"$set_once":{"b":2}}`,
		"elements": `"a:href=\"\/x\""`, "set": `{"a":1}`, "set_once": `{"b":2}`, "distinct_id": "d", "team_id": "2",
		"ip": "1", "site_url": "", "timestamp": "2026-09-01 12:34:56.789Z", "bq_ingested_timestamp": "2026-09-01 12:34:56.789002Z",
		"person_id": "p", "person_properties": `{"c":3}`, "person_mode": "full", "created_at": "2026-09-01 12:34:57Z",
		"elements_chain": `a:href="/x"`, "historical_migration": "true", "_kafka_topic": "events", "_kafka_partition": "3",
		"_kafka_offset": "0", "_kafka_timestamp": "2026-09-01 12:34:56.789001Z",
	}, rows[0]))
	require.Empty(t, cmp.Diff(map[string]string{
		"uuid": testUUID, "event": "", "elements": `""`, "distinct_id": "", "team_id": "2", "site_url": "",
		"timestamp": "2026-09-01 12:34:56.789Z", "bq_ingested_timestamp": "2026-09-01 12:34:56.789002Z",
		"historical_migration": "false", "_kafka_topic": "events", "_kafka_partition": "3", "_kafka_offset": "1",
		"_kafka_timestamp": "2026-09-01 12:34:56.789001Z",
	}, rows[1]))
}

func TestAppend_StringColumnsGetDocumentsAsReceived(t *testing.T) {
	texts := []string{`{"$set":{"a":"\ud83d"}}`, `{"$set":"` + "\n" + `"}`, `{"$set":{"a":1e999}}`, `{"$set":`}
	for _, text := range texts {
		rows, withheld := appended(t, selected(false), with(`"properties":`+escaped(text)+`,"person_properties":`+escaped(text)))
		require.Equal(t, text, rows[0]["properties"])
		require.Equal(t, text, rows[0]["person_properties"])
		require.Zero(t, withheld[0])
	}
}

func TestAppend_JSONColumnsGetMendedDocumentsOrNull(t *testing.T) {
	all := PropertiesDocument | SetDocument | SetOnceDocument | PersonPropertiesDocument
	for _, c := range []struct {
		text, properties, set string // empty is NULL
		withheld              Documents
	}{
		{text: `{"$set":{"a":"\ud83d"}}`, properties: `{"$set":{"a":"\ufffd"}}`, set: `{"a":"\ufffd"}`},
		{text: `{"$set":"` + "\n" + `"}`, properties: `{"$set":"\n"}`, set: `"\n"`},
		{text: `{"$set":{"a":1e999}}`, withheld: all &^ SetOnceDocument},
		{text: `{"$set":{},"b":1e999}`, set: `{}`, withheld: PropertiesDocument | PersonPropertiesDocument},
		{text: `{"$set":`, withheld: PropertiesDocument | PersonPropertiesDocument},
		{text: `[1]`, properties: `[1]`},
	} {
		rows, withheld := appended(t, selected(true), with(`"properties":`+escaped(c.text)+`,"person_properties":`+escaped(c.text)), with(""))
		require.Equal(t, c.withheld, withheld[0], c.text)
		require.Equal(t, c.properties, rows[0]["properties"], c.text)
		require.Equal(t, c.properties, rows[0]["person_properties"], c.text)
		require.Equal(t, c.set, rows[0]["set"], c.text)
		require.Zero(t, withheld[1], "the next row")
	}
}

func TestAppend_OnlyColumnsOfTheTableAreWithheld(t *testing.T) {
	var cols []Selected
	for _, c := range selected(true) {
		if c.Name == "uuid" || c.Name == "set_once" {
			cols = append(cols, c)
		}
	}
	_, withheld := appended(t, cols, properties(`{"$set":1e999,"$set_once":{}}`))
	require.Zero(t, withheld[0])
}

func TestAppend_GoesOnAfterARecordIsCut(t *testing.T) {
	cols := selected(false)
	b := NewBuilder(Schema(cols))
	a := NewEventAppender(b, cols)
	for i := range 3 {
		var e Event
		require.NoError(t, NewDecoder(0).Decode([]byte(nodeEvent), &e))
		a.Append(&e, &Source{Offset: int64(i)}, 0)
		rec := b.NewRecord()
		require.EqualValues(t, 1, rec.NumRows())
		require.Equal(t, "$pageview", rowOf(rec, 0)["event"])
		rec.Release()
	}
}

func TestNewEventAppender_PanicsOnForeignColumn(t *testing.T) {
	cols := []Selected{{Column: Column{Name: "colour", Type: String}}}
	b := NewBuilder(Schema(cols))
	require.PanicsWithValue(t, `model: column "colour" is not one of the events model`, func() { NewEventAppender(b, cols) })
}
