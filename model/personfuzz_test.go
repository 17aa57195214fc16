package model

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
)

func FuzzDecodePerson(f *testing.F) {
	for _, c := range messageCases() {
		f.Add([]byte(personOf(c.message)))
	}
	for _, m := range personRecords(1, 8, 600) {
		f.Add(m)
	}
	fuzzChanges(f, personKind(), "id", "team_id", "version", "created_at", "properties", "is_identified", "is_deleted", "unknown")
}

func FuzzDecodeMapping(f *testing.F) {
	for _, c := range messageCases() {
		f.Add([]byte(mappingOf(c.message)))
	}
	for _, m := range mappingRecords(1, 8) {
		f.Add(m)
	}
	fuzzChanges(f, mappingKind(), "person_id", "distinct_id", "team_id", "version", "is_deleted", "unknown")
}

// fuzzChanges takes the input as a message, and as the value of each member: as
// the text within a string, as the string's JSON text, and as JSON of its own.
func fuzzChanges(f *testing.F, k changeKind, names ...string) {
	for _, c := range k.cases() {
		f.Add([]byte(c.message))
	}
	for _, c := range loadableCases() {
		f.Add([]byte(c.doc))
	}
	for _, text := range []string{"9223372036854775807", "9223372036854775808", "007", "-0", "1e2", "true", "2026-08-30 09:10:11", testPersonID} {
		f.Add([]byte(text))
	}
	d := NewDecoder(0) // one for all inputs, so that none may depend on the one before
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > 9000 {
			t.Skip("the oracle gives up at a depth of 10,000")
		}
		requireSameChange(t, k, d, text)
		quoted, err := jsontext.AppendQuote(nil, string([]rune(string(text))))
		require.NoError(t, err)
		for _, name := range names {
			for _, v := range []string{string(quoted), `"` + string(text) + `"`, string(text)} {
				requireSameChange(t, k, d, []byte(k.with(`"`+name+`":`+v)))
			}
		}
	})
}

// TestDecodeChange_AgreesWithOracleOnDamagedRecords does with whole records what a
// fuzzer rarely gets round to.
func TestDecodeChange_AgreesWithOracleOnDamagedRecords(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	d := NewDecoder(0)
	records := map[string][][]byte{"person": personRecords(seed, 300, 600), "mapping": mappingRecords(seed, 300)}
	for _, k := range changeKinds() {
		for _, m := range records[k.name] {
			requireSameChange(t, k, d, m)
			for range 20 {
				requireSameChange(t, k, d, damaged(r, m))
			}
		}
	}
}

// requireSameChange decodes with k and its oracle.
func requireSameChange(t *testing.T, k changeKind, d *Decoder, message []byte) {
	t.Helper()
	got := Change{TeamID: 9, Version: 9, IsDeleted: true, IsIdentified: true, HasCreatedAt: true, Unloadable: true, mend: true, Properties: []byte("x"), DistinctID: []byte("x")} // to be forgotten
	var want Change
	input := bytes.Clone(message)
	err, wantErr := k.decode(d, input, &got), k.oracle(message, &want)
	require.Equal(t, message, input, "the message was written to")
	if reason, wantReason := reasonOf(err), reasonOf(wantErr); reason != wantReason {
		t.Fatalf("got reason %q (%v), want %q for %q", reason, err, wantReason, message)
	}
	if err != nil {
		return
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Change{})); diff != "" {
		t.Fatalf("message %q (-want +got):\n%s", message, diff)
	}
	if got.Unloadable || got.Properties == nil {
		return
	}
	mended := AppendLoadable(nil, got.Properties)
	require.Equal(t, !bytes.Equal(mended, got.Properties), got.mend, "%q", message)
	require.NoError(t, strictly(mended), "%q", message)
}
