package generator

import "time"

// identity is a person as PostHog keeps it, at its latest version.
type identity struct {
	user       userKey
	id         id128
	created    time.Time
	version    int64
	revision   int64 // version whose properties are the present ones, or noProperties
	identified bool
	deleted    bool
	mappings   []*mapping
}

// noProperties is the revision of a person that Python has deleted.
const noProperties = -1

// mapping is a distinct ID at its latest version.
type mapping struct {
	distinctID distinctID
	version    int64
	deleted    bool
	owner      *identity
}

// distinctID names a distinct ID: the one in the user's events, the one from
// before identification, or one of a further device, by number.
type distinctID struct {
	user   userKey
	device int
}

const (
	inEvents  = -1
	anonymous = -2
)

const (
	// maxDevices is how many devices a user has, and maxShared how many a shared
	// login has: user 0 of each team, the busiest.
	maxDevices, maxShared = 10, 400
	// beyondFloat is the first version of a few: its successor is no float64.
	beyondFloat = 1 << 53
)

// happen lets something happen to a user; mostly it results in messages. Who is
// chosen like the user of an event, so that those with events have rows.
func (s *Persons) happen() {
	r := &s.random
	u := userKey{team: 1 + s.gen.teams.sample(r)}
	unit := r.unit()
	u.number = int(unit * unit * float64(s.gen.cfg.UsersPerTeam))
	if r.next() < s.gen.malformed {
		s.malformed(u)
		return
	}
	m, known := s.users[u]
	switch {
	case known && m.owner.deleted:
		if r.oneIn(2) {
			s.recreate(m.owner)
		}
	case known:
		s.live(m.owner, u)
	case s.personless(u):
		if r.oneIn(8) {
			s.stray(u)
		}
	default:
		s.create(u)
	}
}

// live is a change of a person that exists.
func (s *Persons) live(p *identity, u userKey) {
	switch n := s.random.below(100); {
	case n < 18:
		s.identify(p, u)
	case n < 26:
		s.alias(p)
	case n < 31:
		s.delete(p)
	case n < 37:
		s.split(p)
	case n < 42:
		s.toggle(p)
	case n < 46:
		s.stray(u)
	default:
		s.update(p)
	}
}

// personless tells whether events of the user are counted without a person.
func (s *Persons) personless(u userKey) bool {
	r := newRandom(s.gen.cfg.Seed, purposePersonless, uint64(u.team), uint64(u.number))
	return u.number > 0 && s.gen.person(u.team, u.number).mode == "propertyless" && !r.oneIn(5)
}

// create makes a person of a user: version 0, and distinct IDs with version 0, or
// 1 where events without a person came before.
func (s *Persons) create(u userKey) {
	user := s.gen.person(u.team, u.number)
	p := &identity{user: u, id: user.id, created: user.created, identified: user.distinctID != ""}
	first := int64(0)
	if user.mode == "propertyless" {
		first = 1
	}
	if s.random.oneIn(50) {
		p.version, p.revision, first = beyondFloat, beyondFloat, beyondFloat
	}
	s.person(p)
	s.users[u] = s.attach(p, distinctID{u, inEvents}, first)
	if p.identified {
		s.attach(p, distinctID{u, anonymous}, first)
	}
	s.latest[u.team] = append(s.latest[u.team], u)
}

func (s *Persons) update(p *identity) {
	p.version++
	p.revision = p.version
	s.person(p)
}

// identify recognises devices: each was a person of its own until now.
func (s *Persons) identify(p *identity, u userKey) {
	devices, limit := 1, maxDevices
	if u.number == 0 {
		devices, limit = 1+s.random.below(12), maxShared
	}
	if len(p.mappings) >= limit {
		s.update(p)
		return
	}
	for range devices {
		if s.random.oneIn(3) { // known as the user's from the start
			s.attach(p, s.device(u), 0)
			continue
		}
		before := s.stranger(u)
		s.attach(before, s.device(u), 0)
		if s.random.oneIn(4) {
			s.update(before)
		}
		s.merge(before, p)
	}
}

