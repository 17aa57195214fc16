package buffer

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tidemark/batch"
)

// personMessage is a message of the persons topic, whose properties say which version they are of.
func personMessage(team int64, id int, version int64, pad int) []byte {
	return fmt.Appendf(nil, `{"id":%q,"team_id":%d,"version":%d,"properties":"{\"v\":%[3]d,\"pad\":\"%s\"}","is_deleted":0,"created_at":"2026-08-30 09:10:11"}`,
		uuidText(numbered(id)), team, version, bytes.Repeat([]byte("x"), pad))
}

func mappingMessage(team int64, distinctID string, person int, version int64) []byte {
	return fmt.Appendf(nil, `{"team_id":%d,"distinct_id":%q,"person_id":%q,"version":%d,"is_deleted":0}`, team, distinctID, uuidText(numbered(person)), version)
}

func topicRecords(topic string, values ...[]byte) (run []*kgo.Record) {
	for i, v := range values {
		run = append(run, &kgo.Record{Topic: topic, Offset: int64(i), Value: v, Timestamp: time.Now()})
	}
	return run
}

// rowsByKey reads all parts of the persons table: the versions of every key, in the order of the parts.
func (f *fixture) rowsByKey(t testing.TB, table batch.Table) map[string][]int64 {
	found := make(map[string][]int64)
	for _, p := range table.Parts {
		for _, row := range f.parts.read(t, p) {
			key := row["team_id"] + "/person/" + row["person_id"]
			if id, mapping := row["distinct_id"]; mapping {
				key = row["team_id"] + "/mapping/" + id
			}
			version, err := strconv.ParseInt(row["version"], 10, 64)
			require.NoError(t, err)
			found[key] = append(found[key], version)
			if properties, ok := row["properties"]; ok {
				require.Contains(t, properties, fmt.Sprintf(`{"v":%d,`, version), "a version has its own properties")
			}
		}
	}
	return found
}

func TestBatch_KeepsTheLatestVersionOfEveryKey(t *testing.T) {
	f := start(t, testConfig(), &fakeParts{})
	b := f.batch(columns())
	require.NoError(t, b.Append(t.Context(), [][]*kgo.Record{
		topicRecords("persons", personMessage(2, 1, 3, 10), personMessage(2, 1, 2, 500), personMessage(2, 1, 7, 200), personMessage(2, 1, 7, 1),
			personMessage(3, 1, 0, 1), personMessage(1_000, 1, 9, 1), []byte("{"), []byte(`{"id":"x","team_id":2}`)),
		topicRecords("mappings", mappingMessage(2, "a", 1, 1), mappingMessage(2, "a", 9, 0), mappingMessage(2, "ä", 1, 0)),
		topicRecords("events", makeEvent(2, 1, 1).value()),
	}))
	contents, err := b.Finish(t.Context())
	require.NoError(t, err)
	check(t, contents)
	require.Equal(t, batch.Counts{Consumed: 12, Superseded: 4, Skipped: 1, Rejected: 2}, contents.Counts)
	require.Equal(t, 4.0, testutil.ToFloat64(f.metrics.superseded))
	require.Len(t, contents.Tables, 2)
	require.Nil(t, contents.Tables[0].Keys, "events are not merged")
	persons := contents.Tables[1]
	require.Equal(t, "persons", persons.Target.Model)
	person := uuidText(numbered(1))
	require.Equal(t, map[string][]int64{"2/person/" + person: {7}, "3/person/" + person: {0}, "2/mapping/a": {1}, "2/mapping/ä": {0}}, f.rowsByKey(t, persons))
	require.Equal(t, &batch.Keys{FirstTeam: 2, LastTeam: 3, FirstPerson: person, LastPerson: person, FirstDistinctID: "a", LastDistinctID: "ä",
		Persons:     []batch.KeyRange{{FirstTeam: 2, LastTeam: 2, First: person, Last: person}, {FirstTeam: 3, LastTeam: 3, First: person, Last: person}},
		DistinctIDs: []batch.KeyRange{{FirstTeam: 2, LastTeam: 2, First: "a", Last: "a"}, {FirstTeam: 2, LastTeam: 2, First: "ä", Last: "ä"}}}, persons.Keys)
	b.Discard()
	f.requireEmpty(t)
}

// However little memory there is, the highest version of every key is among the rows, every record is accounted for, and
// all memory comes back.
func TestBatch_VersionsSurviveEarlyParts(t *testing.T) {
	r := seeded(t)
	cfg := testConfig()
	cfg.Memory, cfg.PartSize, cfg.MaxRecordSize = minMemory, minPartSize, 1<<20
	f := start(t, cfg, &fakeParts{})
	b := f.batch(columns())
	highest := make(map[string]int64)
	var work [][]*kgo.Record
	for range 40 {
		work = append(work, randomChanges(r, highest)...)
	}
	var g errgroup.Group
	for _, run := range work {
		g.Go(func() error {
			if err := b.buffer.Wait(t.Context()); err != nil {
				return err
			}
			return b.Append(t.Context(), [][]*kgo.Record{run})
		})
	}
	require.NoError(t, g.Wait())
	contents, err := b.Finish(t.Context())
	require.NoError(t, err)
	check(t, contents)
	require.Len(t, contents.Tables, 1)
	require.Greater(t, len(contents.Tables[0].Parts), 7, "rows went out early")
	found := f.rowsByKey(t, contents.Tables[0])
	require.Len(t, found, len(highest))
	for key, version := range highest {
		var got int64 = -1
		for _, v := range found[key] {
			got = max(got, v)
		}
		require.Equal(t, version, got, key)
	}
	b.Discard()
	f.requireEmpty(t)
}

