package model

import (
	"slices"
	"strings"
)

const (
	testPersonID = "0198f0a2-9d00-7c31-8f7e-1d2c3b4a5968"

	nodePerson   = `{"id":"0198f0a2-9d00-7c31-8f7e-1d2c3b4a5968","created_at":"2026-08-30 09:10:11","properties":"{\"email\":\"a@example.com\",\"plan\":\"pro\"}","team_id":2,"is_identified":1,"is_deleted":0,"version":7,"last_seen_at":null}`
	pythonPerson = `{"id": "0198f0a2-9d00-7c31-8f7e-1d2c3b4a5968", "team_id": 2, "properties": "{\"city\": \"K\\u00f6ln\"}", "is_identified": 1, "is_deleted": 0, "created_at": "2026-08-30 09:10:11.123456", "version": 7, "_timestamp": "2026-08-30 09:10:12"}`
	nodeMapping  = `{"team_id":2,"distinct_id":"user-42","person_id":"0198f0a2-9d00-7c31-8f7e-1d2c3b4a5968","version":1,"is_deleted":0}`

	testCreated = int64(1788081011000000) // 2026-08-30 09:10:11
)

// changeKind is one of the two topics.
type changeKind struct {
	name   string
	decode func(*Decoder, []byte, *Change) error
	oracle func([]byte, *Change) error
	with   func(members string) string // a small message with further members, which come first and count
	small  Change                      // what with("") gives
	cases  func() []changeCase
}

func personKind() changeKind {
	return changeKind{"person", (*Decoder).DecodePerson, oraclePerson, withPerson,
		Change{TeamID: 2, PersonID: []byte(testPersonID)}, personCases}
}

func mappingKind() changeKind {
	return changeKind{"mapping", (*Decoder).DecodeMapping, oracleMapping, withMapping,
		Change{TeamID: 2, PersonID: []byte(testPersonID), DistinctID: []byte("user-42")}, mappingCases}
}

func changeKinds() []changeKind { return []changeKind{personKind(), mappingKind()} }

func withPerson(members string) string {
	return withMembers(`"id":"`+testPersonID+`","team_id":2}`, members)
}

func withMapping(members string) string {
	return withMembers(`"team_id":2,"distinct_id":"user-42","person_id":"`+testPersonID+`"}`, members)
}

// withMembers returns an object of the members and a rest that ends it.
func withMembers(rest, members string) string {
	if members != "" {
		members += ","
	}
	return "{" + members + rest
}

// personOf and mappingOf make one of a message of an event, so that what is nasty
// there is tried here too.
func personOf(event string) string  { return strings.ReplaceAll(event, `"uuid":`, `"id":`) }
func mappingOf(event string) string { return strings.ReplaceAll(event, `"uuid":`, `"person_id":`) }

type changeCase struct {
	name, message string
	reason        Reason
	check         func(want *Change) // changes what with("") gives; with a reason it is nil
}

func personCases() []changeCase {
	return slices.Concat(personShapes(), propertiesCases(), commonCases(personKind()), rejectedChanges(personKind()), rejectedIDs("id", withPerson, ReasonUUID))
}

func mappingCases() []changeCase {
	return slices.Concat(mappingShapes(), commonCases(mappingKind()), rejectedChanges(mappingKind()), rejectedIDs("person_id", withMapping, ReasonPersonID), rejectedDistinctIDs())
}

func personShapes() []changeCase {
	return []changeCase{
		{name: "Node", message: nodePerson, check: func(c *Change) {
			c.Version, c.IsIdentified, c.CreatedAt, c.HasCreatedAt = 7, true, testCreated, true
			c.Properties = []byte(`{"email":"a@example.com","plan":"pro"}`)
		}},
		{name: "Python writes six digits, spaces and ASCII", message: pythonPerson, check: func(c *Change) {
			c.Version, c.IsIdentified, c.CreatedAt, c.HasCreatedAt = 7, true, testCreated+123456, true
			c.Properties = []byte(`{"city": "K\u00f6ln"}`)
		}},
		{name: "Node's tombstone keeps properties", message: withPerson(`"is_deleted":1,"version":107,"properties":"{\"a\":1}"`),
			check: func(c *Change) { c.IsDeleted, c.Version, c.Properties = true, 107, []byte(`{"a":1}`) }},
		{name: "Python's tombstone has none", message: withPerson(`"is_deleted":1,"version":107,"properties":"{}"`),
			check: func(c *Change) { c.IsDeleted, c.Version, c.Properties = true, 107, []byte(`{}`) }},
		{name: "tombstone without properties", message: withPerson(`"is_deleted":1,"version":107`), check: func(c *Change) { c.IsDeleted, c.Version = true, 107 }},
		{name: "all optional null", message: withPerson(`"created_at":null,"properties":null,"is_identified":null,"is_deleted":null,"version":null`), check: func(*Change) {}},
		{name: "identified true", message: withPerson(`"is_identified":true`), check: func(c *Change) { c.IsIdentified = true }},
		{name: "identified as text", message: withPerson(`"is_identified":"1"`), check: func(c *Change) { c.IsIdentified = true }},
		{name: "not identified", message: withPerson(`"is_identified":0`), check: func(*Change) {}},
		{name: "identified as nonsense", message: withPerson(`"is_identified":[1]`), check: func(*Change) {}},
		{name: "bad created_at", message: withPerson(`"created_at":"yesterday"`), check: func(*Change) {}},
		{name: "created_at as number", message: withPerson(`"created_at":1788081011`), check: func(*Change) {}},
		{name: "created_at out of range", message: withPerson(`"created_at":"0000-01-01 00:00:00"`), check: func(*Change) {}},
		{name: "members of mappings", message: withPerson(`"distinct_id":"d","person_id":"p","uuid":1`), check: func(*Change) {}},
	}
}

