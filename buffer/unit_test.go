package buffer

import (
	"testing"

	"github.com/kelseyhightower/envconfig"
	"github.com/stretchr/testify/require"
)

func TestSize_ReadsUnitsAndWritesThemBack(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "17": 17, "17B": 17, "64MiB": 64 << 20, "1GiB": 1 << 30, "1GB": 1e9, " 2 KiB ": 2048, "3TB": 3e12, "1TiB": 1 << 40,
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

func TestConfig_DefaultsAreValid(t *testing.T) {
	var c Config
	require.NoError(t, envconfig.Process("TIDEMARK", &c))
	require.NoError(t, c.Validate())
	require.Equal(t, Config{1 << 30, 32 << 20, 16 << 20, "batch"}, c)
}

func TestConfig_ReportsAllFaultsTogether(t *testing.T) {
	c := Config{Memory: 4 << 20, PartSize: 3 << 20, MaxRecordSize: 0, Deduplicate: "no"}
	err := c.Validate()
	require.ErrorContains(t, err, "TIDEMARK_BUFFER_MEMORY is 4MiB; want at least 8MiB")
	require.ErrorContains(t, err, "TIDEMARK_PART_SIZE is 3MiB; want 1MiB up to half of TIDEMARK_BUFFER_MEMORY (4MiB)")
	require.ErrorContains(t, err, "TIDEMARK_MAX_RECORD_SIZE is 0B; want 1B up to 24MiB and up to half of TIDEMARK_BUFFER_MEMORY (4MiB)")
	require.ErrorContains(t, err, `TIDEMARK_DEDUPLICATE is "no"; want batch or off`)
}
