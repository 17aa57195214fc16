package service

import (
	"math"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/buffer"
)

func TestLimitMemory_FollowsTheBudgetUnlessGOMEMLIMITIsSet(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	cfg := Config{Buffer: buffer.Config{Memory: 256 << 20}}

	debug.SetMemoryLimit(math.MaxInt64)
	t.Setenv("GOMEMLIMIT", "off")
	LimitMemory(cfg)
	require.EqualValues(t, math.MaxInt64, debug.SetMemoryLimit(-1), "the operator's choice stays")

	t.Setenv("GOMEMLIMIT", "")
	LimitMemory(cfg)
	require.EqualValues(t, 384<<20, debug.SetMemoryLimit(-1))
}