func propertiesCases() []changeCase {
	keep := func(name, text string, unloadable bool) changeCase {
		return changeCase{name: name, message: withPerson(`"properties":` + escaped(text)), check: func(c *Change) { c.Properties, c.Unloadable = []byte(text), unloadable }}
	}
	deep := strings.Repeat("[", 500) + strings.Repeat("]", 500)
	return []changeCase{
		{name: "empty properties", message: withPerson(`"properties":""`), check: func(*Change) {}},
		keep("empty object", "{}", false), keep("white space", " { } ", false), keep("array", `[1]`, false), keep("string", `"a"`, false),
		keep("number", `12`, false), keep("literal", `null`, false), keep("$set is nothing special", `{"$set":{"a":1},"$ip":"1"}`, false),
		keep("not JSON", "oops", true), keep("only white space", " ", true), keep("truncated", `{"a":`, true), keep("two values", `{}{}`, true), keep("bad escape", `{"a":"\x"}`, true),
		keep("deep enough", deep, false), keep("too deep", "["+deep+"]", true), keep("number too large", `{"a":-1e999}`, true),
		keep("long number that fits", `[`+strings.Repeat("9", 308)+`]`, false), keep("lone surrogate", `{"a":"\ud83d"}`, false),
		{name: "line break in a string", message: withPerson(`"properties":"{\"a\":\"x\ny\"}"`), check: func(c *Change) { c.Properties = []byte("{\"a\":\"x\ny\"}") }},
		{name: "lone surrogate of the message", message: withPerson(`"properties":"{\"a\":\"\ud83d\"}"`), check: func(c *Change) { c.Properties = []byte("{\"a\":\"\ufffd\"}") }},
		{name: "invalid UTF-8", message: withPerson("\"properties\":\"{\\\"a\\\":\\\"\x80\\\"}\""), check: func(c *Change) { c.Properties = []byte("{\"a\":\"\ufffd\"}") }},
		{name: "bare object", message: withPerson(`"properties":{"a": "\ud83d\n"}`), check: func(c *Change) { c.Properties = []byte(`{"a": "\ud83d\n"}`) }},
		{name: "bare object with invalid UTF-8", message: withPerson("\"properties\":{\"a\":\"\x80\"}"), check: func(c *Change) { c.Properties = []byte("{\"a\":\"\ufffd\"}") }},
		{name: "bare array", message: withPerson(`"properties":[1]`), check: func(c *Change) { c.Properties = []byte("[1]") }},
		{name: "bare number that is too large", message: withPerson(`"properties":1e999`), check: func(c *Change) { c.Properties, c.Unloadable = []byte("1e999"), true }},
		{name: "bad properties after good ones", message: withPerson(`"properties":"{}","properties":"[\"\n\",1e999]"`), check: func(c *Change) { c.Properties = []byte("{}") }},
		{name: "good properties after bad ones", message: withPerson(`"properties":"[","properties":"{}"`), check: func(c *Change) { c.Properties, c.Unloadable = []byte("["), true }},
		{name: "properties after none", message: withPerson(`"properties":null,"properties":"["`), check: func(*Change) {}},
		{name: "properties after empty ones", message: withPerson(`"properties":"","properties":"["`), check: func(*Change) {}},
	}
}

func mappingShapes() []changeCase {
	id := func(text string) func(*Change) { return func(c *Change) { c.DistinctID = []byte(text) } }
	return []changeCase{
		{name: "Node", message: nodeMapping, check: func(c *Change) { c.Version = 1 }},
		{name: "tombstone", message: withMapping(`"is_deleted":1,"version":101`), check: func(c *Change) { c.IsDeleted, c.Version = true, 101 }},
		{name: "members of persons", message: withMapping(`"id":7,"properties":"[1e999","created_at":"2026-08-30 09:10:11","is_identified":1`), check: func(*Change) {}},
		{name: "distinct id with escapes", message: withMapping(`"distinct_id":"a\u0000\"\n\u00e9"`), check: id("a\x00\"\né")},
		{name: "distinct id with a lone surrogate", message: withMapping(`"distinct_id":"a\ud83db"`), check: id("a\ufffdb")},
		{name: "distinct id with invalid UTF-8", message: withMapping("\"distinct_id\":\"a\x80b\""), check: id("a\ufffdb")},
		{name: "distinct id of white space", message: withMapping(`"distinct_id":" "`), check: id(" ")},
		{name: "distinct id as number", message: withMapping(`"distinct_id":42`), check: id("42")},
		{name: "distinct id as object", message: withMapping(`"distinct_id":{"a": 1}`), check: id(`{"a": 1}`)},
		{name: "distinct id under an escaped name", message: withMapping(`"distinct\u005fid":"d"`), check: id("d")},
		{name: "first distinct id counts", message: withMapping(`"distinct_id":"d","distinct_id":"","distinct_i\u0064":null`), check: id("d")},
	}
}
