package generator

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// message is a Kafka value as a strict reader sees it.
type message struct {
	UUID        string
	Event       string
	Properties  string
	Timestamp   string
	TeamID      json.RawMessage `json:"team_id"`
	DistinctID  string          `json:"distinct_id"`
	Elements    string          `json:"elements_chain"`
	CreatedAt   string          `json:"created_at"`
	CapturedAt  string          `json:"captured_at"`
	PersonID    string          `json:"person_id"`
	Person      string          `json:"person_properties"`
	PersonMode  string          `json:"person_mode"`
	Historical  bool            `json:"historical_migration"`
	properties  map[string]json.RawMessage
	at, created time.Time
}

// parse reads a value, and reports false if it is not an event.
func parse(value []byte) (message, bool) {
	var m message
	if err := json.Unmarshal(value, &m); err != nil || value[0] != '{' {
		return m, false
	}
	_, errID := uuid.Parse(m.UUID)
	var errAt, errCreated error
	m.at, errAt = time.Parse("2006-01-02 15:04:05", m.Timestamp)
	m.created, errCreated = time.Parse("2006-01-02 15:04:05", m.CreatedAt)
	var team int
	errTeam := json.Unmarshal([]byte(strings.Trim(string(m.TeamID), `"`)), &team)
	errProps := json.Unmarshal([]byte(m.Properties), &m.properties)
	for _, err := range []error{errID, errAt, errCreated, errTeam, errProps} {
		if err != nil {
			return m, false
		}
	}
	return m, len(m.UUID) == 36 && team > 0
}

func newGenerator(t testing.TB, cfg Config) *Generator {
	if cfg.Seed == 0 {
		cfg.Seed = rand.Uint64()
	}
	t.Logf("seed %d", cfg.Seed)
	g, err := New(cfg)
	require.NoError(t, err)
	return g
}

func TestAppend_IsPureFunctionOfSeedAndIndex(t *testing.T) {
	g := newGenerator(t, Config{Malformed: 0.1, Duplicate: 0.1, Late: 0.1})
	again, err := New(g.Config())
	require.NoError(t, err)
	other, err := New(Config{Seed: g.cfg.Seed + 1})
	require.NoError(t, err)
	var all []byte
	var messages []Message
	for i := range uint64(500) {
		var m Message
		all, m = g.Append(all, i)
		messages = append(messages, m)
	}
	for i := 499; i >= 0; i-- {
		_, m := again.Append(nil, uint64(i))
		require.Equal(t, messages[i], m)
		require.Equal(t, m.Kind, again.Kind(uint64(i)))
		_, different := other.Append(nil, uint64(i))
		require.NotEqual(t, m.Key, different.Key)
	}
}

func TestAppend_EveryAcceptedMessageIsAnEvent(t *testing.T) {
	for _, profile := range []Profile{ProfileSmall, ProfileLarge} {
		g := newGenerator(t, Config{Profile: profile, Malformed: 0.1, Late: 0.1, Oversized: 0.005, MaxBytes: 64 << 10})
		for i := range uint64(2_000) {
			_, m := g.Append(nil, i)
			event, ok := parse(m.Value)
			require.Equal(t, m.Kind != Malformed, ok, "%v: %s", m.Kind, m.Value)
			require.Equal(t, m.Kind == Oversized, len(m.Value) > g.cfg.MaxBytes)
			require.NoError(t, uuid.Validate(string(m.Key)))
			if m.Kind == Malformed {
				continue
			}
			require.Equal(t, string(m.Key), event.UUID)
			require.Equal(t, m.AI, strings.HasPrefix(event.Event, "$ai_"))
			session := uuid.MustParse(strings.Trim(string(event.properties["$session_id"]), `"`))
			require.Equal(t, uuid.Version(7), session.Version())
		}
	}
}

func TestAppend_KindsHaveTheirShares(t *testing.T) {
	const n = 200_000
	g := newGenerator(t, Config{Late: 0.02, Duplicate: 0.01, Malformed: 0.005, Oversized: 0.001})
	var counts [numKinds]int
	for i := range uint64(n) {
		counts[g.Kind(i)]++
	}
	for kind, want := range map[Kind]float64{Late: 0.02, Duplicate: 0.01, Malformed: 0.005, Oversized: 0.001} {
		require.InEpsilon(t, want*n, counts[kind], 0.4, "%v", kind)
	}
}

func TestKind_NegativeFractionMeansNone(t *testing.T) {
	g := newGenerator(t, Config{Late: -1, Duplicate: -1, Malformed: -1, Oversized: -1})
	for i := range uint64(50_000) {
		require.Equal(t, Normal, g.Kind(i))
	}
}

func TestAppend_DuplicateRepeatsARecentMessage(t *testing.T) {
	g := newGenerator(t, Config{Duplicate: 0.2, Late: 0.2, Malformed: 0.1})
	seen := map[string]string{}
	duplicates := 0
	for i := range uint64(5000) {
		_, m := g.Append(nil, i)
		before, ok := seen[string(m.Key)]
		require.Equal(t, m.Kind == Duplicate, ok, "message %d", i)
		if ok {
			duplicates++
			require.Equal(t, before, string(m.Value))
		}
		seen[string(m.Key)] = string(m.Value)
	}
	require.Greater(t, duplicates, 500)
}

