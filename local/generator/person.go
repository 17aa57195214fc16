package generator

import (
	"time"
)

// session is how long a user's session lasts; PostHog's default idle limit.
const session = 30 * time.Minute

// place is where a user is.
type place struct{ city, country, code, zone string }

// platform is what a user looks with.
type platform struct{ os, browser, device, agent string }

// person is a user of a team, the same in all of its events.
type person struct {
	team       int
	number     int
	id         id128  // person_id
	anonymous  id128  // distinct ID before identification
	distinctID string // empty if anonymous
	name       string
	plan       string
	created    time.Time
	place      place
	platform   platform
	version    int
	ip         [4]byte
	mode       string // person_mode
}

// person makes user number n of a team.
func (g *Generator) person(team, n int) person {
	r := newRandom(g.cfg.Seed, purposePerson, uint64(team), uint64(n))
	p := person{team: team, number: n}
	p.created = g.cfg.Start.Add(-time.Duration(1+r.below(400*24*60)) * time.Minute)
	p.id = newUUIDv7(&r, p.created)
	p.anonymous = newUUIDv7(&r, p.created)
	p.place, p.platform = pick(&r, g.words.places), pick(&r, g.words.platforms)
	p.version = 100 + r.below(40)
	p.name = pick(&r, g.words.names)
	p.plan = pick(&r, []string{"free", "free", "free", "pro", "scale", "enterprise"})
	// Documentation's own networks, so that nobody is pointed at.
	p.ip = [4]byte{203, 0, 113, byte(r.next())}
	switch r.below(10) {
	case 0, 1, 2, 3:
		p.distinctID = pick(&r, g.words.prefixes)
	}
	p.mode = "full"
	if p.distinctID == "" && r.oneIn(3) {
		p.mode = "propertyless"
	} else if r.oneIn(50) {
		p.mode = "force_upgrade"
	}
	return p
}

// session returns the IDs of the session and window that a user is in. Offsetting
// the boundaries by user keeps everybody's sessions from ending together.
func (g *Generator) session(p *person, at time.Time) (sessionID, window id128, r random) {
	r = newRandom(g.cfg.Seed, purposeSession, uint64(p.team), uint64(p.number))
	offset := time.Duration(r.below(int(session)))
	start := at.Add(offset).Truncate(session).Add(-offset)
	r = newRandom(uint64(r), uint64(start.UnixMilli()))
	sessionID, window = newUUIDv7(&r, start), newUUIDv7(&r, start)
	return sessionID, window, r
}

// writeDistinctID writes the member distinct_id or a property like it.
func (p *person) writeDistinctID(w *writer, key string) {
	if p.distinctID == "" {
		w.uuid(key, p.anonymous)
		return
	}
	w.str(key, p.distinctID)
	w.buf = w.buf[:len(w.buf)-1] // the number goes before the closing quote
	w.number(p.number)
	w.buf = append(w.buf, '"')
}

// writeEmail writes an address in a domain reserved for examples.
func (p *person) writeEmail(w *writer, key string) {
	w.key(key)
	w.buf = append(w.buf, `"user`...)
	w.number(p.number)
	w.buf = append(w.buf, "@team"...)
	w.number(p.team)
	w.buf = append(w.buf, `.example.com"`...)
}

// writeProperties writes the object person_properties as a string.
func (p *person) writeProperties(w *writer, g *Generator) {
	mark := w.nested("person_properties")
	if p.mode != "propertyless" {
		if p.distinctID != "" {
			p.writeEmail(w, "email")
			w.str("name", p.name)
			w.str("plan", p.plan)
		}
		w.str("$initial_referring_domain", "$direct")
		w.str("$geoip_country_code", p.place.code)
		if g.cfg.Profile != ProfileSmall {
			w.str("$os", p.platform.os)
			w.str("$browser", p.platform.browser)
			w.str("$geoip_city_name", p.place.city)
			w.time("$creator_event_at", p.created, time.RFC3339)
		}
		if g.cfg.Profile == ProfileProduction {
			r := newRandom(g.cfg.Seed, purposeTraits, uint64(p.created.UnixNano()))
			writeMany(w, g, &r, g.words.traits)
		}
	}
	w.endNested(mark)
}
