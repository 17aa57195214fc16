package generator

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// personValue is a person's or distinct ID's message as a strict reader sees it.
type personValue struct {
	ID           string
	PersonID     string          `json:"person_id"`
	DistinctID   *string         `json:"distinct_id"`
	TeamID       json.RawMessage `json:"team_id"`
	Version      json.Number
	CreatedAt    string `json:"created_at"`
	Properties   string
	IsIdentified int `json:"is_identified"`
	IsDeleted    int `json:"is_deleted"`
}

// parsePerson reads a value, and reports false if it must be refused.
func parsePerson(m PersonMessage) (v personValue, team int, version int64, ok bool) {
	if err := json.Unmarshal(m.Value, &v); err != nil || m.Value[0] != '{' {
		return v, 0, 0, false
	}
	var err error
	if err = json.Unmarshal([]byte(strings.Trim(string(v.TeamID), `"`)), &team); err != nil || team < 1 {
		return v, 0, 0, false
	}
	if v.Version != "" {
		if version, err = strconv.ParseInt(string(v.Version), 10, 64); err != nil || version < 0 {
			return v, 0, 0, false
		}
	}
	id := v.ID
	if m.Topic == MappingTopic {
		if id = v.PersonID; v.DistinctID == nil || *v.DistinctID == "" {
			return v, 0, 0, false
		}
	} else if _, err := time.Parse(layoutSecs, v.CreatedAt); err != nil {
		return v, 0, 0, false
	}
	return v, team, version, len(id) == 36 && uuid.Validate(id) == nil
}

func TestPersons_IsPureFunctionOfConfigAndIndex(t *testing.T) {
	g := newGenerator(t, Config{Malformed: 0.05})
	again, err := New(g.Config())
	require.NoError(t, err)
	s, messages := g.Persons(), []PersonMessage{}
	var all []byte
	for i := range uint64(3000) {
		var m PersonMessage
		all, m = s.Append(all, i)
		messages = append(messages, m)
	}
	other := again.Persons()
	for _, i := range []uint64{2999, 0, 1, 17, 1500, 2000, 1999} {
		_, m := other.Append(nil, i)
		require.Equal(t, messages[i], m)
	}
}

func TestPersons_ExactlyTheMalformedAreToBeRefused(t *testing.T) {
	for _, profile := range []Profile{ProfileSmall, ProfileLarge} {
		s, rejected := newGenerator(t, Config{Malformed: 0.1, Profile: profile}).Persons(), 0
		for i := range uint64(10_000) {
			_, m := s.Append(nil, i)
			_, _, _, ok := parsePerson(m)
			require.Equal(t, !m.Rejected, ok, "%s %s", m.Topic, m.Value)
			if m.Rejected {
				rejected++
			}
		}
		require.InEpsilon(t, 500, rejected, 0.6)
	}
}

func TestPersons_OneVersionHasOneContent(t *testing.T) {
	s := newGenerator(t, Config{Teams: 3, UsersPerTeam: 20}).Persons()
	seen := map[[3]string]string{}
	repeats, upsets, latest := 0, 0, map[[2]string]int64{}
	for i := range uint64(20_000) {
		_, m := s.Append(nil, i)
		v, team, version, ok := parsePerson(m)
		if !ok {
			continue
		}
		entity := [2]string{strconv.Itoa(team), "person " + strings.ToLower(v.ID)}
		if m.Topic == MappingTopic {
			entity[1] = *v.DistinctID
		}
		key := [3]string{entity[0], entity[1], strconv.FormatInt(version, 10)}
		if before, ok := seen[key]; ok {
			repeats++
			require.Equal(t, before, string(m.Value))
		}
		seen[key] = string(m.Value)
		if version < latest[entity] {
			upsets++
		}
		latest[entity] = max(latest[entity], version)
	}
	require.Greater(t, repeats, 500)
	require.Greater(t, upsets, 1000, "arrival order means nothing")
}