// randomChanges makes a run of each topic and notes the highest version of every key.
func randomChanges(r *rand.Rand, highest map[string]int64) [][]*kgo.Record {
	note := func(key string, version int64) { highest[key] = max(highest[key], version) }
	var persons, mappings [][]byte
	for range 300 {
		team, id, version := r.Int64N(7)+1, r.IntN(2_000), r.Int64N(50)
		persons = append(persons, personMessage(team, id, version, r.IntN(3_000)))
		note(fmt.Sprintf("%d/person/%s", team, uuidText(numbered(id))), version)
		team, distinctID := r.Int64N(7)+1, "d"+strconv.Itoa(r.IntN(300))
		mappings = append(mappings, mappingMessage(team, distinctID, r.IntN(200), version))
		note(fmt.Sprintf("%d/mapping/%s", team, distinctID), version)
	}
	return [][]*kgo.Record{topicRecords("persons", persons...), topicRecords("mappings", mappings...)}
}

func TestBatch_PersonsOfADiscardedBatchLeaveNothing(t *testing.T) {
	f := start(t, testConfig(), &fakeParts{})
	b := f.batch(columns())
	require.NoError(t, b.Append(t.Context(), [][]*kgo.Record{topicRecords("persons", personMessage(2, 1, 3, 10)), topicRecords("mappings", mappingMessage(2, "a", 1, 1))}))
	b.Discard()
	f.requireEmpty(t)
	require.Empty(t, f.parts.objects)
}

// A document that a JSON column cannot hold is NULL, is counted once even if it supersedes, and is kept as it came.
func TestBatch_UnloadablePropertiesAreNullAndKept(t *testing.T) {
	nasty := []byte(`{"id":"` + uuidText(numbered(1)) + `","team_id":2,"version":4,"properties":"{\"n\":1e999}"}`)
	for _, json := range []bool{true, false} {
		f := start(t, testConfig(), &fakeParts{})
		b := f.Open(Opening{Prefix: "tm", Persons: Table{Target: batch.Target{Model: "persons"}, Columns: changeColumns(json)},
			Topics: map[string]Kind{"persons": Persons}, Wants: func(int64) bool { return true }})
		require.NoError(t, b.Append(t.Context(), [][]*kgo.Record{topicRecords("persons", personMessage(2, 1, 3, 10), nasty)}))
		contents, err := b.Finish(t.Context())
		require.NoError(t, err)
		check(t, contents)
		row := f.parts.read(t, contents.Tables[0].Parts[0])[0]
		require.Equal(t, "4", row["version"])
		if !json {
			require.Equal(t, batch.Counts{Consumed: 2, Superseded: 1}, contents.Counts)
			require.Equal(t, `{"n":1e999}`, row["properties"])
			continue
		}
		require.Equal(t, batch.Counts{Consumed: 2, Superseded: 1, Nulled: 1}, contents.Counts)
		require.NotContains(t, row, "properties")
		kept := f.parts.read(t, contents.Rejects[0])[0]
		require.Equal(t, string(ReasonUnloadable), kept["reason"])
		require.Equal(t, string(nasty), kept["value"])
	}
}

func TestBatch_UnknownTopicIsAnError(t *testing.T) {
	f := start(t, testConfig(), &fakeParts{})
	b := f.batch(columns())
	defer b.Discard()
	require.ErrorIs(t, b.Append(t.Context(), [][]*kgo.Record{topicRecords("elsewhere", []byte("{}"))}), ErrUnknownTopic)
}

// One operation is 10,000 changes of some 9,500 persons into an empty batch.
func BenchmarkAppendPersons(b *testing.B) {
	cfg := testConfig()
	cfg.Memory = 512 << 20
	f := start(b, cfg, &fakeParts{})
	r := rand.New(rand.NewPCG(1, 2))
	var values [][]byte
	var bytes int64
	for range 10_000 {
		values = append(values, personMessage(r.Int64N(20)+1, r.IntN(5_000), r.Int64N(20), 600))
		bytes += int64(len(values[len(values)-1]))
	}
	run := [][]*kgo.Record{topicRecords("persons", values...)}
	b.SetBytes(bytes)
	b.ReportAllocs()
	for b.Loop() {
		open := f.batch(columns())
		require.NoError(b, open.Append(b.Context(), run))
		open.Discard()
	}
}