// alias merges another user of the team into p.
func (s *Persons) alias(p *identity) {
	other := s.users[pick(&s.random, s.latest[p.user.team])].owner
	if other == p || other.deleted || len(other.mappings)+len(p.mappings) > maxDevices {
		s.update(p)
		return
	}
	s.merge(other, p)
}

// merge moves what the source has to the target, and leaves a tombstone with the
// properties, as PostHog's ingestion does.
func (s *Persons) merge(source, target *identity) {
	for _, m := range source.mappings {
		m.version, m.deleted, m.owner = m.version+1, false, target
		s.mapping(m)
	}
	target.mappings = append(target.mappings, source.mappings...)
	target.identified = true
	s.update(target)
	source.mappings, source.deleted, source.version = nil, true, source.version+100
	s.person(source)
}

// delete is what PostHog's Python code does: no properties are left, and mostly
// the distinct IDs have tombstones as well.
func (s *Persons) delete(p *identity) {
	p.deleted, p.version, p.revision = true, p.version+100, noProperties
	s.person(p)
	if s.random.oneIn(4) {
		return
	}
	for _, m := range p.mappings {
		if !m.deleted {
			m.deleted, m.version = true, m.version+100
			s.mapping(m)
		}
	}
}

// recreate brings a deleted person back, with what it had of distinct IDs.
func (s *Persons) recreate(p *identity) {
	p.deleted = false
	s.update(p)
	for _, m := range p.mappings {
		if m.deleted && !s.random.oneIn(8) {
			m.deleted, m.version = false, m.version+1
			s.mapping(m)
		}
	}
}

// split moves a distinct ID to a new person.
func (s *Persons) split(p *identity) {
	if len(p.mappings) < 2 {
		s.update(p)
		return
	}
	i := s.random.below(len(p.mappings))
	m := p.mappings[i]
	p.mappings = append(p.mappings[:i:i], p.mappings[i+1:]...)
	q := s.stranger(p.user)
	m.owner, m.deleted = q, false
	m.version += pick(&s.random, []int64{1, 101}) // 101 overrides a delete that may be on its way
	q.mappings = []*mapping{m}
	s.mapping(m)
}

// toggle deletes a distinct ID, not the person; or takes that back.
func (s *Persons) toggle(p *identity) {
	if len(p.mappings) == 0 { // the last one was split off
		s.update(p)
		return
	}
	m := pick(&s.random, p.mappings)
	if m.deleted = !m.deleted; m.deleted {
		m.version += 99
	}
	m.version++
	s.mapping(m)
}

// stray is one half of a row, whose other half does not exist: a person without
// distinct ID, a distinct ID of nobody, or one of another team's person.
func (s *Persons) stray(u userKey) {
	nobody := &identity{user: u, id: newUUIDv7(&s.random, s.gen.cfg.Start)}
	switch s.random.below(3) {
	case 0:
		s.stranger(u)
		return
	case 1:
		nobody.id = s.gen.person(u.team+1, u.number).id
	}
	s.attach(nobody, s.device(u), 0)
}

// stranger makes a person of its own for a device.
func (s *Persons) stranger(u userKey) *identity {
	created := s.gen.CapturedAt(uint64(float64(s.made) / s.gen.personShare()))
	p := &identity{user: u, id: newUUIDv7(&s.random, created), created: created}
	s.person(p)
	return p
}

func (s *Persons) device(u userKey) distinctID {
	s.devices++
	return distinctID{u, s.devices}
}

// attach gives a person a distinct ID that is new.
func (s *Persons) attach(p *identity, d distinctID, version int64) *mapping {
	m := &mapping{distinctID: d, version: version, owner: p}
	p.mappings = append(p.mappings, m)
	s.mapping(m)
	return m
}
