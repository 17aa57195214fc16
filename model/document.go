package model

// properties scans the text it was reset to as the properties of e. It fills
// Set, SetOnce and IP from the members $set, $set_once and $ip of the outermost
// object, of each the first, and notes which documents cannot be loaded as JSON or have to be mended
// first. A text that is not JSON is kept, but nothing is taken from it, and it is
// unloadable. One that is JSON but no object is a fine document without members.
//
// $set and $set_once are taken as JSON text, whatever they are, but null is NULL;
// so a string keeps its quotes and is a document too. $ip is taken as text as
// ClickHouse's JSONExtractString does: a string unescaped, null and ” as NULL,
// anything else as its JSON text.
func (s *scanner) properties(e *Event) {
	var m members
	var ok bool
	if s.next() == '{' {
		ok = s.object(&m) && s.end()
	} else {
		ok = s.document()
		m.unfit = s.unfit || s.depth > maxJSONDepth
	}
	if !ok || m.unfit {
		e.Unloadable |= PropertiesDocument
	}
	if s.mend {
		e.mend |= PropertiesDocument
	}
	if ok {
		m.fill(e, s.mend)
	}
}

// members are those of properties that have columns of their own.
type members struct {
	set, setOnce, ip member
	unfit            bool // the object as a whole cannot be a JSON value of BigQuery
}

// member is the JSON text of one. unfit says that it cannot be a JSON value of
// BigQuery.
type member struct {
	text  []byte
	unfit bool
}

// object scans the object at pos like value, and notes its members.
func (s *scanner) object(m *members) bool {
	s.pos++
	if s.next() == '}' {
		s.pos++
		return true
	}
	for {
		if s.next() != '"' {
			return false
		}
		start := s.pos + 1
		if !s.str() || s.next() != ':' {
			return false
		}
		name, escaped := s.text[start:], s.escaped
		s.pos++
		s.next()
		start, s.unfit = s.pos, false
		if !s.value() {
			return false
		}
		m.unfit = m.unfit || s.unfit || s.depth >= maxJSONDepth // one deeper with the object
		if name[0] == '$' || escaped {
			m.note(name, escaped, member{s.text[start:s.pos:s.pos], s.unfit || s.depth > maxJSONDepth})
		}
		switch s.next() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return true
		default:
			return false
		}
	}
}

// note keeps the member v if it is the first of those wanted that has its name. Of
// several with one name PARSE_JSON keeps the first, and so do the columns that are
// taken from the properties. name is followed by the closing quote.
func (m *members) note(name []byte, escaped bool, v member) {
	var buf [len(`$set_once"`)]byte
	if escaped {
		name = unescapeName(buf[:0], name)
	}
	switch {
	case hasName(name, `$set"`):
		m.set.keep(v)
	case hasName(name, `$set_once"`):
		m.setOnce.keep(v)
	case hasName(name, `$ip"`):
		m.ip.keep(v)
	}
}

// keep sets v unless it is set.
func (v *member) keep(first member) {
	if v.text == nil {
		*v = first
	}
}

func hasName(text []byte, name string) bool {
	return len(text) >= len(name) && string(text[:len(name)]) == name
}

// unescapeName appends the name that text starts with, up to its closing quote
// and no longer than dst has room for: longer ones are none of those wanted.
func unescapeName(dst, text []byte) []byte {
	for len(dst) < cap(dst) {
		c := rune(text[0])
		size := 1
		if c == '\\' {
			c, size = escape(text)
		}
		if c >= 0x80 || c < 0 || (c == '"' && size > 1) {
			return nil
		}
		dst = append(dst, byte(c))
		if c == '"' {
			break
		}
		text = text[size:]
	}
	return dst
}

// fill sets the fields of e. mend says that some of the text has to be mended.
func (m *members) fill(e *Event, mend bool) {
	e.Set = m.set.document(e, SetDocument, mend)
	e.SetOnce = m.setOnce.document(e, SetOnceDocument, mend)
	ip := m.ip.text
	switch {
	case ip == nil || ip[0] == 'n':
	case ip[0] != '"':
		e.IP = ip
	case len(ip) > 2:
		e.IP = unquote(ip[1 : len(ip)-1])
	}
}

func (v *member) document(e *Event, which Documents, mend bool) []byte {
	if v.text == nil || v.text[0] == 'n' {
		return nil
	}
	if v.unfit {
		e.Unloadable |= which
	}
	if mend {
		e.mend |= which
	}
	return v.text
}
