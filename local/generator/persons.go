package generator

import "math"

// The topics of PostHog that hold persons and which distinct ID belongs to whom.
const (
	PersonTopic  = "clickhouse_person"
	MappingTopic = "clickhouse_person_distinct_id"
)

// What random sequences about persons are for; apart from those of events, so
// that events are the same with and without persons.
const (
	purposeHistory uint64 = 100 + iota
	purposeTraits
	purposeDevice
	purposePersonless
	purposePartition
)

const (
	// reorderWindow is how many messages wait to be sent; any of them is next.
	// With it a version arrives before or after a dozen others of its person.
	reorderWindow = 48
	// repeatWindow is how many messages back a repeated one was made.
	repeatWindow = 256
)

// PersonMessage is a message about a person or a distinct ID. Its Kafka key is
// null.
type PersonMessage struct {
	Topic    string // PersonTopic or MappingTopic
	Value    []byte
	Rejected bool // a consumer must refuse it
}

// Persons is the stream of messages about the users that the events of the same
// Generator are of. Message i is a pure function of the configuration and i, but
// histories have to be lived through: an index below the last one starts from 0
// again, at about a microsecond per message. It is not safe for concurrent use.
type Persons struct {
	gen     *Generator
	random  random
	next    uint64 // index of the message that is taken next
	made    uint64
	devices int
	users   map[userKey]*mapping // by the distinct ID that the user's events have
	latest  map[int][]userKey    // users of each team, in the order of their creation
	waiting []note
	recent  []note // a ring of repeatWindow
}

// userKey is a user of a team.
type userKey struct{ team, number int }

// Persons returns the stream from message 0 on.
func (g *Generator) Persons() *Persons {
	s := &Persons{gen: g}
	s.reset()
	return s
}

func (s *Persons) reset() {
	*s = Persons{gen: s.gen, random: newRandom(s.gen.cfg.Seed, purposeHistory), users: map[userKey]*mapping{}, latest: map[int][]userKey{}}
}

// Append appends message i to dst and returns the extended buffer, in which the
// message's value lies.
func (s *Persons) Append(dst []byte, i uint64) ([]byte, PersonMessage) {
	if i < s.next {
		s.reset()
	}
	for s.next < i {
		s.take()
	}
	n := s.take()
	w := writer{buf: dst}
	n.write(&w, s.gen)
	m := PersonMessage{Topic: PersonTopic, Value: w.buf[len(dst):len(w.buf):len(w.buf)], Rejected: n.damage != intact}
	if n.mapping {
		m.Topic = MappingTopic
	}
	return w.buf, m
}

// take returns what is sent next: any of the messages that wait.
func (s *Persons) take() note {
	for len(s.waiting) < reorderWindow {
		s.happen()
	}
	i := s.random.below(len(s.waiting))
	n := s.waiting[i]
	last := len(s.waiting) - 1
	s.waiting[i] = s.waiting[last]
	s.waiting = s.waiting[:last]
	s.next++
	return n
}

// add has a message wait, and remembers it for being repeated.
func (s *Persons) add(n note) {
	n.random = random(s.random.next())
	n.python = s.random.oneIn(6)
	n.at = s.gen.CapturedAt(uint64(float64(s.made) / s.gen.personShare()))
	s.made++
	s.waiting = append(s.waiting, n)
	if n.damage != intact {
		return
	}
	if len(s.recent) < repeatWindow {
		s.recent = append(s.recent, n)
	} else {
		s.recent[s.made%repeatWindow] = n
	}
	if s.random.oneIn(30) {
		s.repeat()
	}
}

// repeat sends a recent message again, byte for byte.
func (s *Persons) repeat() {
	s.made++
	s.waiting = append(s.waiting, pick(&s.random, s.recent))
}

// personShare is the number of messages about persons per event, where it is
// needed without any being produced.
func (g *Generator) personShare() float64 {
	if g.cfg.Persons <= 0 {
		return defaultPersons
	}
	return g.cfg.Persons
}

// personsBefore is how many messages about persons are sent before event i.
func (g *Generator) personsBefore(i uint64) uint64 {
	return uint64(math.Floor(float64(i) * g.cfg.Persons))
}

// PersonHistory returns n messages about a handful of users in two teams, in an
// order in which they may arrive, malformed and repeated ones among them. What a
// consumer makes of them must not depend on their order, on how they are divided
// among batches, or on repetition. The same arguments give the same messages.
func PersonHistory(seed uint64, n int) []PersonMessage {
	g, err := New(Config{Seed: seed, Teams: 2, UsersPerTeam: 4, Malformed: 0.03})
	if err != nil {
		panic(err) // the configuration is a constant one
	}
	s := g.Persons()
	messages := make([]PersonMessage, n)
	for i := range messages {
		_, messages[i] = s.Append(nil, uint64(i))
	}
	return messages
}
