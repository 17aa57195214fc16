package generator

import (
	"bytes"
	"strconv"
	"time"
)

// note is what is decided about a message before it is written.
type note struct {
	random     random // for what remains to be decided
	mapping    bool   // about a distinct ID, otherwise about a person
	user       userKey
	id         id128 // of the person
	distinctID distinctID
	version    int64
	revision   int64
	created    time.Time
	at         time.Time // when the message is produced
	identified bool
	deleted    bool
	python     bool // written by PostHog's Python code, otherwise by its Node code
	damage     damage
}

// person tells the present state of a person.
func (s *Persons) person(p *identity) {
	s.add(note{user: p.user, id: p.id, version: p.version, revision: p.revision, created: p.created, identified: p.identified, deleted: p.deleted})
}

// mapping tells the present state of a distinct ID.
func (s *Persons) mapping(m *mapping) {
	s.add(note{mapping: true, user: m.owner.user, id: m.owner.id, distinctID: m.distinctID, version: m.version, deleted: m.deleted})
}

// write writes the message's value.
func (n *note) write(w *writer, g *Generator) {
	start := len(w.buf)
	if n.writeGarbage(w) {
		return
	}
	w.ascii, w.spaced = n.python, n.python
	w.open()
	if n.mapping {
		n.writeMapping(w, g)
	} else {
		n.writePerson(w, g)
	}
	w.close()
	n.spoil(w, start)
}

// writePerson writes the members in the order of Node's or Python's code.
func (n *note) writePerson(w *writer, g *Generator) {
	r := n.random
	if n.python {
		n.writeID(w, "id")
		n.writeTeam(w)
		n.writeProperties(w, g)
		n.writeFlag(w, "is_identified", n.identified)
		n.writeFlag(w, "is_deleted", n.deleted)
		w.time("created_at", n.created.Add(time.Duration(n.id[15])*3907*time.Microsecond), layoutMicros)
		n.writeVersion(w)
		w.time("_timestamp", n.at, layoutSecs)
		return
	}
	n.writeID(w, "id")
	w.time("created_at", n.created, layoutSecs)
	n.writeProperties(w, g)
	n.writeTeam(w)
	n.writeFlag(w, "is_identified", n.identified)
	n.writeFlag(w, "is_deleted", n.deleted)
	n.writeVersion(w)
	if r.oneIn(2) {
		w.time("last_seen_at", n.at, layoutSecs)
	} else if r.oneIn(2) {
		w.raw("last_seen_at", "null")
	}
}

// writeMapping writes the members in one of several orders: they vary.
func (n *note) writeMapping(w *writer, g *Generator) {
	r := n.random
	if r.oneIn(20) { // columns of Postgres' row may ride along
		w.raw("extra", `{"version":999999,"distinct_id":"nobody","is_deleted":1}`)
	}
	members := [...]func(){
		func() { n.writeTeam(w) },
		func() { n.writeDistinctID(w, g) },
		func() { n.writeID(w, "person_id") },
		func() { n.writeVersion(w) },
		func() { n.writeFlag(w, "is_deleted", n.deleted) },
	}
	first := 0
	if r.oneIn(2) {
		first = r.below(len(members))
	}
	for i := range members {
		members[(first+i)%len(members)]()
	}
}

// writeID writes a person's UUID, now and then in upper case.
func (n *note) writeID(w *writer, key string) {
	r := n.random + 1
	if n.damage == badID {
		if text := pick(&r, []string{"", `"not-a-uuid"`, `""`, "null", `"0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c7"`, `"0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c7g"`}); text != "" {
			w.raw(key, text)
		}
		return
	}
	w.uuid(key, n.id)
	if r.oneIn(40) {
		text := w.buf[len(w.buf)-37 : len(w.buf)-1]
		copy(text, bytes.ToUpper(text))
	}
}

// writeTeam writes the team as a number, or as the string some producers send.
func (n *note) writeTeam(w *writer) {
	r := n.random + 2
	switch {
	case n.damage == badTeam:
		if text := pick(&r, []string{"", "null", `""`, `"two"`, "{}", "1.5", "true"}); text != "" {
			w.raw("team_id", text)
		}
	case r.oneIn(200):
		w.raw("team_id", `"`+strconv.Itoa(n.user.team)+`"`)
	default:
		w.int("team_id", int64(n.user.team))
	}
}

// writeVersion writes the version; 0 may be left out.
func (n *note) writeVersion(w *writer) {
	r := n.random + 3
	switch {
	case n.damage == badVersion:
		w.raw("version", pick(&r, []string{"-1", "7.5", "9223372036854775808", "1e30", "-9223372036854775808"}))
	case n.version == 0 && r.oneIn(30):
	default:
		w.int("version", n.version)
	}
}

func (n *note) writeFlag(w *writer, key string, set bool) {
	value := int64(0)
	if set {
		value = 1
	}
	w.int(key, value)
}

// writeDistinctID writes the user's distinct ID as in its events, or that of a
// device. Those of some devices differ in case only, or end with a blank.
func (n *note) writeDistinctID(w *writer, g *Generator) {
	const key = "distinct_id"
	r := n.random + 4
	if n.damage == badDistinctID {
		if text := pick(&r, []string{"", `""`, "null"}); text != "" {
			w.raw(key, text)
		}
		return
	}
	user := g.person(n.distinctID.user.team, n.distinctID.user.number)
	switch device := n.distinctID.device; {
	case device == inEvents:
		user.writeDistinctID(w, key)
	case device == anonymous:
		w.uuid(key, user.anonymous)
	case device%8 == 5:
		w.str(key, "Kiosk "+strconv.Itoa(device/8))
	case device%8 == 6:
		w.str(key, "kiosk "+strconv.Itoa(device/8))
	case device%8 == 7:
		w.str(key, "\"Kasse\" \\ Größe\n"+strconv.Itoa(device/8)+" ")
	default:
		own := newRandom(g.cfg.Seed, purposeDevice, uint64(device))
		w.uuid(key, newUUIDv7(&own, user.created))
	}
}
