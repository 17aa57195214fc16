package model

import "math"

// Decoder decodes messages. It holds the memory that decoded events and changes
// point to, a few times the largest message seen, so each goroutine has its own.
type Decoder struct {
	maxBytes int

	in    scanner // over the message
	doc   scanner // over a document within it
	arena []byte  // unescaped text of the message, and as long as that
	used  int     // bytes of arena in use
	index []uint32
	// quotes is the part of index that belongs to the string decoded last, nil if
	// there is none for it.
	quotes []uint32
	// uuid and person are the texts of an event's uuid and of a person's that came in
	// upper case.
	uuid, person [36]byte
}

// NewDecoder returns a decoder that rejects messages of more than maxBytes; zero
// or less means no limit but that of Go's slices and 2 GiB.
func NewDecoder(maxBytes int) *Decoder {
	if maxBytes <= 0 || maxBytes >= hard {
		maxBytes = math.MaxInt32 // positions share 32 bits with the mark for hard strings
	}
	return &Decoder{maxBytes: maxBytes, in: scanner{strict: true}}
}

// prepare makes room for a message. Memory that earlier events point to is not
// written to if it has to grow, but it is if it need not.
func (d *Decoder) prepare(value []byte) {
	d.in.reset(value, nil)
	d.used, d.quotes = 0, nil
	if need := len(value); need > len(d.arena) {
		need += need / 4
		d.arena = make([]byte, need)
		d.index = make([]uint32, need/2) // a quote takes two bytes of a message
	}
}

// Decode decodes one message of the events topic into e. Its error is nil or a
// *Reject, in which case e holds nothing of use. What e held before is forgotten,
// and what other events of this decoder point to is overwritten. It does not
// allocate, unless a message is larger than all before, or holds what is rare:
// invalid UTF-8, escapes within $ip, a number with exponent of over 32 characters.
//
// The message has to be one JSON object (RFC 8259); names are compared exactly,
// and unknown ones are checked and skipped. Of members with the same name the first
// counts, in the message and in its properties, as in a JSON column. Invalid UTF-8 and unpaired surrogates become U+FFFD. Required are
// team_id, a positive integer, also as a string; uuid; and timestamp. Everything
// else can be missing:
//
//   - event and distinct_id are then the empty string, as in ClickHouse;
//   - historical_migration is then false, as PostHog only sends it if it is true;
//   - all other columns are then NULL. So is a created_at that cannot be read,
//     because the rest of the row is worth keeping.
//
// A null is like a missing member. Where text is wanted and a number, boolean,
// array or object is found, its JSON text is taken, as ClickHouse does.
// Properties and person_properties that are empty are NULL. UUIDs may come in either
// case and are in lower case in e, a person_id only if it is a UUID.
func (d *Decoder) Decode(value []byte, e *Event) error {
	*e = Event{}
	to := sink{event: e}
	if err := d.decode(value, &to); err != nil {
		return err
	}
	return d.finishEvent(&to.head, e)
}

// sink is what the members of a message are put into: documents into the event or
// person that is set, everything else into head. If neither is set, the message is
// a mapping. It is no interface, because what it points to would escape to the heap
// with every message.
type sink struct {
	event  *Event
	person *Change
	head
}

// decode checks and scans a message.
func (d *Decoder) decode(value []byte, to *sink) error {
	switch {
	case len(value) == 0:
		return reject(ReasonEmpty, "message has no value")
	case len(value) > d.maxBytes:
		return reject(ReasonTooLarge, "message has %d bytes; want at most %d", len(value), d.maxBytes)
	}
	d.prepare(value)
	if !d.message(to) {
		return d.notJSON()
	}
	return nil
}

func (d *Decoder) notJSON() *Reject {
	s := &d.in
	if s.pos >= len(s.text) {
		return reject(ReasonJSON, "message ends within the JSON text, after %d bytes", len(s.text))
	}
	return reject(ReasonJSON, "message is not one JSON object: fault at byte %d of %d", s.pos, len(s.text))
}

// message scans the whole message.
func (d *Decoder) message(to *sink) bool {
	s := &d.in
	if s.next() != '{' {
		return false
	}
	s.pos++
	if s.next() == '}' {
		s.pos++
		return s.end()
	}
	for {
		if s.next() != '"' {
			return false
		}
		name, ok := d.str()
		if !ok || s.next() != ':' {
			return false
		}
		s.pos++
		s.next()
		if !d.member(name, to) {
			return false
		}
		switch s.next() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return s.end()
		default:
			return false
		}
	}
}

// member takes the value at pos, which belongs to the member called name.
func (d *Decoder) member(name []byte, to *sink) bool {
	switch {
	case to.event != nil:
		return d.eventMember(name, to.event, &to.head)
	case to.person != nil:
		return d.personMember(name, to.person, &to.head)
	}
	return d.mappingMember(name, &to.head)
}