func TestPersons_HoldsWhatConsumersTripOver(t *testing.T) {
	s := newGenerator(t, Config{}).Persons()
	var all []byte
	devices := map[string]map[string]bool{}
	for i := range uint64(30_000) {
		var m PersonMessage
		all, m = s.Append(all, i)
		if v, team, _, ok := parsePerson(m); ok && m.Topic == MappingTopic && v.IsDeleted == 0 {
			owner := strconv.Itoa(team) + strings.ToLower(v.PersonID)
			if devices[owner] == nil {
				devices[owner] = map[string]bool{}
			}
			devices[owner][*v.DistinctID] = true
		}
	}
	var missing []string
	for _, text := range []string{
		`\\ud83d`, `\\u0000`, "Town", `Street\nTown`, `\\n`, `123456789012345678901234567890`, `{\"in\":[{\"in\":[`, "🎉", `\\ud83c`, `"[]"`, `"42"`,
		`"9007199254740993"`[1:17], `"properties": "{}"`, `"is_deleted": 1`, `"is_deleted":1`, `"last_seen_at":null`, `"_timestamp": "`, `"extra":{`,
		`"Kiosk 1`, `"kiosk 1`, `"team_id":"`, "Kunde №", `"version":101`, `"version":100`,
	} {
		if !bytes.Contains(all, []byte(text)) {
			missing = append(missing, text)
		}
	}
	require.Empty(t, missing)
	most := 0
	for _, ids := range devices {
		most = max(most, len(ids))
	}
	require.Greater(t, most, 100)
	t.Logf("%d persons, %d distinct IDs of one, %d bytes per message", len(devices), most, len(all)/30_000)
}

func TestPersons_AreTheUsersOfTheEvents(t *testing.T) {
	g := newGenerator(t, Config{Teams: 5, UsersPerTeam: 50, Malformed: -1})
	s, owners := g.Persons(), map[string]string{}
	for i := range uint64(5000) {
		_, m := s.Append(nil, i)
		if v, team, _, ok := parsePerson(m); ok && m.Topic == MappingTopic {
			key := strconv.Itoa(team) + " " + *v.DistinctID
			if _, ok := owners[key]; !ok {
				owners[key] = strings.ToLower(v.PersonID)
			}
		}
	}
	events, mapped, same := 0, 0, 0
	for i := range uint64(5000) {
		_, m := g.Append(nil, i)
		event, ok := parse(m.Value)
		if !ok || event.PersonID == "" {
			continue
		}
		events++
		if owner := owners[strings.Trim(string(event.TeamID), `"`)+" "+event.DistinctID]; owner != "" {
			mapped++
			if owner == event.PersonID {
				same++
			}
		}
	}
	t.Logf("%d events, %d of users with a row, %d of those whose person was seen first", events, mapped, same)
	require.Greater(t, mapped, events/2)
	require.Less(t, mapped, events*19/20, "some users are counted without a person")
	require.Greater(t, same, mapped/2)
}

func TestPersonHistory_IsSmallAndEventful(t *testing.T) {
	messages := PersonHistory(7, 300)
	require.Equal(t, messages, PersonHistory(7, 300))
	require.NotEqual(t, messages, PersonHistory(8, 300))
	keys, rejected := map[string]bool{}, 0
	for _, m := range messages {
		v, _, _, ok := parsePerson(m)
		require.Equal(t, ok, !m.Rejected)
		if !ok {
			rejected++
		} else if m.Topic == MappingTopic {
			keys[string(v.TeamID)+*v.DistinctID] = true
		}
	}
	require.NotZero(t, rejected)
	require.Less(t, len(keys), 150)
}

func BenchmarkPersons(b *testing.B) {
	s := newGenerator(b, Config{Seed: 1}).Persons()
	buf := make([]byte, 0, 1<<16)
	for i := uint64(0); b.Loop(); i++ {
		_, m := s.Append(buf, i)
		b.SetBytes(int64(len(m.Value)))
	}
	b.ReportAllocs()
}
