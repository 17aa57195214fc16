package verify

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"

	"tidemark/local/generator"
)

const other = "0198f0a2-9d00-7c31-8f7e-1d2c3b4a5969"

func personsFold(messages []generator.PersonMessage) *PersonsFold {
	f := NewPersonsFold()
	for _, m := range messages {
		if m.Topic == generator.PersonTopic {
			f.AddPerson(m.Value)
		} else {
			f.AddMapping(m.Value)
		}
	}
	return f
}

func TestPersonsFold_JoinsTheLatestOfBoth(t *testing.T) {
	person := `{"id":"` + id + `","created_at":"2026-08-30 09:10:11","properties":"{\"a\":1}","team_id":2,"is_identified":1,"is_deleted":0,"version":7}`
	newer := `{"id":"` + id + `","created_at":"2026-08-30 09:10:11.123456","properties":"","team_id":2,"is_identified":0,"is_deleted":0,"version":8}`
	tombstone := `{"id":"` + id + `","created_at":"junk","properties":"{}","team_id":"2","is_deleted":1,"version":107}`
	mapping := `{"team_id":2,"distinct_id":"d","person_id":"` + id + `"}`
	moved := `{"team_id":2,"distinct_id":"d","person_id":"` + other + `","version":1,"is_deleted":0}`
	unmapped := `{"team_id":2,"distinct_id":"d","person_id":"` + id + `","version":100,"is_deleted":1}`
	created := bigquery.NullTimestamp{Timestamp: time.Date(2026, 8, 30, 9, 10, 11, 0, time.UTC), Valid: true}
	precise := bigquery.NullTimestamp{Timestamp: created.Timestamp.Add(123456 * time.Microsecond), Valid: true}
	row := PersonRow{PersonID: id, Properties: bigquery.NullString{StringVal: `{"a":1}`, Valid: true}, PersonVersion: 7, CreatedAt: created, IsIdentified: true}
	later := PersonRow{PersonID: id, PersonVersion: 8, CreatedAt: precise}
	dead := PersonRow{PersonID: id, Properties: bigquery.NullString{StringVal: `{}`, Valid: true}, PersonVersion: 107, IsDeleted: true}
	off := row
	off.MappingVersion, off.IsDeleted = 100, true
	for name, c := range map[string]struct {
		persons, mappings []string
		mark, remove      []PersonRow
	}{
		"nothing":             {nil, nil, nil, nil},
		"person alone":        {[]string{person}, nil, nil, nil},
		"mapping alone":       {nil, []string{mapping}, nil, nil},
		"both":                {[]string{person, person}, []string{mapping}, []PersonRow{row}, []PersonRow{row}},
		"newer, out of order": {[]string{newer, person}, []string{mapping}, []PersonRow{later}, []PersonRow{later}},
		"person deleted":      {[]string{person, tombstone}, []string{mapping}, []PersonRow{dead}, nil},
		"mapping deleted":     {[]string{person}, []string{unmapped, mapping}, []PersonRow{off}, nil},
		"moved to nobody":     {[]string{person}, []string{mapping, moved}, nil, nil},
		"of another team":     {[]string{bytesReplace(person, `"team_id":2`, `"team_id":3`)}, []string{mapping}, nil, nil},
		"first of several members": {[]string{person[:len(person)-1] + `,"version":9,"properties":"[","id":1,"team_id":3,"is_identified":0}`},
			[]string{mapping[:len(mapping)-1] + `,"person_id":"` + other + `","distinct_id":"e","team_id":3}`}, []PersonRow{row}, []PersonRow{row}},
		"upper case": {[]string{person}, []string{bytesReplace(mapping, id, string(bytes.ToUpper([]byte(id))))},
			[]PersonRow{row}, []PersonRow{row}},
	} {
		f := NewPersonsFold()
		for _, m := range c.persons {
			require.True(t, f.AddPerson([]byte(m)), name)
		}
		for _, m := range c.mappings {
			require.True(t, f.AddMapping([]byte(m)), name)
		}
		for deletes, want := range map[Deletes][]PersonRow{DeletesMark: c.mark, DeletesRemove: c.remove} {
			var rows []PersonRow
			for key, row := range f.Rows(deletes) {
				require.Equal(t, PersonKey{2, "d"}, key)
				rows = append(rows, row)
			}
			require.Equal(t, want, rows, "%s, %s", name, deletes)
		}
		require.Zero(t, f.Rejected()+f.Conflicting(), name)
	}
}

func bytesReplace(s, old, with string) string {
	return string(bytes.ReplaceAll([]byte(s), []byte(old), []byte(with)))
}

