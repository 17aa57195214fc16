package model

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// A dash too many once made parseUUID read behind the end.
func TestParseUUID_AnyByteAnywhere(t *testing.T) {
	for i := range len(testUUID) {
		for c := range 256 {
			text := []byte(testUUID)
			text[i] = byte(c)
			var got [16]byte
			ok := parseUUID(text, &got)
			quoted, err := jsontext.AppendQuote(nil, string([]rune(string(text))))
			require.NoError(t, err)
			_, want, wantOK := oracleUUID(quoted)
			require.Equal(t, wantOK, ok, "%q", text)
			if ok {
				require.Equal(t, want, got)
				var buf [36]byte
				require.Equal(t, strings.ToLower(string(text)), string(lowerUUID(text, &buf)))
			}
			var buf [36]byte
			require.Equal(t, ok && string(text) != testUUID && c >= 'A' && c <= 'F', &lowerIfUUID(text, &buf)[0] == &buf[0], "copied only if need be: %q", text)
		}
	}
}
