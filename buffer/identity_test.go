package buffer

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/model"
)

// PostHog's events are sorted by (team_id, toDate(timestamp), event, cityHash64(distinct_id), cityHash64(uuid)), and of
// equal ones the table keeps one.
func TestBatch_EventsAreTheSameIfPostHogSaysSo(t *testing.T) {
	first := event{team: 1, uuid: numbered(1), name: "ab", distinctID: "cd", properties: "{}", at: time.Date(2026, 9, 30, 0, 0, 0, 0, time.UTC)}
	for name, c := range map[string]struct {
		change     func(*event)
		duplicates int64
	}{
		"nothing else":                {func(*event) {}, 1},
		"other properties":            {func(e *event) { e.properties = `{"a":1}` }, 1},
		"the last instant of the day": {func(e *event) { e.at = e.at.Add(24*time.Hour - time.Microsecond) }, 1},
		"the first of the next":       {func(e *event) { e.at = e.at.Add(24 * time.Hour) }, 0},
		"the last of the day before":  {func(e *event) { e.at = e.at.Add(-time.Microsecond) }, 0},
		"another name":                {func(e *event) { e.name = "ac" }, 0},
		"no name":                     {func(e *event) { e.name = "" }, 0},
		"another distinct id":         {func(e *event) { e.distinctID = "ce" }, 0},
		"a distinct id in upper case": {func(e *event) { e.distinctID = "CD" }, 0},
		"a byte moved to the id":      {func(e *event) { e.name, e.distinctID = "a", "bcd" }, 0},
		"a byte moved to the name":    {func(e *event) { e.name, e.distinctID = "abc", "d" }, 0},
		"both swapped":                {func(e *event) { e.name, e.distinctID = "cd", "ab" }, 0},
		"another uuid":                {func(e *event) { e.uuid = numbered(2) }, 0},
		"another team":                {func(e *event) { e.team = 2 }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, testConfig(), &fakeParts{})
			b := f.batch(columns())
			second := first
			c.change(&second)
			require.NoError(t, b.Append(t.Context(), poll(first, second, second)))
			contents, err := b.Finish(t.Context())
			require.NoError(t, err)
			check(t, contents)
			require.Equal(t, batch.Counts{Consumed: 3, Duplicates: 1 + c.duplicates}, contents.Counts)
			require.Equal(t, 2-c.duplicates, contents.Tables[0].Rows())
		})
	}
}

func TestBatch_AUUIDInUpperCaseIsTheSame(t *testing.T) {
	f := start(t, testConfig(), &fakeParts{})
	b := f.batch(columns())
	e := makeEvent(1, 0xabc, 1)
	upper := bytes.Replace(e.value(), []byte(uuidText(e.uuid)), []byte(strings.ToUpper(uuidText(e.uuid))), 1)
	require.NoError(t, b.Append(t.Context(), [][]*kgo.Record{{record(0, upper), record(1, e.value())}}))
	contents, err := b.Finish(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, contents.Counts.Duplicates)
	require.Equal(t, uuidText(e.uuid), f.parts.read(t, contents.Tables[0].Parts[0])[0]["uuid"])
}

// Of one day, name and distinct id uuids are told apart exactly, and of others by 128 bits of which both halves depend on
// everything and on the process.
func TestIdentities_DependOnEverything(t *testing.T) {
	h := newIdentities()
	base := model.Event{Event: []byte("event"), DistinctID: []byte("d")}
	id := h.of(&base)
	require.Equal(t, id, h.of(&base))
	differ := func(other identity) {
		t.Helper()
		for i := range 2 {
			require.NotEqual(t, binary.NativeEndian.Uint64(id[8*i:]), binary.NativeEndian.Uint64(other[8*i:]))
		}
	}
	differ(newIdentities().of(&base))
	for _, change := range []func(*model.Event){
		func(e *model.Event) { e.Timestamp = -1 },
		func(e *model.Event) { e.Event = []byte("Event") },
		func(e *model.Event) { e.DistinctID = []byte{} },
	} {
		other := base
		change(&other)
		differ(h.of(&other))
	}
	other := base
	r := seeded(t)
	for range 100 {
		other.UUID = randomUUID(r)
		got := h.of(&other)
		for i := range got {
			require.Equal(t, base.UUID[i]^other.UUID[i], id[i]^got[i])
		}
	}
	require.NotEqual(t, id[:8], id[8:], "two seeds")
	require.Zero(t, testing.AllocsPerRun(10, func() { h.of(&base) }))
}

func TestIdentitySet_KnowsExactlyWhatWasAdded(t *testing.T) {
	r := seeded(t)
	var s identitySet
	var bytes int64
	seen := map[identity]bool{}
	for range 50_000 {
		var id identity
		if r.IntN(3) > 0 {
			id = numbered(r.IntN(20_000)) // dense ones, which a weak hash would put side by side
		} else if r.IntN(1000) > 0 {
			id = randomUUID(r)
		}
		fresh, grown := s.add(&id)
		bytes += grown
		require.Equal(t, !seen[id], fresh)
		seen[id] = true
	}
	require.Equal(t, bytes, s.size())
	require.Less(t, bytes, int64(len(seen))*33)
}

func randomUUID(r *rand.Rand) (u [16]byte) {
	for i := range u {
		u[i] = byte(r.Uint32())
	}
	return u
}
