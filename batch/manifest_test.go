package batch

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite golden files")

func goldenManifest(t testing.TB) *Manifest {
	id, err := ParseID("0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c77")
	require.NoError(t, err)
	at := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	target := Target{Model: "events", Project: "acme", Location: "EU", Dataset: "posthog", Table: "events",
		Columns: []Column{{"uuid", "STRING"}, {"properties", "JSON"}, {"timestamp", "TIMESTAMP"}}}
	persons := Target{Model: "persons", Project: "acme", Location: "EU", Dataset: "posthog", Table: "persons", RemoveDeleted: true,
		StatusTable: "tidemark_status", Columns: []Column{{"team_id", "INT64"}, {"distinct_id", "STRING"}}}
	return &Manifest{
		Version: 3, ID: id, Group: "tidemark", Stream: "events", Reason: "boundary",
		Period: PeriodAt(at.Add(-time.Minute), time.Hour), SealedAt: at.Add(10 * time.Second), Oldest: at.Add(-time.Hour),
		IngestedAt: at.Add(-time.Hour),
		Ranges: []Range{
			{TopicPartition{"clickhouse_events_json", 0}, 100, 160, 59, at, 4},
			{TopicPartition{"clickhouse_events_json", 1}, 7, 8, 0, at.Add(-time.Second), -1},
			{TopicPartition{"clickhouse_person", 0}, 0, 3, 3, at, 0},
		},
		Contents: Contents{
			Tables: []Table{{Target: target, Parts: []Part{
				{Object: PartObject("tidemark", id, "events", 2, 0), Team: 2, Rows: 50, Bytes: 4096, CRC32C: 0xdeadbeef},
				{Object: PartObject("tidemark", id, "events", 3, 1), Team: 3, Rows: 5, Bytes: 512, CRC32C: 1},
			}}, {Target: persons, Keys: &Keys{FirstTeam: 2, LastTeam: 2, FirstPerson: "01", LastPerson: "09"}, Parts: []Part{
				{Object: PartObject("tidemark", id, "persons", 2, 0), Team: 2, Rows: 2, Bytes: 40, CRC32C: 3},
			}}},
			Rejects: []Part{{Object: RejectsObject("tidemark", id, 0), Rows: 3, Bytes: 300, CRC32C: 2}},
			Counts:  Counts{Consumed: 62, Duplicates: 1, Superseded: 1, Rejected: 3},
		},
	}
}

func TestManifest_MatchesItsGoldenFile(t *testing.T) {
	m := goldenManifest(t)
	require.NoError(t, m.Check())
	got, err := m.Encode()
	require.NoError(t, err)
	const file = "testdata/manifest.json"
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
	again, err := DecodeManifest(got)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(m, again))
}

func TestManifest_RefusesWhatDoesNotAddUp(t *testing.T) {
	for name, breakIt := range map[string]func(*Manifest){
		"a row too few":              func(m *Manifest) { m.Tables[0].Parts[0].Rows-- },
		"a record too many":          func(m *Manifest) { m.Ranges[0].Records++ },
		"a reject that is not kept":  func(m *Manifest) { m.Rejects[0].Rows-- },
		"a duplicate too many":       func(m *Manifest) { m.Counts.Duplicates++ },
		"a superseded one too many":  func(m *Manifest) { m.Counts.Superseded++ },
		"an unaccounted nulled copy": func(m *Manifest) { m.Counts.Nulled++ },
	} {
		t.Run(name, func(t *testing.T) {
			m := goldenManifest(t)
			breakIt(m)
			require.ErrorIs(t, m.Check(), ErrMiscount)
		})
	}
}

func TestDecodeManifest_RefusesANewerVersion(t *testing.T) {
	m := goldenManifest(t)
	m.Version = ManifestVersion + 1
	b, err := m.Encode()
	require.NoError(t, err)
	_, err = DecodeManifest(b)
	require.ErrorIs(t, err, ErrManifestVersion)
}

// An older replica would merge into the view as if it were a table, so it must not read such a manifest; all others it may.
func TestManifest_VersionIsTheOldestThatSaysAll(t *testing.T) {
	m := goldenManifest(t)
	require.Equal(t, 3, m.Contents.Version())
	m.Tables[1].Target.View = true
	require.Equal(t, 4, m.Contents.Version())
	for version := 1; version <= 4; version++ {
		m.Version = version
		b, err := m.Encode()
		require.NoError(t, err)
		_, err = DecodeManifest(b)
		require.NoError(t, err)
	}
}

// A batch that was sealed before an upgrade is finished after it.
func TestDecodeManifest_ReadsTheVersionBefore(t *testing.T) {
	b, err := os.ReadFile("testdata/manifest-v1.json")
	require.NoError(t, err)
	m, err := DecodeManifest(b)
	require.NoError(t, err)
	require.Equal(t, 1, m.Version)
	require.EqualValues(t, 55, m.Tables[0].Rows())
}

func FuzzDecodeManifest(f *testing.F) {
	b, err := goldenManifest(f).Encode()
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeManifest(b)
		if err != nil {
			return
		}
		text, err := json.Marshal(m)
		require.NoError(t, err)
		again, err := DecodeManifest(text)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(m, again))
	})
}

func TestID_SortsByTimeAndTellsIt(t *testing.T) {
	at := time.UnixMilli(1756730096789).UTC()
	require.Equal(t, at, NewID(at).Time())
	require.Less(t, NewID(at).String(), NewID(at.Add(time.Millisecond)).String())
	require.LessOrEqual(t, FirstID(at).String(), NewID(at).String())
	require.Equal(t, byte(7), NewID(at)[6]>>4, "a UUIDv7")
	require.NotEqual(t, NewID(at), NewID(at))
}

func TestNames_DifferByDestination(t *testing.T) {
	id := NewID(time.Now())
	a := Target{Project: "p", Dataset: "d1", Table: "events"}
	b := Target{Project: "p", Dataset: "d2", Table: "events"}
	require.NotEqual(t, JobOf(id, a, "load").Base, JobOf(id, b, "load").Base)
	require.NotEqual(t, StageTable(id, a, 1), StageTable(id, a, 2))
	require.Equal(t, JobOf(id, a, "load").Base, JobOf(id, a, "load").Base)
	require.Regexp(t, `^[A-Za-z0-9_-]{1,1000}$`, JobOf(id, a, "load").Base)
	require.Regexp(t, `^[A-Za-z0-9_]{1,1000}$`, StageTable(id, a, 1))
}

func TestLabels_AreValidWhateverTheManifest(t *testing.T) {
	m := goldenManifest(t)
	got := Labels(m, &m.Tables[0])
	require.Equal(t, map[string]string{"model": "events", "batch": m.ID.String(), "period": "2026-09-01t11-00-00z"}, got,
		"no team: the parts have several")
	m.Tables[0].Parts[1].Team = 2
	require.Equal(t, "2", Labels(m, &m.Tables[0])["team"])
	m.Tables[0].Target.Model = "Größe/" + strings.Repeat("x", 100)
	for _, value := range Labels(m, &m.Tables[0]) {
		require.Regexp(t, `^[a-z0-9_-]{1,63}$`, value)
	}
}
