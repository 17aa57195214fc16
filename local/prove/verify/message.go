package verify

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// errRejected is why a message is not an event.
var errRejected = errors.New("no event")

// identity is what makes two messages repeats of each other: PostHog's, by which
// its table of events merges rows.
type identity struct {
	uuid              uuid.UUID
	team              int64
	day               string // of the timestamp, UTC
	event, distinctID string
}

// key is the identity in little memory.
type key [16]byte

func (id *identity) key() (k key) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s %q %q", id.uuid, id.team, id.day, id.event, id.distinctID))
	copy(k[:], sum[:])
	return k
}

// decode reads a message into cells, or says that it must be refused. at is the
// time of the Kafka record.
func (c Columns) decode(value []byte, at time.Time, maxBytes int) (identity, cells, error) {
	var id identity
	var out cells
	if len(value) > maxBytes {
		return id, out, errRejected
	}
	m, err := parse(value, messageMembers())
	if err != nil {
		return id, out, errRejected
	}
	if id.team, err = strconv.ParseInt(plain(m.get("team_id")), 10, 64); err != nil || id.team <= 0 {
		return id, out, errRejected
	}
	text, ok := m.text("uuid")
	if id.uuid, err = uuid.Parse(text); !ok || err != nil || len(text) != 36 {
		return id, out, errRejected
	}
	timestamp, ok := m.time("timestamp")
	if !ok {
		return id, out, errRejected
	}
	out[colUUID] = cell{text: id.uuid.String()}
	out[colTeamID] = cell{text: strconv.FormatInt(id.team, 10)}
	out[colTimestamp] = micros(timestamp)
	out[colKafkaTimestamp] = micros(at)
	c.fill(&out, m)
	id.day, id.event, id.distinctID = timestamp.UTC().Format(time.DateOnly), out[colEvent].text, out[colDistinctID].text
	return id, out, nil
}

// fill sets the columns that do not decide whether the message is acceptable.
func (c Columns) fill(out *cells, m members) {
	out[colEvent].text, _ = m.text("event")
	out[colDistinctID].text, _ = m.text("distinct_id")
	out[colElements].text, _ = m.text("elements_chain")
	for _, col := range [...]column{colPersonID, colPersonMode, colElementsChain} {
		text, ok := m.text(col.name())
		out[col] = cell{text: text, null: !ok}
	}
	if person, err := uuid.Parse(out[colPersonID].text); err == nil && len(out[colPersonID].text) == 36 {
		out[colPersonID].text = person.String()
	}
	created, ok := m.time("created_at")
	if out[colCreatedAt] = micros(created); !ok {
		out[colCreatedAt] = cell{null: true}
	}
	out[colHistorical].text = strconv.FormatBool(string(m.get("historical_migration")) == "true")

	properties, _ := m.text("properties")
	person, _ := m.text("person_properties")
	p, _ := parse([]byte(properties), propertyMembers()) // an event may lack properties that are an object
	ip, _ := p.text("$ip")
	out[colIP] = cell{text: ip, null: ip == ""}
	out[colProperties] = c.documentCell(colProperties, properties)
	out[colSet] = c.documentCell(colSet, document(p.get("$set")))
	out[colSetOnce] = c.documentCell(colSetOnce, document(p.get("$set_once")))
	out[colPersonProperties] = c.documentCell(colPersonProperties, person)
}

// time returns a member that is a time, in ClickHouse's or RFC 3339's form,
// within BigQuery's range, with any number of fractional digits.
func (m members) time(name string) (time.Time, bool) {
	text, ok := m.text(name)
	if !ok {
		return time.Time{}, false
	}
	for _, layout := range []string{time.DateTime, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil && t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 {
			return t, true
		}
	}
	return time.Time{}, false
}

// plain returns a number's digits, also of a number in quotes.
func plain(raw jsontext.Value) string {
	if n := len(raw); n >= 2 && raw[0] == '"' {
		return string(raw[1 : n-1])
	}
	return string(raw)
}

// document is the text of a nested document; null is none.
func document(raw jsontext.Value) string {
	if string(raw) == "null" {
		return ""
	}
	return string(raw)
}

// micros is a time as BigQuery keeps it.
func micros(t time.Time) cell { return cell{text: strconv.FormatInt(t.UnixMicro(), 10)} }
