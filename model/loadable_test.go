package model

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

type loadableCase struct{ name, doc, want string }

func loadableCases() []loadableCase {
	same := func(name, doc string) loadableCase { return loadableCase{name, doc, doc} }
	return []loadableCase{
		same("nothing", ""), same("object", `{"a":[1,true,null,"b"]}`), same("surrogate pair", `{"a":"\ud83d\ude00\uD83D\uDE00"}`),
		same("escapes", `["\"\\\/\b\f\n\r\t\u0041"]`), same("white space outside of strings", "{\n\t\"a\" :\r1 }"),
		same("backslash before what looks like half a pair", `"\\ud83d"`), same("text", `"é😀"`),
		same("NUL escape", `"\u0000"`), same("unterminated", `"a\`), same("no JSON", `\ud83d`), same("bad escape", `"\x\u12"`),
		{"high half", `{"a":"x\ud83dy"}`, `{"a":"x\ufffdy"}`},
		{"low half", `"\uDE00"`, `"\ufffd"`},
		{"high half at the end", `["\ud83d","b"]`, `["\ufffd","b"]`},
		{"halves in the wrong order", `"\ude00\ud83d"`, `"\ufffd\ufffd"`},
		{"two high halves and a low one", `"\ud83d\ud83d\ude00"`, `"\ufffd\ud83d\ude00"`},
		{"high half and another escape", `"\ud83d\n\ud83d\u0041"`, `"\ufffd\n\ufffd\u0041"`},
		{"half in a name", `{"\ud83d":{"\ude00":1}}`, `{"\ufffd":{"\ufffd":1}}`},
		{"half behind a backslash", `"\\\ud83d"`, `"\\\ufffd"`},
		{"halves in different strings", `["\ud83d","\ude00"]`, `["\ufffd","\ufffd"]`},
		{"raw line break", "{\n\"a\":\"x\ny\r\n\"}\n", "{\n\"a\":\"x\\ny\\r\\n\"}\n"},
		{"raw controls", "\"\x00\x1f\b\f\t\x7f\"", `"\u0000\u001F\b\f\t` + "\x7f\""},
		{"control and quote", "\"\n\\\"\n\"", `"\n\"\n"`},
		{"everything", "{\"a\":\"long text without anything \\ud83d and \n more\",\"b\":\"\\ud83d\\ude00\"}",
			`{"a":"long text without anything \ufffd and \n more","b":"\ud83d\ude00"}`},
	}
}

func TestAppendLoadable_MendsWhatPARSE_JSONRefuses(t *testing.T) {
	for _, c := range loadableCases() {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, "before"+c.want, string(AppendLoadable([]byte("before"), []byte(c.doc))))
		})
	}
}

func TestAppendQuoted_IsToJSONString(t *testing.T) {
	for text, want := range map[string]string{
		"":                               `""`,
		`a:text="x"nth-child="2";div`:    `"a:text=\"x\"nth-child=\"2\";div"`,
		`attr__href="/a/b\c"`:            `"attr__href=\"\/a\/b\\c\""`,
		"\b\f\n\r\t\x00\x1f\x7f":         `"\b\f\n\r\t\u0000\u001F` + "\x7f\"",
		"é\u2028😀\u2029\u2027\u202a\xe2": "\"é\\u2028😀\\u2029\u2027\u202a\xe2\"",
	} {
		got := appendQuoted([]byte("before"), []byte(text))
		require.Equal(t, "before"+want, string(got))
		var back string
		require.NoError(t, json.Unmarshal(got[len("before"):], &back))
		require.Equal(t, string([]rune(text)), back)
	}
}