func TestPersonsFold_RefusesWhatIsNoMessage(t *testing.T) {
	person := `{"id":"` + id + `","properties":"{}","team_id":2,"version":7,"is_deleted":0}`
	mapping := `{"distinct_id":"d","team_id":2,"person_id":"` + id + `","version":7,"is_deleted":0}`
	both := func(old, with string) [2]string {
		return [2]string{bytesReplace(person, old, with), bytesReplace(mapping, old, with)}
	}
	for _, texts := range [][2]string{
		{"", ""}, {"[]", "[]"}, {"null", "null"}, {person + "}", mapping + "}"}, {person[:40], mapping[:40]},
		both(`"team_id":2,`, ""), both(`:2,`, ":null,"), both(`:2,`, `:"two",`), both(`:2,`, ":2.5,"), both(`:2,`, ":0,"), both(`:2,`, ":-2,"),
		both(id, ""), both(id, id[:35]), both(id, id[:35]+"g"), both(id, "{"+id+"}"), both(`"`+id+`"`, "null"), both(`"`+id+`"`, "7"),
		both(`:7`, ":-7"), both(`:7`, ":7.5"), both(`:7`, ":7e1"), both(`:7`, ":9223372036854775808"), both(`:7`, ":true"), both(`:7`, `:{}`), both(`:7`, `:""`), both(`:7`, `:"+7"`), both(`:7`, `:"null"`),
		{mapping, bytesReplace(mapping, `"d"`, `""`)}, {mapping, bytesReplace(mapping, `"d"`, "null")},
		{mapping, bytesReplace(mapping, `"distinct_id":"d",`, "")}, {mapping, person},
	} {
		f := NewPersonsFold()
		require.False(t, f.AddPerson([]byte(texts[0])), "%s", texts[0])
		require.False(t, f.AddMapping([]byte(texts[1])), "%s", texts[1])
		require.Equal(t, int64(2), f.Rejected())
		require.Empty(t, f.Rows(DeletesMark))
	}
	for _, texts := range [][2]string{both(`:7`, ":9223372036854775807"), both(`:7`, ":null"), both(`:7`, `:"7"`), both(`"version":7,`, ""), both(`:2,`, `:"2",`),
		{bytesReplace(person, `"{}"`, `{}`), bytesReplace(mapping, `"d"`, "5")}} {
		f := NewPersonsFold()
		require.True(t, f.AddPerson([]byte(texts[0])), "%s", texts[0])
		require.True(t, f.AddMapping([]byte(texts[1])), "%s", texts[1])
		require.Len(t, f.Rows(DeletesRemove), 1)
	}
}

func TestPersonsFold_CountsContradictions(t *testing.T) {
	f := NewPersonsFold()
	for _, version := range []string{"1", "1", "2", "1"} {
		for _, deleted := range []string{"0", "0", "1"} {
			f.AddMapping([]byte(`{"distinct_id":"d","team_id":2,"person_id":"` + id + `","version":` + version + `,"is_deleted":` + deleted + `}`))
			f.AddPerson([]byte(`{"id":"` + id + `","team_id":2,"version":` + version + `,"is_deleted":` + deleted + `}`))
		}
	}
	require.Equal(t, int64(6), f.Conflicting(), "older versions do not matter")
	require.False(t, f.Rows(DeletesMark)[PersonKey{2, "d"}].IsDeleted, "the first one counts")
}

func TestPersonsFold_DependsNeitherOnOrderNorOnRepetition(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		messages := generator.PersonHistory(seed, 200)
		want := personsFold(messages)
		require.NotEmpty(t, want.Rows(DeletesMark))
		random := rand.New(rand.NewPCG(seed, 0))
		again := slices.Concat(messages, messages[random.IntN(len(messages)):])
		random.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		got := personsFold(again)
		require.Zero(t, got.Conflicting())
		for _, deletes := range []Deletes{DeletesMark, DeletesRemove} {
			require.Equal(t, want.Rows(deletes), got.Rows(deletes))
		}
	}
}

func TestPersonsFold_RefusesExactlyTheMalformed(t *testing.T) {
	g, err := generator.New(generator.Config{Seed: rand.Uint64(), Malformed: 0.1})
	require.NoError(t, err)
	t.Logf("seed %d", g.Config().Seed)
	s, f := g.Persons(), NewPersonsFold()
	for i := range uint64(5000) {
		_, m := s.Append(nil, i)
		add := f.AddPerson
		if m.Topic == generator.MappingTopic {
			add = f.AddMapping
		}
		require.Equal(t, !m.Rejected, add(m.Value), "%s", m.Value)
	}
	require.Zero(t, f.Conflicting())
}

func BenchmarkPersonsFold(b *testing.B) {
	g, err := generator.New(generator.Config{Seed: 1})
	require.NoError(b, err)
	s, f := g.Persons(), NewPersonsFold()
	var messages []generator.PersonMessage
	for i := range uint64(1000) {
		_, m := s.Append(nil, i)
		messages = append(messages, m)
	}
	for i := 0; b.Loop(); i++ {
		m := messages[i%1000]
		if m.Topic == generator.PersonTopic {
			f.AddPerson(m.Value)
		} else {
			f.AddMapping(m.Value)
		}
	}
	b.ReportAllocs()
}
