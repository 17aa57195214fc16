package model

import (
	"slices"
	"strings"
)

type messageCase struct {
	name, message string
	reason        Reason
	check         func(want *Event) // changes what with("") gives; with a reason it is nil
}

// messageCases are the shapes that PostHog's and other producers write, and the
// broken ones.
func messageCases() []messageCase {
	return slices.Concat(producerCases(), textCases(), documentCases(), memberCases(), encodingCases(), rejectCases())
}

func producerCases() []messageCase {
	return []messageCase{
		{name: "Node", message: nodeEvent, check: func(e *Event) {
			e.Event = []byte("$pageview")
			e.Properties = []byte(`{"$ip":"203.0.113.7","$current_url":"https://shop.example.com/cart?utm_source=google","$session_id":"0198f0a2-7c1e-7d4b-9a51-3f6f0c2b9e11","$browser":"Chrome","$set":{"email":"a@example.com"},"$set_once":{"$initial_utm_source":"google"},"$lib":"web","price":12.5}`)
			e.IP, e.Set, e.SetOnce = []byte("203.0.113.7"), []byte(`{"email":"a@example.com"}`), []byte(`{"$initial_utm_source":"google"}`)
			e.DistinctID = []byte("0198f0a2-7c1e-7aaa-bbbb-0123456789ab")
			e.ElementsChain = []byte{}
			e.CreatedAt, e.HasCreatedAt = testTime+1313000, true
			e.PersonID, e.PersonMode = []byte("0198f0a2-9d00-7c31-8f7e-1d2c3b4a5968"), []byte("full")
			e.PersonProperties = []byte(`{"email":"a@example.com","$initial_utm_source":"google"}`)
		}},
		{name: "Python writes six digits and spaces", message: `{"uuid": "` + testUUID + `", "event": "e", "properties": "{\"a\": 1, \"$ip\": \"::1\"}", "timestamp": "2026-09-01 12:34:56.789012", "team_id": 2, "distinct_id": "d", "elements_chain": "", "created_at": "2026-09-01 12:34:56.789012"}`,
			check: func(e *Event) {
				e.Event, e.DistinctID, e.ElementsChain = []byte("e"), []byte("d"), []byte{}
				e.Properties, e.IP = []byte(`{"a": 1, "$ip": "::1"}`), []byte("::1")
				e.Timestamp, e.CreatedAt, e.HasCreatedAt = testTime+12, testTime+12, true
			}},
		{name: "cymbal leaves person and captured_at out", message: with(`"event":"$exception","distinct_id":"d","properties":"{}","elements_chain":"","created_at":"2026-09-01 12:34:56.789"`),
			check: func(e *Event) {
				e.Event, e.DistinctID, e.ElementsChain, e.Properties = []byte("$exception"), []byte("d"), []byte{}, []byte("{}")
				e.CreatedAt, e.HasCreatedAt = testTime, true
			}},
		{name: "nothing optional", message: with(""), check: func(*Event) {}},
		{name: "all optional null", message: with(`"event":null,"properties":null,"distinct_id":null,"elements_chain":null,"created_at":null,"person_id":null,"person_properties":null,"person_mode":null,"historical_migration":null`),
			check: func(*Event) {}},
		{name: "historical", message: with(`"historical_migration":true`), check: func(e *Event) { e.HistoricalMigration = true }},
		{name: "historical as text", message: with(`"historical_migration":"true"`), check: func(e *Event) { e.HistoricalMigration = true }},
		{name: "historical as number", message: with(`"historical_migration":1`), check: func(e *Event) { e.HistoricalMigration = true }},
		{name: "historical as nonsense", message: with(`"historical_migration":[true]`), check: func(*Event) {}},
		{name: "team as text", message: strings.Replace(with(""), `"team_id":2`, `"team_id":"2"`, 1), check: func(*Event) {}},
		{name: "largest team", message: strings.Replace(with(""), `"team_id":2`, `"team_id":9223372036854775807`, 1), check: func(e *Event) { e.TeamID = 1<<63 - 1 }},
		{name: "bad created_at", message: with(`"created_at":"yesterday"`), check: func(*Event) {}},
		{name: "created_at as number", message: with(`"created_at":1788266096`), check: func(*Event) {}},
		{name: "upper-case uuid", message: strings.ReplaceAll(with(""), testUUID, strings.ToUpper(testUUID)), check: func(*Event) {}},
		{name: "mixed-case uuid with an escape", message: with(`"uuid":"\u0030198F0a3-1b2c-7f00-8D11-5a0d2f4e6c77"`), check: func(*Event) {}},
		{name: "upper-case person_id", message: with(`"person_id":"` + strings.ToUpper(testPersonID) + `"`), check: person(testPersonID)},
		{name: "mixed-case uuid and person_id", message: with(`"uuid":"0198f0a3-1b2c-7f00-8d11-5a0d2f4e6C77","person_id":"0198F0a2-9d00-7c31-8f7e-1d2c3b4a5968"`), check: person(testPersonID)},
		{name: "person_id that is no UUID keeps its case", message: with(`"person_id":"0198F0A2-9D00-7C31-8F7E-1D2C3B4A596G"`), check: person("0198F0A2-9D00-7C31-8F7E-1D2C3B4A596G")},
		{name: "person_id that is short keeps its case", message: with(`"person_id":"ABCDEF"`), check: person("ABCDEF")},
		{name: "distinct_id that is a UUID keeps its case", message: with(`"distinct_id":"` + strings.ToUpper(testUUID) + `"`), check: func(e *Event) { e.DistinctID = []byte(strings.ToUpper(testUUID)) }},
		{name: "RFC 3339", message: strings.Replace(with(""), "2026-09-01 12:34:56.789", "2026-09-01T14:34:56.789+02:00", 1), check: func(*Event) {}},
		{name: "members of unknown names", message: with(`"group0_properties":"{}","a":[1,{"b":[]},"\ud83d"],"c":{},"d":-0.5e+7,"TEAM_ID":3,"Event":"no"`), check: func(*Event) {}},
		{name: "white space", message: " \t\r\n" + strings.NewReplacer(":2,", " : 2 , ", "{", "{ ", "}", " }").Replace(with("")) + "\n", check: func(*Event) {}},
	}
}

