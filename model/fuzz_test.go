package model

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
)

func FuzzDecode(f *testing.F) {
	for _, c := range messageCases() {
		f.Add([]byte(c.message))
	}
	for _, m := range records(1, 8, 1015) {
		f.Add(m)
	}
	d := NewDecoder(0) // one for all inputs, so that none may depend on the one before
	f.Fuzz(func(t *testing.T, message []byte) {
		if bytes.Count(message, []byte("["))+bytes.Count(message, []byte("{")) > 9000 {
			t.Skip("the oracle gives up at a depth of 10,000")
		}
		requireAgreement(t, d, message)
	})
}

// FuzzValues leaves the message whole and fuzzes the value of every member: as
// the text within a string, as the string's JSON text, and as JSON of its own.
func FuzzValues(f *testing.F) {
	for _, text := range []string{`{"$ip":"1","$set":{"a":"\\ud83d\n"},"$set_once":[1.5e3,-0]}`, `{"\u0024ip":"\"\\"}`, `{\"$ip\":\"1\\\"\"}`,
		`{\u0022a\u0022:\"\u005c\u0022\"}`, testUUID, strings.ToUpper(testUUID), "2026-09-01T12:34:56.789+00:00", "0000-01-01 00:00:00", "9223372036854775807", "true"} {
		f.Add([]byte(text))
	}
	for _, c := range loadableCases() {
		f.Add([]byte(c.doc))
	}
	d := NewDecoder(0)
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > 9000 {
			t.Skip("the oracle gives up at a depth of 10,000")
		}
		quoted, err := jsontext.AppendQuote(nil, string([]rune(string(text))))
		require.NoError(t, err)
		for _, v := range []string{string(quoted), `"` + string(text) + `"`, string(text)} {
			requireAgreement(t, d, []byte(with(`"event":`+v+`,"properties":`+v+`,"person_properties":`+v+`,"created_at":`+v+`,"person_id":`+v+`,"historical_migration":`+v)))
			for _, name := range []string{"team_id", "uuid", "timestamp"} {
				requireAgreement(t, d, []byte(with(`"`+name+`":`+v)))
			}
		}
	})
}

// TestDecode_AgreesWithOracleOnDamagedRecords does with whole records what a
// fuzzer rarely gets round to.
func TestDecode_AgreesWithOracleOnDamagedRecords(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	d := NewDecoder(0)
	for _, m := range records(seed, 500, 1015) {
		requireAgreement(t, d, m)
		for range 20 {
			requireAgreement(t, d, damaged(r, m))
		}
	}
}

// damaged returns a message with some bytes replaced by what is awkward there.
func damaged(r *rand.Rand, message []byte) []byte {
	pieces := []string{`"`, `\`, `\"`, `\\`, `\\\"`, `{`, `}`, `[`, `]`, `,`, `:`, " ", "\n", `\n`, `\\n`, `\u0022`, `\u005c`, `\\u0000`,
		`\ud83d`, `\ude00`, `\\ud83d`, `\\ude00`, "\x80", "\xe2\x80", "é", "0", "1e999", "-", ".", "null", "\x00", "", `\"$set\":`, `\"$ip\":\"\\u0031\",`}
	message = bytes.Clone(message)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(message))
		end := min(len(message), at+r.IntN(3))
		message = bytes.Join([][]byte{message[:at], []byte(pieces[r.IntN(len(pieces))]), message[end:]}, nil)
	}
	return message
}

func requireAgreement(t *testing.T, d *Decoder, message []byte) {
	t.Helper()
	var got, want Event
	input := bytes.Clone(message)
	err, wantErr := d.Decode(input, &got), oracle(message, &want)
	require.Equal(t, message, input, "the message was written to")
	if reason, wantReason := reasonOf(err), reasonOf(wantErr); reason != wantReason {
		t.Fatalf("got reason %q (%v), want %q for %q", reason, err, wantReason, message)
	}
	if err != nil {
		return
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Event{})); diff != "" {
		t.Fatalf("message %q (-want +got):\n%s", message, diff)
	}
	for doc, text := range map[Documents][]byte{PropertiesDocument: got.Properties, SetDocument: got.Set,
		SetOnceDocument: got.SetOnce, PersonPropertiesDocument: got.PersonProperties} {
		if got.Unloadable&doc != 0 || text == nil {
			continue
		}
		if got.mend&doc != 0 {
			text = AppendLoadable(nil, text)
		}
		require.NoError(t, strictly(text), "document %d of %q", doc, message)
	}
}

func reasonOf(err error) Reason {
	var r *Reject
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}

// strictly returns why text is not JSON, with whole surrogate pairs and valid
// UTF-8.
func strictly(text []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true))
	if _, err := d.ReadValue(); err != nil {
		return err
	}
	_, err := d.ReadValue()
	if err != nil && err.Error() == "EOF" {
		return nil
	}
	return errors.New("more than one value")
}

func FuzzTimestamp(f *testing.F) {
	for _, c := range timestampCases() {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseTimestamp([]byte(text))
		want, wantOK := timeParse(text)
		require.Equal(t, wantOK, ok, "%q", text)
		if ok {
			require.Equal(t, want, got, "%q", text)
		}
	})
}

func FuzzLoadable(f *testing.F) {
	for _, c := range loadableCases() {
		f.Add([]byte(c.doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if bytes.Count(doc, []byte("["))+bytes.Count(doc, []byte("{")) > 9000 {
			t.Skip("the oracle gives up at a depth of 10,000")
		}
		before := bytes.Clone(doc)
		require.Len(t, appendQuoted(nil, doc), quotedSize(doc))
		got := AppendLoadable(nil, doc)
		require.Len(t, got, loadableSize(doc))
		require.Equal(t, before, doc, "the document was written to")
		require.Equal(t, string(got), string(AppendLoadable(nil, got)), "mended twice")

		doc = []byte(string([]rune(string(doc)))) // columns are valid UTF-8
		var s scanner
		s.reset(doc, nil)
		clean := withoutControls(doc)
		valid := s.document()
		require.Equal(t, jsontext.Value(clean).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)), valid)
		if !valid {
			return
		}
		mended := AppendLoadable(nil, doc)
		require.NoError(t, strictly(mended), "%q", mended)
		require.Equal(t, s.mend, !bytes.Equal(mended, doc))
		require.Equal(t, canonical(t, escapeControls(doc)), canonical(t, mended))
	})
}

// canonical returns a document in a form that is the same for the same values;
// halves of surrogate pairs are U+FFFD.
func canonical(t *testing.T, doc []byte) string {
	out, err := jsontext.AppendFormat(nil, doc, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true),
		jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false))
	require.NoError(t, err)
	return string(out)
}