func TestAppend_LateMeansHoursBeforeCreation(t *testing.T) {
	g := newGenerator(t, Config{Late: 0.3, Duplicate: -1})
	for i := range uint64(3000) {
		_, m := g.Append(nil, i)
		if m.Kind.Rejected() {
			continue
		}
		event, ok := parse(m.Value)
		require.True(t, ok)
		age := event.created.Sub(event.at)
		require.Equal(t, m.Kind == Late, age >= time.Hour, "%v: %v", m.Kind, age)
		require.Less(t, age, 32*24*time.Hour)
		require.Less(t, g.CapturedAt(i).Sub(event.created).Abs(), 3*time.Second)
	}
}

func TestAppend_HoldsWhatConsumersTripOver(t *testing.T) {
	g := newGenerator(t, Config{Malformed: -1})
	wanted := []string{
		`\\ud83d`, `\\u0000`, `\\\"`, "🛒", "東京", `: `, `"team_id":"`, `"historical_migration":true`, `$set_once\":{`, `$set\":{`,
		`18446744073709551615`, `"person_mode":"propertyless"`, `"$exception"`, `utm_source`, `"elements_chain":"button`, `"person_properties":"{}"`,
		`\\u6771`, `$ai_input`, `"new_member"`, `"elements_chain":""`,
	}
	var missing []string
	var all []byte
	for i := range uint64(20_000) {
		all, _ = g.Append(all, i)
	}
	for _, text := range wanted {
		if !strings.Contains(string(all), text) {
			missing = append(missing, text)
		}
	}
	require.Empty(t, missing)
}

func TestAppend_OriginsDiffer(t *testing.T) {
	g := newGenerator(t, Config{Malformed: -1, Oversized: -1})
	withoutCapture, withoutPerson, micros := 0, 0, 0
	for i := range uint64(5000) {
		_, m := g.Append(nil, i)
		event, ok := parse(m.Value)
		require.True(t, ok)
		if event.CapturedAt == "" {
			withoutCapture++
		}
		if event.PersonID == "" {
			withoutPerson++
			require.Empty(t, event.Person)
			require.Empty(t, event.CapturedAt)
		}
		if len(event.Timestamp) == len("2026-09-01 12:34:56.789012") {
			micros++
			require.False(t, slices.ContainsFunc(m.Value, func(b byte) bool { return b >= 0x80 }))
		}
	}
	require.NotZero(t, withoutPerson)
	require.Greater(t, withoutCapture, withoutPerson)
	require.NotZero(t, micros)
}

func TestAppend_TeamsFollowZipfAndUsersAreStable(t *testing.T) {
	g := newGenerator(t, Config{Teams: 10, UsersPerTeam: 5, Malformed: -1})
	teams, persons := map[string]int{}, map[string]string{}
	for i := range uint64(5_000) {
		_, m := g.Append(nil, i)
		event, _ := parse(m.Value)
		team := strings.Trim(string(event.TeamID), `"`)
		teams[team]++
		if event.PersonID != "" {
			user := team + " " + event.DistinctID
			if before, ok := persons[user]; ok {
				require.Equal(t, before, event.PersonID)
			}
			persons[user] = event.PersonID
		}
	}
	require.Len(t, teams, 10)
	require.Len(t, persons, 50)
	require.InEpsilon(t, 2.14, float64(teams["1"])/float64(teams["2"]), 0.25)
	require.Greater(t, teams["2"], teams["10"])
}

func TestAppend_SizesAndAllocations(t *testing.T) {
	for profile, want := range map[Profile]float64{ProfileSmall: 1100, ProfileLarge: 2600, ProfileProduction: 9000} {
		g := newGenerator(t, Config{Profile: profile, Malformed: -1, Oversized: -1})
		size := 0
		for i := range uint64(5000) {
			_, m := g.Append(nil, i)
			size += len(m.Value)
		}
		t.Logf("profile %d: %d bytes on average", profile, size/5000)
		require.InEpsilon(t, want, size/5000, 0.15)
		buf, i := make([]byte, 0, 1<<16), uint64(0)
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			g.Append(buf, i)
			i++
		}))
	}
}

func TestNew_ReportsAllFaults(t *testing.T) {
	_, err := New(Config{Teams: -1, UsersPerTeam: -1, Interval: -1, MaxBytes: 1, Late: 0.9, Malformed: 0.2})
	for _, want := range []string{"-1 teams", "-1 users", "interval is -1ns", "limit is 1 bytes", "sum up to 1.1"} {
		require.ErrorContains(t, err, want)
	}
}

func TestKind_NamesAndRejection(t *testing.T) {
	names := map[Kind]string{}
	for _, kind := range Kinds() {
		names[kind] = kind.String()
		require.Equal(t, kind == Oversized || kind == Malformed, kind.Rejected())
	}
	require.Equal(t, map[Kind]string{Normal: "normal", Late: "late", Duplicate: "duplicate", Oversized: "oversized", Malformed: "malformed"}, names)
}

func BenchmarkAppend(b *testing.B) {
	for name, profile := range map[string]Profile{"small": ProfileSmall, "large": ProfileLarge} {
		b.Run(name, func(b *testing.B) {
			g := newGenerator(b, Config{Seed: 1, Profile: profile})
			buf := make([]byte, 0, 1<<16)
			var i uint64
			for b.Loop() {
				_, m := g.Append(buf, i)
				b.SetBytes(int64(len(m.Value)))
				i++
			}
			b.ReportAllocs()
		})
	}
}