func textCases() []messageCase {
	event := func(text string) func(*Event) { return func(e *Event) { e.Event = []byte(text) } }
	return []messageCase{
		{name: "first of several counts", message: with(`"event":"b","event":"a","ev\u0065nt":"c","properties":"{\"$set\":1}","properties":"{\"$ip\":\"1\"}","properties":"[1e999]"`),
			check: func(e *Event) { e.Event, e.Properties, e.Set = []byte("b"), []byte(`{"$set":1}`), []byte("1") }},
		{name: "null before a value", message: with(`"event":null,"event":"a","properties":null,"properties":"{\"$ip\":\"1\"}","person_properties":"","person_properties":"[","historical_migration":null,"historical_migration":true`), check: func(*Event) {}},
		{name: "first of every member counts", message: with(`"distinct_id":"d","distinct_id":"x","elements_chain":"e","elements_chain":null,"person_id":"p","person_id":"x","person_mode":"full","person_mode":1,` +
			`"created_at":"2026-09-01 12:34:56.789","created_at":"x","historical_migration":true,"historical_migration":false,"uuid":"` + testUUID + `","uuid":null,"team_id":2,"team_id":"x","timestamp":"2026-09-01 12:34:56.789","timestamp":[]`),
			check: func(e *Event) {
				e.DistinctID, e.ElementsChain, e.PersonID, e.PersonMode = []byte("d"), []byte("e"), []byte("p"), []byte("full")
				e.CreatedAt, e.HasCreatedAt, e.HistoricalMigration = testTime, true, true
			}},
		{name: "escaped name", message: with(`"\u0065vent":"a"`), check: event("a")},
		{name: "all escapes", message: with(`"event":"\"\\\/\b\f\n\r\té😀"`), check: event("\"\\/\b\f\n\r\té😀")},
		{name: "unicode escapes", message: with(`"event":"\u00e9\u20AC\ud83d\ude00"`), check: event("é€😀")},
		{name: "NUL", message: with(`"event":"a\u0000b"`), check: event("a\x00b")},
		{name: "lone high surrogate", message: with(`"event":"a\ud83db"`), check: event("a\ufffdb")},
		{name: "lone low surrogate", message: with(`"event":"\ude00"`), check: event("\ufffd")},
		{name: "two high surrogates", message: with(`"event":"\ud83d\ud83d\ude00"`), check: event("\ufffd😀")},
		{name: "high surrogate and another escape", message: with(`"event":"\ud83d\n"`), check: event("\ufffd\n")},
		{name: "invalid UTF-8", message: with("\"event\":\"a\x80\xe2\x82b\""), check: event("a\ufffd\ufffd\ufffdb")},
		{name: "invalid UTF-8 and escapes", message: with("\"event\":\"a\x80\\n\""), check: event("a\ufffd\n")},
		{name: "invalid UTF-8 before escape", message: with("\"event\":\"\xc3\\u00a9\""), check: event("\ufffd©")},
		{name: "invalid UTF-8 at the very end", message: with("\"event\":\"\\n\\n\x80\""), check: event("\n\n\ufffd")},
		{name: "encoded surrogate", message: with("\"event\":\"\xed\xa0\xbd\""), check: event("\ufffd\ufffd\ufffd")},
		{name: "text as number", message: with(`"event":42`), check: event("42")},
		{name: "text as boolean", message: with(`"event":false`), check: event("false")},
		{name: "text as object", message: with(`"event":{"a": 1}`), check: event(`{"a": 1}`)},
		{name: "elements", message: with(`"elements_chain":"a:text=\"x\""`), check: func(e *Event) { e.ElementsChain = []byte(`a:text="x"`) }},
	}
}

