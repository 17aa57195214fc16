package verify

import (
	"sync"

	"cloud.google.com/go/bigquery"
	"github.com/google/uuid"
)

// Deletes says what becomes of a row whose person or distinct ID is deleted.
type Deletes string

const (
	// DeletesMark keeps the row, with is_deleted true and the tombstone's
	// properties.
	DeletesMark Deletes = "mark"
	// DeletesRemove leaves no row.
	DeletesRemove Deletes = "remove"
)

// PersonKey identifies a row of the table of persons.
type PersonKey struct {
	Team       int64
	DistinctID string
}

// PersonRow is what the row of a key has to hold.
type PersonRow struct {
	PersonID       string              // in lower case
	Properties     bigquery.NullString // as in the message; NULL without any
	MappingVersion int64               // person_distinct_id_version
	PersonVersion  int64
	CreatedAt      bigquery.NullTimestamp // of the person; NULL if unreadable
	IsDeleted      bool                   // the person is, or the mapping
	IsIdentified   bool
}

// personKey is a person of a team.
type personKey struct {
	team int64
	id   uuid.UUID
}

// person is the latest version of one.
type person struct {
	version             int64
	properties          bigquery.NullString
	created             bigquery.NullTimestamp
	deleted, identified bool
}

// mapping is the latest version of whose a distinct ID is.
type mapping struct {
	version int64
	person  uuid.UUID
	deleted bool
}

// PersonsFold is the table of persons by definition: the join of the latest
// mappings with the latest persons. What it has does not depend on the order of
// messages or on repetition, as long as a version has one content; otherwise the
// first one counts. It is safe for concurrent use, which leaves open what is first.
type PersonsFold struct {
	mu                    sync.Mutex
	persons               map[personKey]person
	mappings              map[PersonKey]mapping
	rejected, conflicting int64
}

// NewPersonsFold returns one without messages.
func NewPersonsFold() *PersonsFold {
	return &PersonsFold{persons: map[personKey]person{}, mappings: map[PersonKey]mapping{}}
}

// AddPerson adds a message of the topic of persons, and reports whether it is
// acceptable. It keeps nothing of json.
func (f *PersonsFold) AddPerson(json []byte) bool {
	key, latest, ok := decodePerson(json)
	if !ok {
		f.reject()
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	before, known := f.persons[key]
	switch {
	case !known || latest.version > before.version:
		f.persons[key] = latest
	case latest.version == before.version && latest != before:
		f.conflicting++
	}
	return true
}

// AddMapping adds a message of the topic of distinct IDs, and reports whether it
// is acceptable. It keeps nothing of json.
func (f *PersonsFold) AddMapping(json []byte) bool {
	key, latest, ok := decodeMapping(json)
	if !ok {
		f.reject()
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	before, known := f.mappings[key]
	switch {
	case !known || latest.version > before.version:
		f.mappings[key] = latest
	case latest.version == before.version && latest != before:
		f.conflicting++
	}
	return true
}

func (f *PersonsFold) reject() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rejected++
}

// Rejected returns how many messages were not acceptable.
func (f *PersonsFold) Rejected() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rejected
}

// Conflicting returns how many messages contradict the latest one of the same
// version. If there are any, more than one table is right.
func (f *PersonsFold) Conflicting() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conflicting
}

// Rows returns the table. The map is the caller's.
func (f *PersonsFold) Rows(deletes Deletes) map[PersonKey]PersonRow {
	f.mu.Lock()
	defer f.mu.Unlock()
	rows := make(map[PersonKey]PersonRow, len(f.mappings))
	for key, m := range f.mappings {
		p, known := f.persons[personKey{key.Team, m.person}]
		deleted := p.deleted || m.deleted
		if !known || deleted && deletes == DeletesRemove {
			continue
		}
		rows[key] = PersonRow{
			PersonID: m.person.String(), Properties: p.properties, MappingVersion: m.version, PersonVersion: p.version,
			CreatedAt: p.created, IsDeleted: deleted, IsIdentified: p.identified,
		}
	}
	return rows
}
