package verify

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
)

const id = "0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c77"

func TestDecode_SaysWhatIsAcceptable(t *testing.T) {
	event := func(uuid, team, timestamp string) string {
		return `{"uuid":` + uuid + `,"team_id":` + team + `,"timestamp":` + timestamp + `}`
	}
	good := []string{
		event(`"`+id+`"`, `2`, `"2026-09-01 12:34:56.789"`),
		event(`"`+strings.ToUpper(id)+`"`, `"2"`, `"2026-09-01 12:34:56"`),
		event(`"`+id+`"`, `9223372036854775807`, `"2026-09-01 12:34:56.123456789"`),
		event(`"`+id+`"`, `2`, `"2026-09-01T12:34:56Z"`),
		" " + event(`"`+id+`"`, ` 2 `, `"2026-09-01T14:34:56.5+02:00"`) + "\n",
	}
	bad := []string{
		"", "text", "null", "[]", "1", `"x"`, "{", good[0] + "}", good[0][:40], "{}", "\x00\xff",
		event(`"`+id+`"`, `0`, `"2026-09-01 12:34:56"`),
		event(`"`+id+`"`, `-1`, `"2026-09-01 12:34:56"`),
		event(`"`+id+`"`, `2.0`, `"2026-09-01 12:34:56"`),
		event(`"`+id+`"`, `true`, `"2026-09-01 12:34:56"`),
		event(`"`+id+`"`, `""`, `"2026-09-01 12:34:56"`),
		event(`"`+id+`"`, `null`, `"2026-09-01 12:34:56"`),
		event(`"`+id[1:]+`"`, `2`, `"2026-09-01 12:34:56"`),
		event(`"{`+id+`}"`, `2`, `"2026-09-01 12:34:56"`),
		event(`"`+strings.ReplaceAll(id, "-", "")+`"`, `2`, `"2026-09-01 12:34:56"`),
		event(`7`, `2`, `"2026-09-01 12:34:56"`),
		event(`"`+id+`"`, `2`, `"2026-02-30 12:34:56"`),
		event(`"`+id+`"`, `2`, `"0000-09-01 12:34:56"`),
		event(`"`+id+`"`, `2`, `1756730096`),
		event(`"`+id+`"`, `2`, `null`),
		strings.Replace(good[0], "uuid", "UUID", 1),
		good[0] + strings.Repeat(" ", 1000),
	}
	var c Columns
	for _, text := range good {
		_, _, err := c.decode([]byte(text), time.Time{}, 500)
		require.NoError(t, err, text)
	}
	for _, text := range bad {
		_, _, err := c.decode([]byte(text), time.Time{}, 500)
		require.ErrorIs(t, err, errRejected, text)
	}
}

func TestDecode_ExtractsValues(t *testing.T) {
	const value = `{"uuid":"` + id + `","team_id":"2","event":"a\"b","EVENT":"no","timestamp":"2026-09-01 12:34:56.789",` +
		`"properties":"{\"$set\":{\"x\": 1.0},\"$SET\":{},\"$set_once\":null,\"$ip\":\"203.0.113.7\"}","distinct_id":"d","elements_chain":"e",` +
		`"person_id":"p","created_at":"2026-09-01 12:34:57.000001","historical_migration":true,"person_properties":""}`
	_, got, err := Columns{}.decode([]byte(value), time.UnixMilli(5), 1<<20)
	require.NoError(t, err)
	require.Equal(t, cells{
		colUUID: {text: id}, colTeamID: {text: "2"}, colEvent: {text: `a"b`}, colDistinctID: {text: "d"},
		colTimestamp: {text: "1788266096789000"}, colCreatedAt: {text: "1788266097000001"}, colKafkaTimestamp: {text: "5000"},
		colProperties: {text: `{"$set":{"x": 1.0},"$SET":{},"$set_once":null,"$ip":"203.0.113.7"}`},
		colSet:        {text: `{"x": 1.0}`}, colSetOnce: {null: true}, colIP: {text: "203.0.113.7"},
		colElements: {text: "e"}, colElementsChain: {text: "e"}, colPersonID: {text: "p"}, colPersonMode: {null: true},
		colPersonProperties: {null: true}, colHistorical: {text: "true"},
	}, got)
}

