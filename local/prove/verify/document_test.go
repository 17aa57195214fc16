package verify

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMend_ForgivesOnlyWhatTidemarkMends(t *testing.T) {
	equal := map[string][]string{
		`{"a":"�"}`:              {`{"a":"\ud83d"}`, `{"a":"\uD83D"}`, `{"a":"\udc00"}`, `{"a":"\ufffd"}`, `{"a":"\uFFFD"}`, `{"a":"�"}`},
		`{"a":"�x"}`:             {`{"a":"\ud83dx"}`},
		`{"a":"��"}`:             {`{"a":"\ud83d\ud83d"}`, `{"a":"\udc00\ud83d"}`},
		`{"a":"�\u0041"}`:        {`{"a":"\ud83d\u0041"}`},
		`{"a":"\ud83d\ude00"}`:   {`{"a":"\ud83d\ude00"}`},
		`{"a":"�\ud83d\ude00"}`:  {`{"a":"\ud83d\ud83d\ude00"}`},
		`{"a":"\\ud83d"}`:        {`{"a":"\\ud83d"}`}, // a backslash, then text
		`{"a":"\"\\�"}`:          {`{"a":"\"\\\ud83d"}`},
		`{"a":"x\ny\u0001"}`:     {"{\"a\":\"x\ny\x01\"}"},
		"{\n\"a\":\"x\"}":        {"{\n\"a\":\"x\"}"}, // not inside a string
		`{"a":"\u12"`:            {`{"a":"\u12"`},
		`{"a":"\`:                {`{"a":"\`},
		`{"a":"\ud83d`[:6] + "�": {`{"a":"\ud83d`},
	}
	for want, texts := range equal {
		for _, text := range texts {
			require.Equal(t, want, mend(text), "%q", text)
		}
	}
	for _, text := range []string{`{"a":"\u00e9"}`, `{"a":"é"}`, `{"a": 1.0}`, `{"a":1}`} {
		require.Equal(t, text, mend(text), "text is text")
	}
}

func TestDocumentCell_JSONColumnsCompareDocuments(t *testing.T) {
	c := Columns{json: [numColumns]bool{colProperties: true}}
	same := func(a, b string) bool { return c.documentCell(colProperties, a) == c.documentCell(colProperties, b) }
	for _, pair := range [][2]string{
		{`{"a":1,"b":[true,null]}`, "{ \"b\" : [true, null],\n\"a\": 1.0 }"},
		{`{"a":"\u00e9"}`, `{"a":"é"}`},
		{`{"a":"\ud83d"}`, `{"a":"\ufffd"}`},
		{`{"a":-0}`, `{"a":0}`}, {`{"a":-0.0}`, `{"a":0}`},
		{`{"a":12.50}`, `{"a":1.25e1}`},
		{`{"a":123456789012345678901234567890}`, `{"a":1.2345678901234568e29}`},
		{`{"a":9007199254740993}`, `{"a":9007199254740993}`},
		{`{"a":18446744073709551615}`, `{"a":18446744073709551615}`},
		{`{"b":{"a":1,"a":[2,{}],"\u0061":3},"b":null}`, `{"b":{"a":1}}`}, {`{"a":null,"a":1}`, `{"a":null}`}, // the first counts
	} {
		require.True(t, same(pair[0], pair[1]), "%s", pair)
	}
	for _, pair := range [][2]string{
		{`{"a":1,"a":2}`, `{"a":2}`}, {`{"a":1}`, `{"a":2}`}, {`{"a":1}`, `{"a":"1"}`}, {`{"a":1}`, `{"b":1}`}, {`{"a":null}`, `{}`}, {`{"a":[1,2]}`, `{"a":[2,1]}`},
		{`{"a":[1,[2]]}`, `{"a":[[1],2]}`}, {`{"a":false}`, `{"a":null}`}, {`{"a":"x,b"}`, `{"a":"x","b":""}`},
		{`{"a":9007199254740993}`, `{"a":9007199254740992}`}, {`{"a":18446744073709551615}`, `{"a":18446744073709551614}`},
	} {
		require.False(t, same(pair[0], pair[1]), "%s", pair)
	}
	for _, text := range []string{"", "no json", `{"a":1} {}`, `{"a":1}}`, `{"a":`, `{"a":1,}`, `[1,]`, `[1 2]`, `{"a":1,"a":}`} {
		require.True(t, c.documentCell(colProperties, text).null, "%q", text)
	}
	require.False(t, c.documentCell(colSet, "no json").null, "a STRING column holds any text")
}