// kept changes an event to one with the given properties, and as more says.
func kept(text string, more ...func(*Event)) func(*Event) {
	return func(e *Event) {
		e.Properties = []byte(text)
		for _, m := range more {
			m(e)
		}
	}
}

// same is the case of properties that are kept as they are.
func same(name, text string, more ...func(*Event)) messageCase {
	return messageCase{name: name, message: properties(text), check: kept(text, more...)}
}

func unloadable(docs Documents) func(*Event) { return func(e *Event) { e.Unloadable = docs } }
func ip(text string) func(*Event)            { return func(e *Event) { e.IP = []byte(text) } }
func person(id string) func(*Event)          { return func(e *Event) { e.PersonID = []byte(id) } }
func set(text string) func(*Event)           { return func(e *Event) { e.Set = []byte(text) } }

// documentCases are about properties as a document.
func documentCases() []messageCase {
	deep := strings.Repeat("[", 500) + strings.Repeat("]", 500)
	return []messageCase{
		{name: "empty properties", message: with(`"properties":"","person_properties":""`), check: func(*Event) {}},
		same("empty object", "{}"), same("white space in the object", " {\n\t\"a\" : [ ] , \"$ip\" : \"1\" } ", ip("1")),
		same("not JSON", "oops", unloadable(PropertiesDocument)),
		same("truncated", `{"$ip":"1","$set":{"a":1},"b`, unloadable(PropertiesDocument)),
		same("truncated after a name", `{"$ip"`, unloadable(PropertiesDocument)),
		same("trailing garbage", `{"$ip":"1"}x`, unloadable(PropertiesDocument)),
		same("escape behind the object", "{}\b", unloadable(PropertiesDocument)),
		same("backslash outside of strings", `{"a":1\"b":2}`, unloadable(PropertiesDocument)),
		same("bad escape", `{"$ip":"\x"}`, unloadable(PropertiesDocument)),
		same("bad unicode escape", `{"$ip":"\u00g0"}`, unloadable(PropertiesDocument)),
		same("leading zero", `{"a":01}`, unloadable(PropertiesDocument)),
		same("array", `["$ip","1"]`), same("string", `"a\"b"`), same("number", `12`), same("literal", `null`),
		same("array that is none", `[1,]`, unloadable(PropertiesDocument)),
		same("deep enough", deep), same("too deep", "["+deep+"]", unloadable(PropertiesDocument)),
		same("too deep, but not at its end", "[["+deep+"],[]]", unloadable(PropertiesDocument)),
		same("too deep with the object", `{"$set":`+deep+`}`, set(deep), unloadable(PropertiesDocument)),
		same("set too deep", `{"$set":{"a":`+deep+`}}`, set(`{"a":`+deep+`}`), unloadable(PropertiesDocument|SetDocument)),
		same("number too large", `{"a":1e999999,"$set":{}}`, set("{}"), unloadable(PropertiesDocument)),
		same("set with a number too large", `{"$set":{"a":-1e999},"$ip":"1"}`, set(`{"a":-1e999}`), ip("1"), unloadable(PropertiesDocument|SetDocument)),
		same("long numbers that fit", `{"a":`+strings.Repeat("9", 308)+`,"b":1e-999,"c":1.`+strings.Repeat("0", 400)+`}`),
		same("long number that does not", `{"a":`+strings.Repeat("9", 310)+`}`, unloadable(PropertiesDocument)),
		same("lone surrogate stays", `{"a":"\ud83d","$set":{"b":"\ude00"}}`, set(`{"b":"\ude00"}`)),
	}
}

