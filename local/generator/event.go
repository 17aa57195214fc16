package generator

import (
	"strings"
	"time"
)

// origin is the program that wrote a message, by which formats differ.
type origin int

const (
	node   origin = iota // PostHog's ingestion, nearly everything
	python               // 6-digit fractions, ASCII, blanks, another key order
	cymbal               // error tracking: no captured_at, sometimes no person
)

// Layouts of times in messages.
const (
	layoutMillis = "2006-01-02 15:04:05.000"
	layoutMicros = "2006-01-02 15:04:05.000000"
	layoutSecs   = "2006-01-02 15:04:05"
)

// event is what is decided about a message before it is written.
type event struct {
	random     random // for what remains to be decided
	id         id128
	team       int
	person     person
	name       string
	origin     origin
	captured   time.Time
	late       bool
	quoted     bool // team_id is a string
	historical bool
	padding    int // bytes to add, for an oversized value
}

// event decides who did what when, for message i.
func (g *Generator) event(i uint64) event {
	r := newRandom(g.cfg.Seed, purposeEvent, i)
	e := event{team: 1 + g.teams.sample(&r)}
	// Squaring favours low numbers: some users are busier than others.
	u := r.unit()
	e.person = g.person(e.team, int(u*u*float64(g.cfg.UsersPerTeam)))
	e.captured = g.CapturedAt(i).Add(time.Duration(r.below(4000)-2000) * time.Millisecond)
	e.id = newUUIDv7(&r, e.captured)
	if r.oneIn(20) {
		e.id = newUUIDv4(&r)
	}
	switch n := r.below(100); {
	case n < 2:
		e.origin = cymbal
	case n < 5:
		e.origin = python
	}
	e.name = g.eventName(&r, e.origin)
	e.quoted = r.oneIn(300)
	e.historical = r.oneIn(200)
	e.random = r
	return e
}

// eventName draws a name in roughly the proportions of a web product.
func (g *Generator) eventName(r *random, origin origin) string {
	if origin == cymbal {
		return "$exception"
	}
	switch n := r.below(100); {
	case n < 40:
		return "$pageview"
	case n < 65:
		return "$autocapture"
	case n < 72:
		return "$pageleave"
	case n < 77:
		return "$feature_flag_called"
	case n < 80:
		return "$identify"
	case n < 81:
		return "$set"
	case n < 84:
		return "$ai_generation"
	}
	return pick(r, g.words.custom)
}

// timestamp is when the event happened: shortly before it was captured, or, if
// late, an hour to 30 days.
func (e *event) timestamp() time.Time {
	r := e.random
	at := e.captured.Add(-time.Duration(r.below(1500)) * time.Millisecond)
	if e.late {
		hours := 1 + r.below(48)
		if r.oneIn(4) {
			hours = 1 + r.below(30*24)
		}
		at = at.Add(-time.Duration(hours)*time.Hour - time.Duration(r.below(3600))*time.Second)
	}
	return at
}

// appendEvent writes the value of an event in the form of its origin.
func (g *Generator) appendEvent(w *writer, e *event) {
	w.ascii, w.spaced = e.origin == python, e.origin == python
	w.open()
	if e.origin == python {
		g.writePython(w, e)
	} else {
		g.writeNode(w, e)
	}
	w.close()
}

// writeNode writes the members in the order of PostHog's serializeEvent.
func (g *Generator) writeNode(w *writer, e *event) {
	at := e.timestamp()
	w.uuid("uuid", e.id)
	w.str("event", e.name)
	g.writeProperties(w, e, at)
	w.time("timestamp", at, layoutMillis)
	e.writeTeam(w)
	e.person.writeDistinctID(w, "distinct_id")
	w.str("elements_chain", g.elementsChain(e))
	w.time("created_at", e.captured.Add(400*time.Millisecond), layoutMillis)
	r := e.random
	if e.origin == node {
		w.time("captured_at", e.captured, layoutMillis)
	}
	if e.origin == node || r.oneIn(2) {
		w.uuid("person_id", e.person.id)
		e.person.writeProperties(w, g)
		w.time("person_created_at", e.person.created, layoutSecs)
	}
	w.str("person_mode", e.person.mode)
	if e.historical {
		w.raw("historical_migration", "true")
	}
	if r.oneIn(100) {
		w.raw("group0_properties", `"{\"name\":\"Example \\\"Ltd\\\"\"}"`)
		w.raw("new_member", `{"of":["a later",{"version":null}],"uuid":"not the event's"}`)
	}
}

// writePython writes as PostHog's Python helpers do.
func (g *Generator) writePython(w *writer, e *event) {
	at := e.timestamp().Add(time.Duration(uint64(e.random)%1000) * time.Microsecond)
	w.uuid("uuid", e.id)
	w.str("event", e.name)
	g.writeProperties(w, e, at)
	w.time("timestamp", at, layoutMicros)
	e.writeTeam(w)
	e.person.writeDistinctID(w, "distinct_id")
	w.time("created_at", e.captured, layoutMicros)
	w.str("elements_chain", g.elementsChain(e))
	w.uuid("person_id", e.person.id)
	e.person.writeProperties(w, g)
	w.time("person_created_at", e.person.created, layoutMicros)
	w.str("person_mode", e.person.mode)
}

// writeTeam writes the team as a number, or as the string some producers send.
func (e *event) writeTeam(w *writer) {
	for _, key := range [...]string{"team_id", "project_id"} {
		w.key(key)
		if e.quoted {
			w.buf = append(w.buf, '"')
		}
		w.number(e.team)
		if e.quoted {
			w.buf = append(w.buf, '"')
		}
	}
}

// elementsChain is what was clicked; only autocapture has one.
func (g *Generator) elementsChain(e *event) string {
	if e.name != "$autocapture" {
		return ""
	}
	r := e.random
	return pick(&r, g.words.chains)
}

// filler is what oversized events consist of: text that does not compress to
// nothing, of n bytes, with no character that needs escaping.
func filler(r *random, n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789"
	var b strings.Builder
	b.Grow(n + 8)
	for b.Len() < n {
		for word, i := r.next(), 0; i < 8; word, i = word>>8, i+1 {
			b.WriteByte(letters[word&63])
		}
	}
	return b.String()
}
