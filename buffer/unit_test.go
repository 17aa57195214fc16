package buffer

import (
	"testing"

	"github.com/kelseyhightower/envconfig"
	"github.com/stretchr/testify/require"
)

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