// memberCases are about $set, $set_once and $ip.
func memberCases() []messageCase {
	return []messageCase{
		same("JSON in JSON in JSON", `{"payload":"{\"$ip\":\"9\",\"n\\n\":[1]}","$ip":"1"}`, ip("1")),
		same("nested members do not count", `{"a":{"$ip":"9","$set":{}},"b":[{"$set_once":1}]}`),
		same("other case does not count", `{"$IP":"9","$Set":{},"$set_":1,"$se":2}`),
		same("first member counts", `{"$ip":"1","$ip":"2","$set":{"a":1},"$set":null,"$set_once":3,"$set_once":"4"}`, ip("1"), set(`{"a":1}`), func(e *Event) { e.SetOnce = []byte("3") }),
		same("first member counts if it is null", `{"$ip":null,"$ip":"2","$set":null,"$set":{"a":1},"$set_once":null,"$set_once":1}`),
		same("first member counts however it is escaped", `{"\u0024ip":"1","$ip":"2","$set":1,"\u0024set":2,"$set\u005fonce":5,"$set_once":6}`, ip("1"), set("1"), func(e *Event) { e.SetOnce = []byte("5") }),
		same("first member counts though a later one is unfit", `{"$set":{},"$set":1e999}`, set("{}"), unloadable(PropertiesDocument)),
		same("first member counts though it is unfit", `{"$set":1e999,"$set":{}}`, set("1e999"), unloadable(PropertiesDocument|SetDocument)),
		same("escaped member names", `{"\u0024ip":"1","$s\u0065t":{},"\u0024set_\u006fnce":3}`, ip("1"), set("{}"), func(e *Event) { e.SetOnce = []byte("3") }),
		same("longer names", `{"$ip\"":"9","\u0124ip":"9","$ip ":"9","$set_once\"":1,"$set_oncé":1}`),
		same("ip empty", `{"$ip":""}`), same("ip null", `{"$ip":null}`), same("ip escaped", `{"$ip":"\u0031\n"}`, ip("1\n")),
		same("ip lone surrogate", `{"$ip":"a\ud83d"}`, ip("a\ufffd")), same("ip number", `{"$ip":12}`, ip("12")), same("ip object", `{"$ip":{"a":1}}`, ip(`{"a":1}`)),
		same("set string", `{"$set":"a\n"}`, set(`"a\n"`)), same("set array", `{"$set":[1 , 2]}`, set(`[1 , 2]`)), same("set false", `{"$set":false}`, set("false")),
	}
}

// encodingCases are about the way properties are in the message.
func encodingCases() []messageCase {
	return []messageCase{
		{name: "line break in a string", message: with(`"properties":"{\"$set\":{\"a\":\"x\ny\"},\"$ip\":\"1\u0000\"}"`),
			check: kept("{\"$set\":{\"a\":\"x\ny\"},\"$ip\":\"1\x00\"}", set("{\"a\":\"x\ny\"}"), ip("1\x00"))},
		{name: "quotes escaped by their code", message: with(`"properties":"{\u0022$ip\u0022:\u00221\u005c\u0022\u0022}"`), check: kept(`{"$ip":"1\""}`, ip(`1"`))},
		{name: "invalid UTF-8 in properties", message: with("\"properties\":\"{\\\"a\\\":\\\"\x80\\\",\\\"$ip\\\":\\\"1\\\"}\""), check: kept("{\"a\":\"\ufffd\",\"$ip\":\"1\"}", ip("1"))},
		{name: "properties as an object under an escaped name", message: with(`"\u0070roperties":{"$ip":"1"}`), check: kept(`{"$ip":"1"}`, ip("1"))},
		{name: "bad properties, good person_properties", message: with(`"properties":"{\"a\":1e999}","person_properties":"[]"`),
			check: kept(`{"a":1e999}`, unloadable(PropertiesDocument), func(e *Event) { e.PersonProperties = []byte("[]") })},
		{name: "bad person_properties, good properties", message: with(`"person_properties":"[","properties":"{}"`),
			check: kept(`{}`, unloadable(PersonPropertiesDocument), func(e *Event) { e.PersonProperties = []byte("[") })},
		{name: "good person_properties, then bad ones", message: with(`"person_properties":"{}","person_properties":"[\u0000"`), check: func(e *Event) { e.PersonProperties = []byte("{}") }},
		{name: "bad person_properties, then good ones", message: with(`"person_properties":"[","person_properties":"{}"`), check: func(e *Event) { e.PersonProperties, e.Unloadable = []byte("["), PersonPropertiesDocument }},
		{name: "properties as an object", message: with(`"properties":{"a": [1], "$ip":"1","$set":{"b":"\ud83d"}}`), check: kept(`{"a": [1], "$ip":"1","$set":{"b":"\ud83d"}}`, ip("1"), set(`{"b":"\ud83d"}`))},
		{name: "invalid UTF-8 in an object", message: with("\"properties\":{\"$ip\":\"\x80\"}"), check: kept("{\"$ip\":\"\ufffd\"}", ip("\ufffd"))},
		{name: "properties without escapes", message: with(`"properties":"{}","person_properties":"[1e999]"`), check: kept("{}", func(e *Event) { e.PersonProperties, e.Unloadable = []byte("[1e999]"), PersonPropertiesDocument })},
	}
}