func TestDecode_UUIDsHaveOneForm(t *testing.T) {
	upper := strings.ToUpper(id)
	for person, want := range map[string]string{upper: id, id: id, "{" + upper + "}": "{" + upper + "}", upper[1:]: upper[1:]} {
		_, got, err := Columns{}.decode([]byte(`{"uuid":"`+upper+`","team_id":2,"timestamp":"2026-09-01 12:34:56","person_id":"`+person+`","distinct_id":"`+upper+`"}`), time.Time{}, 1000)
		require.NoError(t, err)
		require.Equal(t, []string{id, want, upper}, []string{got[colUUID].text, got[colPersonID].text, got[colDistinctID].text})
	}
}

func TestDecode_OfSeveralMembersWithOneNameTheFirstCounts(t *testing.T) {
	const rest = `"uuid":"` + id + `","team_id":2,"timestamp":"2026-09-01 12:34:56"}`
	const value = `{"event":"a","\u0065vent":"b","distinct_id":null,"distinct_id":"d","properties":"{\"$ip\":\"1\",\"\\u0024ip\":\"2\",\"$set\":1,\"$set\":2,\"$set_once\":null,\"$set_once\":3}","properties":"[",` + rest
	for _, documents := range []bigquery.FieldType{bigquery.StringFieldType, bigquery.JSONFieldType} {
		_, got, err := columns(t, documents).decode([]byte(value), time.Time{}, 1000)
		require.NoError(t, err)
		require.Equal(t, []cell{{text: "a"}, {}, {text: "1"}, {text: "1"}, {null: true}}, []cell{got[colEvent], got[colDistinctID], got[colIP], got[colSet], got[colSetOnce]})
	}
	for _, member := range []string{`"uuid":null,`, `"team_id":0,`, `"timestamp":1,`} {
		_, _, err := Columns{}.decode([]byte("{"+member+rest), time.Time{}, 1000)
		require.ErrorIs(t, err, errRejected, member)
	}
}

func TestParse_IsWhatEncodingJSONReadsIntoAMap(t *testing.T) {
	names := []string{"a", "é"}
	for _, text := range []string{
		`{"a":1,"b":2}`, `{"\u0061":[1,{"a":2}]}`, `{"\u00e9":1}`, "{\"\xff\":1}", `{"\ud83d":1}`, `{"":{}}`, ` { "a" : "\ud83d\u0000\/" } `,
		"{\"a\":\"x\xffy\"}", `{"a":"\ud83d\ude00"}`, `{"a":"\udc00\ud83dz"}`, `{}`, `null`, `[]`, `"a"`, `{"a"}`, `{"a":}`, `{"a":01}`, `{"a":1}}`, `{"a":1} {}`,
		`{"a":1,}`, `{"a":"` + "\n" + `"}`, `{"a":"\x"}`, `{"a":tru}`, `{a:1}`, `{"a":1`, `{"a":-}`, `{"a":1e}`, ``, `{"b":"`, `{"b":[}`, "\ufeff{}",
	} {
		var want map[string]json.RawMessage
		err := json.Unmarshal([]byte(text), &want)
		got, parseErr := parse([]byte(text), names)
		if err != nil || want == nil {
			require.Error(t, parseErr, "%q", text)
			continue
		}
		require.NoError(t, parseErr, "%q", text)
		for _, name := range names {
			require.Equal(t, string(want[name]), string(got.get(name)), "%q in %q", name, text)
			var value any
			_ = json.Unmarshal(want[name], &value)
			wantText, wantOK := value.(string)
			gotText, ok := got.text(name)
			require.Equal(t, wantText, gotText, "%q in %q", name, text)
			require.Equal(t, wantOK, ok, "%q in %q", name, text)
		}
	}
}
