package e2e

import (
	"fmt"
	"io"
	"strings"
	"testing"

	gbq "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
)

// message is a record and what has to become of it.
type message struct {
	topic, value string
	// fate is "row", "duplicate", "superseded", "skipped", or the reason in the rejects; "unloadable" is a row, with NULL and a
	// reject where the column's type is JSON.
	fate string
}

// personID is the n-th person of the messages.
func personID(n int) string { return fmt.Sprintf("0198f0a2-9d00-7c31-8f7e-%012x", n) }

// messages are one of each kind of bad input, among good ones. Team 9 is not exported.
func messages() []message {
	person := func(n int, fate, members string) message {
		return message{stack.PersonsTopic, fmt.Sprintf(`{"id":"%s","team_id":2,%s}`, personID(n), members), fate}
	}
	mapping := func(n int, fate, members string) message {
		return message{stack.DistinctIDsTopic, fmt.Sprintf(`{"team_id":2,"distinct_id":"d%d",%s}`, n, members), fate}
	}
	event := func(n int, fate, members string) message {
		return message{stack.Topic, fmt.Sprintf(`{"uuid":"0198f0a3-1b2c-7f00-8d11-%012x","event":"e","distinct_id":"d","timestamp":"2026-09-01 12:34:56.789",%s}`, n, members), fate}
	}
	list := []message{
		person(1, "row", `"version":1,"properties":"{\"a\":1}"`),
		person(2, "row", `"version":107,"is_deleted":1`), // a tombstone has no properties
		person(3, "row", `"version":9007199254740993,"properties":"{\"v\":3}"`),
		person(3, "superseded", `"version":9007199254740992,"properties":"{\"v\":2}"`), // one float64 with the former
		person(4, "row", `"version":9223372036854775807`),
		person(4, "bad_version", `"version":9223372036854775808`),
		person(4, "bad_version", `"version":"x"`),
		person(5, "row", `"version":1,"properties":"[1,2]"`),
		person(6, "unloadable", `"version":1,"properties":"{oops"`),
		person(7, "row", `"version":1,"properties":{"a":1}`), // no text: its JSON is taken
		{stack.PersonsTopic, `{"id":"` + personID(8) + `","team_id":9,"version":1}`, "skipped"},
		{stack.PersonsTopic, `{"id":"nobody","team_id":2,"version":1}`, "bad_uuid"},
		{stack.PersonsTopic, `{"id":"` + personID(1) + `","version":2}`, "no_team"},
		{stack.PersonsTopic, "", "empty"},
		{stack.PersonsTopic, `{"id":`, "not_json"},

		mapping(1, "bad_person_id", `"version":9`),
		mapping(1, "bad_person_id", `"version":9,"person_id":"x"`),
		mapping(1, "bad_version", `"version":9223372036854775808,"person_id":"`+personID(2)+`"`),
		mapping(9, "row", `"version":0,"person_id":"`+personID(99)+`"`), // of a person who never comes
		{stack.DistinctIDsTopic, `{"team_id":2,"person_id":"` + personID(1) + `","version":1}`, "no_distinct_id"},
		{stack.DistinctIDsTopic, `{"team_id":9,"distinct_id":"d1","person_id":"` + personID(1) + `","version":1}`, "skipped"},
		{stack.DistinctIDsTopic, "", "empty"},

		event(1, "row", `"team_id":2,"properties":"{\"a\":1}"`),
		event(2, "unloadable", `"team_id":2,"properties":"{oops"`),
		event(3, "skipped", `"team_id":9`),
		event(10, "row", `"team_id":2,"properties":"{\"$ip\":\"1\",\"\\u0024ip\":\"2\",\"$set\":{\"a\":1,\"a\":2},\"$set\":3}","properties":"[","event":"not this"`),
		event(11, "row", `"team_id":2,"person_id":"0198F0A2-9D00-7C31-8F7E-000000000001"`),
		{stack.Topic, `{"uuid":"0198F0A3-1B2C-7F00-8D11-00000000000C","team_id":2,"event":"upper","distinct_id":"d","timestamp":"2026-09-01 12:34:56"}`, "row"},
		{stack.Topic, `{"uuid":"0198f0a3-1b2c-7f00-8d11-00000000000c","team_id":2,"event":"upper","distinct_id":"d","timestamp":"2026-09-01 23:34:56"}`, "duplicate"},
		{stack.Topic, `{"uuid":"0198f0a3-1b2c-7f00-8d11-00000000000c","team_id":2,"event":"lower","distinct_id":"d","timestamp":"2026-09-01 12:34:56"}`, "row"},
		event(4, "no_team", `"team_id":"two"`),
		{stack.Topic, "", "empty"},
		{stack.Topic, "connection reset by peer\n", "not_json"},
	}
	for n := 1; n <= 8; n++ { // the eighth person's team is not exported
		list = append(list, mapping(n, "row", fmt.Sprintf(`"version":1,"person_id":"%s"`, personID(n))))
	}
	return list
}