func rejectCases() []messageCase {
	rejected := func(reason Reason, message string) messageCase {
		return messageCase{name: string(reason) + " " + message, message: message, reason: reason}
	}
	var cases []messageCase
	for _, m := range []string{" ", "x", "null", "[]", `"a"`, "{", "{}x", "{,}", `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1 "b":2}`, `{'a':1}`, `{a:1}`,
		`{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":-}`, `{"a":1e}`, `{"a":+1}`, `{"a":NaN}`, `{"a":tru}`, `{"a":nul}`, `{"a":[1,]}`, `{"a":[1}}`, `{"a":{"b"}}`,
		`{"a":"` + "\n" + `"}`, `{"a":{"b":"` + "\x01" + `"}}`, `{"a` + "\t" + `":1}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"b`, `{"event":"b\`, `{"event":"\u00`, "\ufeff{}",
		with("") + with(""), with("") + "\x00", `{"a":1}` + "\x00", with(`"properties":"{}` + "\n" + `"`), with(`"properties":"{\"a\":\"` + "\x1f" + `\"}"`), nodeEvent[:700], nodeEvent[:len(nodeEvent)-1]} {
		cases = append(cases, rejected(ReasonJSON, m))
	}
	for _, v := range []string{`null`, `0`, `-2`, `2.0`, `2e0`, `true`, `""`, `"x"`, `" 2"`, `"+2"`, `"02"`, `[2]`, `9223372036854775808`, `"18446744073709551618"`, `99999999999999999999`} {
		cases = append(cases, rejected(ReasonTeam, strings.Replace(with(""), `"team_id":2`, `"team_id":`+v, 1)))
	}
	for _, v := range []string{`null`, `1`, `""`, `"0198f0a31b2c7f008d115a0d2f4e6c77"`, `"0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c7g"`, `"{198f0a3-1b2c-7f00-8d11-5a0d2f4e6c7}"`, `"0198f0a3-1b2c-7f00-8d115-a0d2f4e6c77"`,
		`"0198f0a3-1b2c-7f00-8d11-5a0d2f4-6c77"`, `"-198f0a3-1b2c-7f00-8d11-5a0d2f4e6c77"`} {
		cases = append(cases, rejected(ReasonUUID, strings.Replace(with(""), `"`+testUUID+`"`, v, 1)))
	}
	for _, v := range []string{`null`, `1788266096`, `""`, `"2026-02-29 00:00:00"`, `["2026-09-01 12:34:56"]`} {
		cases = append(cases, rejected(ReasonTimestamp, strings.Replace(with(""), `"2026-09-01 12:34:56.789"`, v, 1)))
	}
	for reason, v := range map[Reason]string{ReasonTeam: `"team_id":null,"team_id":2`, ReasonUUID: `"uuid":"x","uuid":"` + testUUID + `"`, ReasonTimestamp: `"timestamp":1,"timestamp":"2026-09-01 12:34:56"`, ReasonJSON: `"event":"a","event":"\x"`} {
		cases = append(cases, rejected(reason, with(v)))
	}
	return append(cases, rejected(ReasonEmpty, ""), rejected(ReasonTeam, "{}"), rejected(ReasonUUID, `{"team_id":1}`), rejected(ReasonTimestamp, `{"team_id":1,"uuid":"`+testUUID+`"}`))
}
