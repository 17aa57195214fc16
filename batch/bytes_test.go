package batch

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSize_ReadsUnitsAndWritesThemBack(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "17": 17, "17B": 17, "64MiB": 64 << 20, "1GiB": 1 << 30, "1GB": 1e9, "2 KiB": 2048, "3TB": 3e12, "1TiB": 1 << 40,
	} {
		var s, again Size
		require.NoError(t, s.Decode(text), text)
		require.Equal(t, want, s)
		require.NoError(t, again.Decode(s.String()))
		require.Equal(t, want, again)
	}
	for _, text := range []string{"", "MiB", "-1", "1.5GiB", "1 GiBB", "1mib", "9999999TiB", "0x10"} {
		require.Error(t, new(Size).Decode(text), text)
	}
	require.Equal(t, "64MiB", Size(64<<20).String())
	require.Equal(t, "1GB", Size(1e9).String())
}
