package model

// value is a JSON value of the message. kind is its first byte, which tells what
// it is: '"', '{', '[', 't', 'f', 'n', '-' or a digit; 0 if there is none. text is
// the decoded text of a string, and the JSON text of anything else.
type value struct {
	kind byte
	text []byte
}

// head holds the members that are not text and are looked at when the whole
// message is known to be JSON.
type head struct {
	team, uuid, createdAt        value
	timestamp, historical        value // of events
	version, deleted, identified value // of changes
}

// eventMember takes the value at pos, which belongs to the member called name.
func (d *Decoder) eventMember(name []byte, e *Event, h *head) (ok bool) {
	switch string(name) {
	case "uuid":
		h.uuid, ok = d.value()
	case "event":
		e.Event, ok = d.text()
	case "properties":
		return d.properties(e)
	case "timestamp":
		h.timestamp, ok = d.value()
	case "team_id":
		h.team, ok = d.value()
	case "distinct_id":
		e.DistinctID, ok = d.text()
	case "elements_chain":
		e.ElementsChain, ok = d.text()
	case "created_at":
		h.createdAt, ok = d.value()
	case "person_id":
		e.PersonID, ok = d.text()
	case "person_properties":
		return d.personProperties(e)
	case "person_mode":
		e.PersonMode, ok = d.text()
	case "historical_migration":
		h.historical, ok = d.value()
	default:
		return d.in.value()
	}
	return ok
}

// value decodes the value at pos.
func (d *Decoder) value() (v value, ok bool) {
	s := &d.in
	start := s.pos
	if start >= len(s.text) {
		return value{}, false
	}
	v.kind = s.text[start]
	if v.kind == '"' {
		v.text, ok = d.str()
		return v, ok
	}
	d.quotes = nil
	if !s.value() {
		return value{}, false
	}
	v.text = s.text[start:s.pos:s.pos]
	if v.kind == '{' || v.kind == '[' {
		v.text = validUTF8(v.text, highs)
	}
	return v, true
}

// text decodes the value at pos for a text column.
func (d *Decoder) text() (text []byte, ok bool) {
	v, ok := d.value()
	if v.kind == 'n' {
		return nil, ok
	}
	return v.text, ok
}

// properties decodes the value at pos as properties and looks into them.
func (d *Decoder) properties(e *Event) bool {
	text, ok := d.text()
	e.Properties, e.Set, e.SetOnce, e.IP = nil, nil, nil, nil
	e.Unloadable &= PersonPropertiesDocument
	e.mend &= PersonPropertiesDocument
	if !ok || len(text) == 0 {
		return ok
	}
	e.Properties = text
	d.doc.reset(text, d.quotes)
	d.doc.properties(e)
	return true
}

// personProperties decodes the value at pos as person_properties.
func (d *Decoder) personProperties(e *Event) bool {
	doc, ok := d.document()
	e.PersonProperties = doc.text
	e.Unloadable &^= PersonPropertiesDocument
	e.mend &^= PersonPropertiesDocument
	if doc.unloadable {
		e.Unloadable |= PersonPropertiesDocument
	}
	if doc.mend {
		e.mend |= PersonPropertiesDocument
	}
	return ok
}

// document is the text of a JSON document, nil if there is none. unloadable says
// that a JSON column cannot hold it, mend that it has to be mended first.
type document struct {
	text             []byte
	unloadable, mend bool
}

// document decodes the value at pos as a document that nothing is taken from.
func (d *Decoder) document() (doc document, ok bool) {
	text, ok := d.text()
	if !ok || len(text) == 0 {
		return document{}, ok
	}
	d.doc.reset(text, d.quotes)
	fine := d.doc.document() && !d.doc.unfit && d.doc.depth <= maxJSONDepth
	return document{text: text, unloadable: !fine, mend: d.doc.mend}, true
}

// finish turns the head into fields of e.
func (h *head) finish(e *Event) error {
	var ok bool
	if e.TeamID, ok = teamID(h.team); !ok {
		return h.team.reject(ReasonTeam, "team_id", "a positive integer")
	}
	if h.uuid.kind != '"' || !parseUUID(h.uuid.text, &e.UUID) {
		return h.uuid.reject(ReasonUUID, "uuid", "36 characters of a UUID")
	}
	e.UUIDText = h.uuid.text
	if h.timestamp.kind == '"' {
		e.Timestamp, ok = parseTimestamp(h.timestamp.text)
	} else {
		ok = false
	}
	if !ok {
		return h.timestamp.reject(ReasonTimestamp, "timestamp", "yyyy-MM-dd HH:mm:ss[.fraction] in the years 1 to 9999")
	}
	if h.createdAt.kind == '"' {
		e.CreatedAt, e.HasCreatedAt = parseTimestamp(h.createdAt.text)
	}
	e.HistoricalMigration = truth(h.historical)
	if e.Event == nil {
		e.Event = []byte{}
	}
	if e.DistinctID == nil {
		e.DistinctID = []byte{}
	}
	return nil
}

func (v value) reject(reason Reason, name, want string) *Reject {
	found := "is no such text"
	switch v.kind {
	case 0:
		found = "is missing"
	case 'n':
		found = "is null"
	case 't', 'f':
		found = "is a boolean"
	case '{':
		found = "is an object"
	case '[':
		found = "is an array"
	case '"':
	default:
		found = "is another number"
	}
	return reject(reason, "%s %s; want %s", name, found, want)
}

// teamID reads an integer, from a number or, as some clients send, from a string.
func teamID(v value) (id int64, ok bool) {
	t := v.text
	if len(t) == 0 || len(t) > len("9223372036854775807") || t[0] == '0' {
		return 0, false
	}
	for _, c := range t {
		if c-'0' > 9 {
			return 0, false
		}
		id = id*10 + int64(c-'0')
	}
	return id, id > 0 // 19 digits overflow to a negative number at most
}

// truth reads a boolean: true, "true" and 1 in the forms clients send. All else
// is false.
func truth(v value) bool { return string(v.text) == "true" || string(v.text) == "1" }
