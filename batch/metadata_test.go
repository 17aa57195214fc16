package batch

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMetadata_ReadsWhatItWrote(t *testing.T) {
	id := NewID(time.UnixMilli(1756730096789))
	for _, m := range []Metadata{
		{},
		{Clock: time.UnixMilli(1756730096789).UTC()},
		{Chain: []Link{{id, 0}}},
		{Clock: time.UnixMilli(1).UTC(), Chain: []Link{{id, 12}, {NewID(time.UnixMilli(5)), 1 << 62}}},
	} {
		got, err := ParseMetadata(m.String())
		require.NoError(t, err)
		require.Equal(t, m, got)
	}
}

func TestMetadata_HasAFixedForm(t *testing.T) {
	id, err := ParseID("0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c77")
	require.NoError(t, err)
	require.Equal(t, "tidemark/1;1756730096789;0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c77:42",
		Metadata{Clock: time.UnixMilli(1756730096789), Chain: []Link{{id, 42}}}.String())
}

func TestParseMetadata_TreatsTextOfOthersAsNoChain(t *testing.T) {
	for _, s := range []string{"", "consumer-7c0f", "anything at all; even this"} {
		got, err := ParseMetadata(s)
		require.NoError(t, err)
		require.Equal(t, Metadata{Foreign: true}, got)
	}
}

func TestParseMetadata_StopsAtWhatItCannotTrust(t *testing.T) {
	_, err := ParseMetadata("tidemark/2;;")
	require.ErrorIs(t, err, ErrMetadataVersion)
	for _, s := range []string{"tidemark/1", "tidemark/1;;;", "tidemark/1;x;", "tidemark/1;;nonsense", "tidemark/1;;0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c77:-1", "tidemark/1;;x:1"} {
		_, err := ParseMetadata(s)
		require.ErrorIs(t, err, ErrMetadata, s)
	}
}

func TestMetadata_OfTheLongestChainFitsIntoKafka(t *testing.T) {
	m := Metadata{Clock: time.Now()}
	for range 32 + maxSealed {
		m.Chain = append(m.Chain, Link{NewID(time.Now()), 1<<63 - 1})
	}
	require.LessOrEqual(t, len(m.String()), MaxMetadata)
}

func FuzzParseMetadata(f *testing.F) {
	f.Add("tidemark/1;1756730096789;0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c77:42")
	f.Add("tidemark/1;;")
	f.Add("tidemark/2;")
	f.Add("member-1")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMetadata(s)
		if err != nil {
			return
		}
		require.Equal(t, !strings.HasPrefix(s, metadataPrefix), m.Foreign)
		if m.Foreign {
			require.Equal(t, Metadata{Foreign: true}, m)
			return
		}
		again, err := ParseMetadata(m.String())
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}
