package verify

import (
	"strconv"

	"cloud.google.com/go/bigquery"
	"github.com/google/uuid"
)

// personMembers are what a message about a person is asked for.
func personMembers() []string {
	return []string{"id", "team_id", "version", "properties", "created_at", "is_identified", "is_deleted"}
}

// mappingMembers are what a message about a distinct ID is asked for.
func mappingMembers() []string {
	return []string{"distinct_id", "team_id", "person_id", "version", "is_deleted"}
}

// decodePerson reads a message about a person; ok is false if it must be refused.
func decodePerson(value []byte) (key personKey, p person, ok bool) {
	m, err := parse(value, personMembers())
	if err != nil {
		return key, p, false
	}
	if key.team, key.id, p.version, ok = m.personVersion("id"); !ok {
		return key, p, false
	}
	text := m.content("properties")
	p.properties = bigquery.NullString{StringVal: text, Valid: text != ""}
	if created, ok := m.time("created_at"); ok {
		p.created = bigquery.NullTimestamp{Timestamp: created.UTC(), Valid: true}
	}
	p.identified, p.deleted = m.flag("is_identified"), m.flag("is_deleted")
	return key, p, true
}

// decodeMapping reads a message about a distinct ID; ok is false if it must be
// refused.
func decodeMapping(value []byte) (key PersonKey, to mapping, ok bool) {
	m, err := parse(value, mappingMembers())
	if err != nil {
		return key, to, false
	}
	if key.Team, to.person, to.version, ok = m.personVersion("person_id"); !ok {
		return key, to, false
	}
	if key.DistinctID = m.content("distinct_id"); key.DistinctID == "" {
		return key, to, false
	}
	to.deleted = m.flag("is_deleted")
	return key, to, true
}

// personVersion returns what both kinds of messages must have. No version is 0.
func (m members) personVersion(name string) (team int64, id uuid.UUID, version int64, ok bool) {
	team, err := strconv.ParseInt(plain(m.get("team_id")), 10, 64)
	if err != nil || team <= 0 {
		return 0, id, 0, false
	}
	text, _ := m.text(name)
	if id, err = uuid.Parse(text); err != nil || len(text) != 36 {
		return 0, id, 0, false
	}
	if version, ok = m.version(); !ok {
		return 0, id, 0, false
	}
	return team, id, version, true
}

// version returns the member version, digits and nothing else; missing or null it
// is 0.
func (m members) version() (int64, bool) {
	raw := m.get("version")
	if raw == nil || raw.Kind() == 'n' {
		return 0, true
	}
	digits := plain(raw)
	version, err := strconv.ParseInt(digits, 10, 64)
	return version, err == nil && digits[0] >= '0' && digits[0] <= '9'
}

// content returns a member as ClickHouse reads it into a String: a string's text,
// nothing for null, and the JSON text of anything else.
func (m members) content(name string) string {
	if text, ok := m.text(name); ok {
		return text
	}
	return document(m.get(name))
}

// flag returns a member that is 0 or 1, false or true; anything else is false.
func (m members) flag(name string) bool {
	raw := plain(m.get(name))
	return raw == "1" || raw == "true"
}