// Every message of every topic has its outcome, all are accounted for in the manifest, and nothing else is held up.
func TestRejects_BadInputOfEveryTopicHasItsOutcome(t *testing.T) {
	for _, json := range []bool{false, true} {
		t.Run(fmt.Sprintf("JSON columns %v", json), func(t *testing.T) {
			w := newWorld(t, withPersons, func(c *stack.Config) { c.JSON = json })
			w.env["TIDEMARK_TEAMS"], w.foreign = "2", map[int64]bool{9: true}
			counts, rejects := w.sendAll(json)
			seen := harness.NewReads()
			// One batch of each stream, so that it is known what supersedes what.
			r := w.start(map[string]string{"TIDEMARK_PERIOD": "24h", "TIDEMARK_FLUSH_DELAY": "1h"}, kgo.WithHooks(seen))
			w.eventually("all is read", seen.AtLeast(uint64(counts.Consumed)))
			r.HandOver()
			r = w.start(nil)
			w.waitExported()
			r.HandOver()

			manifests := w.manifests()
			require.Len(t, manifests, 2, "one of each stream")
			var counted batch.Counts
			for _, m := range manifests {
				counted = sum(counted, m.Counts)
			}
			require.Equal(t, counts, counted)
			require.Equal(t, rejects, w.rejects(manifests))
			w.requireExact()
			w.requirePersonRows(json)
		})
	}
}

// sendAll produces the messages and says how the manifest has to count them, and what the rejects have to hold: numbers
// by topic and reason.
func (w *world) sendAll(json bool) (counts batch.Counts, rejects map[string]int) {
	w.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka.Addrs()...))
	require.NoError(w, err)
	defer client.Close()
	rejects = make(map[string]int)
	for _, m := range messages() {
		rec := &kgo.Record{Topic: m.topic, Value: []byte(m.value)}
		if m.value == "" {
			rec.Value = nil // a tombstone of Kafka's
		}
		require.NoError(w, client.ProduceSync(w.Context(), rec).FirstErr())
		counts.Consumed++
		switch {
		case m.fate == "row", m.fate == "unloadable" && !json:
		case m.fate == "duplicate":
			counts.Duplicates++
		case m.fate == "superseded":
			counts.Superseded++
		case m.fate == "skipped":
			counts.Skipped++
		case m.fate == "unloadable":
			counts.Nulled++
			rejects[m.topic+" unloadable_json"]++
		default:
			counts.Rejected++
			rejects[m.topic+" "+m.fate]++
		}
	}
	return counts, rejects
}

func sum(a, b batch.Counts) batch.Counts {
	return batch.Counts{Consumed: a.Consumed + b.Consumed, Duplicates: a.Duplicates + b.Duplicates, Superseded: a.Superseded + b.Superseded,
		Skipped: a.Skipped + b.Skipped, Rejected: a.Rejected + b.Rejected, Nulled: a.Nulled + b.Nulled}
}

// manifests returns those of all batches, decided or not. Each adds up.
func (w *world) manifests() (all []*batch.Manifest) {
	w.Helper()
	for _, name := range w.objects("tidemark/batches/") {
		require.True(w, strings.HasSuffix(name, ".json"), name)
		body, err := w.Storage.Bucket(stack.Bucket).Object(name).NewReader(w.Context())
		require.NoError(w, err)
		b, err := io.ReadAll(body)
		require.NoError(w, err)
		require.NoError(w, body.Close())
		m, err := batch.DecodeManifest(b) // checks the counts
		require.NoError(w, err)
		all = append(all, m)
	}
	return all
}

// rejects reads the rejects of batches as an operator would, by loading them into a table, and counts them by topic and
// reason.
func (w *world) rejects(batches []*batch.Manifest) map[string]int {
	w.Helper()
	table := w.Client.Dataset(stack.Dataset).Table("rejects")
	schema := gbq.Schema{
		{Name: "reason", Type: gbq.StringFieldType}, {Name: "detail", Type: gbq.StringFieldType}, {Name: "topic", Type: gbq.StringFieldType},
		{Name: "partition", Type: gbq.IntegerFieldType}, {Name: "offset", Type: gbq.IntegerFieldType}, {Name: "timestamp", Type: gbq.TimestampFieldType},
		{Name: "key", Type: gbq.BytesFieldType}, {Name: "value", Type: gbq.BytesFieldType},
	}
	require.NoError(w, table.Create(w.Context(), &gbq.TableMetadata{Schema: schema}))
	var uris []string
	for _, m := range batches {
		for _, p := range m.Rejects {
			uris = append(uris, "gs://"+stack.Bucket+"/"+p.Object)
		}
	}
	from := gbq.NewGCSReference(uris...)
	from.SourceFormat, from.Schema = gbq.Parquet, schema
	load := table.LoaderFrom(from)
	load.CreateDisposition = gbq.CreateNever
	job, err := load.Run(w.Context())
	require.NoError(w, err)
	status, err := job.Wait(w.Context())
	require.NoError(w, err)
	require.NoError(w, status.Err())
	found := make(map[string]int)
	for _, row := range w.rows("SELECT topic, reason FROM `" + stack.Project + "." + stack.Dataset + ".rejects`") {
		found[fmt.Sprint(row[0], " ", row[1])]++
	}
	return found
}

// requirePersonRows spells out what the comparison with the fold knows, too.
func (w *world) requirePersonRows(json bool) {
	w.Helper()
	want := []string{`d1 1 {"a":1} false`, `d2 107 <nil> true`, `d3 9007199254740993 {"v":3} false`, `d4 9223372036854775807 <nil> false`, `d5 1 [1,2] false`,
		`d6 1 {oops false`, `d7 1 {"a":1} false`}
	if json {
		want[5] = `d6 1 <nil> false`
	}
	var found []string
	for _, row := range w.rows("SELECT distinct_id, person_version, properties, is_deleted FROM `" + stack.PersonsFullName() + "` ORDER BY distinct_id") {
		found = append(found, fmt.Sprint(row[0], " ", row[1], " ", row[2], " ", row[3]))
	}
	require.Equal(w, want, found)
}
