package model

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// This file is a second decoder, slow and made from other people's parts. Decode
// has to agree with it on every input.

// oracle decodes a message. The error is a *Reject without detail.
func oracle(message []byte, e *Event) error {
	*e = Event{}
	if len(message) == 0 {
		return &Reject{Reason: ReasonEmpty}
	}
	fields, ok := oracleObject(message)
	if !ok {
		return &Reject{Reason: ReasonJSON}
	}
	var created bool
	if e.TeamID, ok = oracleTeam(fields["team_id"]); !ok {
		return &Reject{Reason: ReasonTeam}
	}
	if e.UUIDText, e.UUID, ok = oracleUUID(fields["uuid"]); !ok {
		return &Reject{Reason: ReasonUUID}
	}
	if e.Timestamp, ok = oracleTimestamp(fields["timestamp"]); !ok {
		return &Reject{Reason: ReasonTimestamp}
	}
	if e.CreatedAt, created = oracleTimestamp(fields["created_at"]); created {
		e.HasCreatedAt = true
	}
	e.Event, e.DistinctID = orEmpty(oracleText(fields["event"])), orEmpty(oracleText(fields["distinct_id"]))
	e.ElementsChain, e.PersonID, e.PersonMode = oracleText(fields["elements_chain"]), oracleText(fields["person_id"]), oracleText(fields["person_mode"])
	if person, _, ok := oracleUUID(fields["person_id"]); ok {
		e.PersonID = person
	}
	historical := string(oracleText(fields["historical_migration"]))
	e.HistoricalMigration = historical == "true" || historical == "1"
	oracleProperties(orNull(oracleText(fields["properties"])), e)
	e.PersonProperties = orNull(oracleText(fields["person_properties"]))
	if e.PersonProperties != nil && !oracleLoads(withoutControls(e.PersonProperties)) {
		e.Unloadable |= PersonPropertiesDocument
	}
	return nil
}

// oracleObject returns the members of a JSON object as JSON text, of several with
// one name the first.
func oracleObject(text []byte) (members map[string]jsontext.Value, ok bool) {
	d := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, false
	}
	members = map[string]jsontext.Value{}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, false
		}
		key := name.String()
		v, err := d.ReadValue()
		if err != nil {
			return nil, false
		}
		end := d.InputOffset()
		if _, known := members[key]; !known { // of several the first counts
			members[key] = text[end-int64(len(v)) : end]
		}
	}
	if t, err := d.ReadToken(); err != nil || t.Kind() != '}' {
		return nil, false
	}
	_, err := d.ReadToken()
	return members, errors.Is(err, io.EOF)
}

func oracleText(v jsontext.Value) []byte {
	switch {
	case len(v) == 0 || v.Kind() == 'n':
		return nil
	case v.Kind() != '"':
		return []byte(string([]rune(string(v)))) // invalid UTF-8 becomes U+FFFD
	}
	t, err := jsontext.NewDecoder(bytes.NewReader(v), jsontext.AllowInvalidUTF8(true)).ReadToken()
	if err != nil {
		panic(fmt.Sprintf("read %q again: %v", v, err))
	}
	return []byte(t.String())
}

func orEmpty(t []byte) []byte { return append([]byte{}, t...) }

func orNull(t []byte) []byte {
	if len(t) == 0 {
		return nil
	}
	return t
}

func oracleTeam(v jsontext.Value) (int64, bool) {
	id, err := strconv.ParseInt(string(oracleText(v)), 10, 64)
	return id, err == nil && regexp.MustCompile(`^[1-9][0-9]*$`).Match(oracleText(v))
}

func oracleUUID(v jsontext.Value) (text []byte, id [16]byte, ok bool) {
	if v.Kind() != '"' {
		return nil, id, false
	}
	text = oracleText(v)
	if !regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`).Match(text) {
		return nil, id, false
	}
	b, err := hex.DecodeString(strings.ReplaceAll(string(text), "-", ""))
	copy(id[:], b)
	return bytes.ToLower(text), id, err == nil
}

func oracleTimestamp(v jsontext.Value) (int64, bool) {
	if v.Kind() != '"' {
		return 0, false
	}
	return timeParse(string(oracleText(v)))
}

// timeParse is parseTimestamp by way of package time, which by itself accepts
// more: a comma, more digits, odd offsets.
func timeParse(s string) (int64, bool) {
	form := regexp.MustCompile(`^\d{4}-\d\d-\d\d([ T])\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)?$`)
	m := form.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	layout := "2006-01-02" + m[1] + "15:04:05"
	if m[3] != "" {
		layout += "Z07:00"
	}
	t, err := time.Parse(layout, s)
	if err != nil || t.UTC().Year() < 1 || t.UTC().Year() > 9999 {
		return 0, false
	}
	return t.UnixMicro(), true
}

// oracleProperties is scanner.properties.
func oracleProperties(text []byte, e *Event) {
	e.Properties = text
	if text == nil {
		return
	}
	clean := withoutControls(text)
	if !oracleLoads(clean) {
		e.Unloadable |= PropertiesDocument
	}
	members, ok := oracleObject(clean)
	if !ok {
		return
	}
	original := func(name string) []byte { // the member as it is in text
		v := members[name]
		if v == nil || v.Kind() == 'n' {
			return nil
		}
		start := cap(clean) - cap(v)
		return text[start : start+len(v)]
	}
	if e.Set = original("$set"); e.Set != nil && !oracleLoads(members["$set"]) {
		e.Unloadable |= SetDocument
	}
	if e.SetOnce = original("$set_once"); e.SetOnce != nil && !oracleLoads(members["$set_once"]) {
		e.Unloadable |= SetOnceDocument
	}
	e.IP = orNull(oracleText(escapeControls(original("$ip"))))
}

// withoutControls replaces control characters within strings by DEL, which JSON
// allows and which is as long.
func withoutControls(text []byte) []byte {
	return mapControls(text, func(byte) []byte { return []byte{0x7f} })
}

func escapeControls(text []byte) []byte {
	return mapControls(text, func(c byte) []byte { return fmt.Appendf(nil, `\u%04x`, c) })
}

func mapControls(text []byte, with func(byte) []byte) []byte {
	out, inside := []byte{}, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			inside = !inside
			out = append(out, c)
		case inside && c == '\\' && i+1 < len(text) && text[i+1] >= ' ':
			out = append(out, c, text[i+1])
			i++
		case inside && c < ' ':
			out = append(out, with(c)...)
		default:
			out = append(out, c)
		}
	}
	return out[:len(out):len(out)]
}

// oracleLoads says whether text is one JSON value that fits BigQuery's JSON but
// for surrogates.
func oracleLoads(text []byte) bool {
	d := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for values := 0; ; {
		t, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return values == 1
		}
		if err != nil || d.StackDepth() > maxJSONDepth {
			return false
		}
		if t.Kind() == '0' {
			if _, err := strconv.ParseFloat(t.String(), 64); err != nil {
				return false
			}
		}
		if d.StackDepth() == 0 {
			values++
		}
	}
}
