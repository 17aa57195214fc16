package verify

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// members are those of an object that were asked for, in the object's order.
type members []member

type member struct {
	name  string
	value jsontext.Value // a part of the object's text
}

// messageMembers are what a message is asked for.
func messageMembers() []string {
	return []string{"uuid", "event", "properties", "timestamp", "team_id", "distinct_id", "elements_chain", "created_at",
		"person_id", "person_properties", "person_mode", "historical_migration"}
}

// propertyMembers are what an event's properties are asked for.
func propertyMembers() []string { return []string{"$ip", "$set", "$set_once"} }

// errNotOneObject is why a text has no members.
var errNotOneObject = errors.New("not one JSON object")

// parse reads the whole text, which must be one JSON object, and keeps the
// members asked for. It equals encoding/json's decoding into a map at a third of the
// cost, but for names that repeat: there a map has the last member, and get the
// first. What is no UTF-8 is U+FFFD.
func parse(text []byte, names []string) (members, error) {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if decoder.PeekKind() != '{' {
		return nil, errNotOneObject
	}
	if _, err := decoder.ReadToken(); err != nil {
		return nil, err
	}
	var found members
	for decoder.PeekKind() == '"' {
		quoted, err := decoder.ReadValue()
		if err != nil {
			return nil, err
		}
		name := wanted(names, quoted)
		if name == "" {
			err = decoder.SkipValue()
		} else {
			var value jsontext.Value
			value, err = decoder.ReadValue()
			end := int(decoder.InputOffset()) // value itself is valid until the next call only
			found = append(found, member{name, text[end-len(value) : end]})
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := decoder.ReadToken(); err != nil { // the closing brace, or what is wrong instead
		return nil, err
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errNotOneObject
	}
	return found, nil
}

// wanted returns the one of names that is quoted here, or "".
func wanted(names []string, quoted jsontext.Value) string {
	plain := []byte(quoted[1 : len(quoted)-1])
	if bytes.IndexByte(quoted, '\\') >= 0 {
		plain, _ = jsontext.AppendUnquote(nil, quoted) // what is no UTF-8 is none of names
	}
	if i := slices.IndexFunc(names, func(name string) bool { return name == string(plain) }); i >= 0 {
		return names[i]
	}
	return ""
}

// get returns the first member of the name, nil if there is none. BigQuery's JSON
// type keeps the first of several, too.
func (m members) get(name string) jsontext.Value {
	for _, member := range m {
		if member.name == name {
			return member.value
		}
	}
	return nil
}

// text returns a member that is a string; ok is false for anything else.
func (m members) text(name string) (text string, ok bool) {
	quoted := m.get(name)
	if quoted.Kind() != '"' {
		return "", false
	}
	plain, _ := jsontext.AppendUnquote(make([]byte, 0, len(quoted)), quoted) // the error says that U+FFFD stands for something, as it shall
	return string(plain), true
}
