package model

import (
	"fmt"
	"strings"
)

// commonCases are about what both kinds have.
func commonCases(k changeKind) []changeCase {
	upper := strings.ToUpper(testPersonID)
	cases := []changeCase{
		{name: "nothing optional", message: k.with(""), check: func(*Change) {}},
		{name: "team as text", message: k.with(`"team_id":"2"`), check: func(*Change) {}},
		{name: "largest team", message: k.with(`"team_id":9223372036854775807`), check: func(c *Change) { c.TeamID = 1<<63 - 1 }},
		{name: "upper-case UUID", message: strings.ReplaceAll(k.with(""), testPersonID, upper), check: func(*Change) {}},
		{name: "UUID with escapes", message: strings.ReplaceAll(k.with(""), testPersonID, `\u0030`+upper[1:]), check: func(*Change) {}},
		{name: "deleted true", message: k.with(`"is_deleted":true`), check: func(c *Change) { c.IsDeleted = true }},
		{name: "deleted as text", message: k.with(`"is_deleted":"1"`), check: func(c *Change) { c.IsDeleted = true }},
		{name: "deleted false", message: k.with(`"is_deleted":false`), check: func(*Change) {}},
		{name: "deleted as nonsense", message: k.with(`"is_deleted":{}`), check: func(*Change) {}},
		{name: "first of several counts", message: k.with(`"version":3,"version":"x","\u0076ersion":4,"is_deleted":1,"is_deleted":0`), check: func(c *Change) { c.Version, c.IsDeleted = 3, true }},
		{name: "null before a value", message: k.with(`"version":null,"version":"x","is_deleted":null,"is_deleted":1`), check: func(*Change) {}},
		{name: "first team and UUIDs count", message: strings.Replace(k.with(""), "}", `,"team_id":"x","id":1,"person_id":1,"distinct_id":null}`, 1), check: func(*Change) {}},
		{name: "names are exact", message: k.with(`"VERSION":1,"versions":2,"Is_Deleted":1,"is_delete":1,"team":3`), check: func(*Change) {}},
		{name: "members of unknown names", message: k.with(`"last_seen_at":null,"_timestamp":"2026-08-30 09:10:12","a":[1,{"b":[]},"\ud83d"],"d":-0.5e+7`), check: func(*Change) {}},
		{name: "escaped names", message: k.with(`"\u0076ersion":3`), check: func(c *Change) { c.Version = 3 }},
	}
	for text, want := range map[string]int64{`0`: 0, `1`: 1, `107`: 107, `"7"`: 7, `"007"`: 7, `"0"`: 0, `9007199254740993`: 1<<53 + 1, `"9007199254740993"`: 1<<53 + 1,
		`9223372036854775799`: 1<<63 - 9, `9223372036854775806`: 1<<63 - 2, `9223372036854775807`: 1<<63 - 1, `"9223372036854775807"`: 1<<63 - 1,
		`"` + strings.Repeat("0", 30) + `9223372036854775807"`: 1<<63 - 1, `"\u0037"`: 7} {
		cases = append(cases, changeCase{name: "version " + text, message: k.with(`"version":` + text), check: func(c *Change) { c.Version = want }})
	}
	return cases
}

func rejectedChange(reason Reason, message string) changeCase {
	return changeCase{name: string(reason) + " " + message, message: message, reason: reason}
}

// rejectedChanges are what neither kind accepts.
func rejectedChanges(k changeKind) []changeCase {
	cases := []changeCase{rejectedChange(ReasonEmpty, ""), rejectedChange(ReasonTeam, "{}"), rejectedChange(ReasonJSON, k.with("")+k.with("")), rejectedChange(ReasonJSON, k.with(`"version":01`)),
		rejectedChange(ReasonJSON, k.with(`"unknown":[1,]`)), rejectedChange(ReasonJSON, k.with(`"unknown":"`+"\n"+`"`)), rejectedChange(ReasonJSON, k.with(`"unknown":"\x"`)),
		rejectedChange(ReasonTeam, k.with(`"team_id":null,"team_id":2`)), rejectedChange(ReasonVersion, k.with(`"version":-1,"version":1`)), rejectedChange(ReasonJSON, k.with(`"version":1,"version":"\x"`))}
	for _, v := range []string{`-1`, `-0`, `1.0`, `1.5`, `1e3`, `1E0`, `0e0`, `9223372036854775808`, `9223372036854775810`, `18446744073709551615`, `18446744073709551617`, `99999999999999999999`, `100000000000000000000000000000000000000000`,
		`""`, `" 1"`, `"1 "`, `"+1"`, `"-1"`, `"1.0"`, `"1e3"`, `"9223372036854775808"`, `"x"`, `"٣"`, `true`, `false`, `[1]`, `[]`, `{}`} {
		cases = append(cases, rejectedChange(ReasonVersion, k.with(`"version":`+v)))
	}
	for _, v := range []string{`null`, `0`, `-2`, `2.0`, `true`, `""`, `"02"`, `[2]`, `9223372036854775808`} {
		cases = append(cases, rejectedChange(ReasonTeam, k.with(`"version":-1,"team_id":`+v)))
	}
	return cases
}

// rejectedIDs are wrong UUIDs of the person, in the member called name.
func rejectedIDs(name string, with func(string) string, reason Reason) []changeCase {
	cases := []changeCase{rejectedChange(reason, `{"team_id":2,"uuid":"`+testPersonID+`"}`), rejectedChange(reason, with(`"`+name+`":null,"`+name+`":"`+testPersonID+`"`))}
	for _, v := range []string{`null`, `1`, `""`, `["` + testPersonID + `"]`, `"` + testPersonID[1:] + `"`, `"` + testPersonID + `0"`, `"` + testPersonID[:35] + `g"`, `"` + testPersonID[:35] + `\u00e9"`,
		`"` + strings.ReplaceAll(testPersonID, "-", "") + `"`, `"` + strings.ReplaceAll(testPersonID, "-", "M") + `"`} {
		cases = append(cases, rejectedChange(reason, with(fmt.Sprintf(`"version":-1,"%s":%s`, name, v))))
	}
	return cases
}

func rejectedDistinctIDs() []changeCase {
	cases := []changeCase{rejectedChange(ReasonDistinctID, `{"team_id":2,"id":"d","person_id":"`+testPersonID+`"}`)}
	for _, v := range []string{`null`, `""`} {
		cases = append(cases, rejectedChange(ReasonDistinctID, withMapping(`"distinct_id":`+v)))
	}
	return cases
}
