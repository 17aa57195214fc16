package model

// value is a JSON value of the message. kind is its first byte, which tells what
// it is: '"', '{', '[', 't', 'f', 'n', '-' or a digit; 0 if there is none. text is
// the decoded text of a string, and the JSON text of anything else.
type value struct {
	kind byte
	text []byte
}

// content is the value as the content of a text column, nil if that is NULL.
func (v value) content() []byte {
	if v.kind == 'n' {
		return nil
	}
	return v.text
}

// head holds the members of a message. Most are looked at when the whole message
// is known to be JSON; documents are scanned at once, and noted here as taken.
type head struct {
	team, uuid, createdAt, properties                value
	event, distinctID, timestamp, historical         value // of events; mappings have a distinct id, too
	elementsChain, personID, personMode, personProps value // of events
	version, deleted, identified                     value // of changes
}

// eventMember takes the value at pos, which belongs to the member called name.
func (d *Decoder) eventMember(name []byte, e *Event, h *head) bool {
	switch string(name) {
	case "uuid":
		return d.take(&h.uuid)
	case "event":
		return d.take(&h.event)
	case "properties":
		return d.properties(&h.properties, e)
	case "timestamp":
		return d.take(&h.timestamp)
	case "team_id":
		return d.take(&h.team)
	case "distinct_id":
		return d.take(&h.distinctID)
	case "elements_chain":
		return d.take(&h.elementsChain)
	case "created_at":
		return d.take(&h.createdAt)
	case "person_id":
		return d.take(&h.personID)
	case "person_properties":
		return d.personProperties(&h.personProps, e)
	case "person_mode":
		return d.take(&h.personMode)
	case "historical_migration":
		return d.take(&h.historical)
	}
	return d.in.value()
}

// take decodes the value at pos into v, unless a member of the same name came
// before. Of several the first counts, in a message as in a document of it, because
// a JSON column keeps the first one, too: PARSE_JSON drops the others. One that is
// dropped still has to be JSON.
func (d *Decoder) take(v *value) (ok bool) {
	if v.kind != 0 {
		return d.in.value()
	}
	*v, ok = d.value()
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

// properties decodes the value at pos as properties, and looks into them.
func (d *Decoder) properties(v *value, e *Event) bool {
	first := v.kind == 0
	if !d.take(v) {
		return false
	}
	if text := v.content(); first && len(text) > 0 {
		e.Properties = text
		d.doc.reset(text, d.quotes)
		d.doc.properties(e)
	}
	return true
}

// personProperties decodes the value at pos as person_properties.
func (d *Decoder) personProperties(v *value, e *Event) bool {
	doc, ok := d.document(v)
	if doc.text == nil {
		return ok
	}
	e.PersonProperties = doc.text
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

// document decodes the value at pos into v as a document that nothing is taken
// from. There is none if v was taken before.
func (d *Decoder) document(v *value) (doc document, ok bool) {
	first := v.kind == 0
	if !d.take(v) {
		return document{}, false
	}
	text := v.content()
	if !first || len(text) == 0 {
		return document{}, true
	}
	d.doc.reset(text, d.quotes)
	fine := d.doc.document() && !d.doc.unfit && d.doc.depth <= maxJSONDepth
	return document{text: text, unloadable: !fine, mend: d.doc.mend}, true
}

// finishEvent turns the head into fields of e.
func (d *Decoder) finishEvent(h *head, e *Event) error {
	var ok bool
	if e.TeamID, ok = teamID(h.team); !ok {
		return h.team.reject(ReasonTeam, "team_id", "a positive integer")
	}
	if h.uuid.kind != '"' || !parseUUID(h.uuid.text, &e.UUID) {
		return h.uuid.reject(ReasonUUID, "uuid", "36 characters of a UUID")
	}
	e.UUIDText = lowerUUID(h.uuid.text, &d.uuid)
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
	e.Event, e.DistinctID = notNull(h.event.content()), notNull(h.distinctID.content())
	e.ElementsChain, e.PersonMode = h.elementsChain.content(), h.personMode.content()
	e.PersonID = lowerIfUUID(h.personID.content(), &d.person)
	return nil
}

// notNull returns text, the empty one instead of NULL.
func notNull(text []byte) []byte {
	if text == nil {
		return []byte{}
	}
	return text
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
