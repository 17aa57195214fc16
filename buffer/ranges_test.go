package buffer

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

func holds(all []batch.KeyRange, team int64, key string) bool {
	for _, r := range all {
		if r.FirstTeam <= team && team <= r.LastTeam && r.First <= key && key <= r.Last {
			return true
		}
	}
	return false
}

// Every key is in a range, whatever the order, and there are never too many ranges.
func TestRanges_HoldEveryKey(t *testing.T) {
	for range 300 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		var cover ranges
		keys := map[string]int64{}
		teams, letters := 1+r.Int64N(60), 1+r.IntN(250)
		for range r.IntN(2000) {
			key := make([]byte, 1+r.IntN(10))
			for i := range key {
				key[i] = byte(r.IntN(letters))
			}
			team := 1 + r.Int64N(teams)
			cover.add(team, key)
			keys[string(key)] = team
			require.LessOrEqual(t, len(cover.list), openRanges)
		}
		all := cover.covering()
		require.LessOrEqual(t, len(all), batch.MaxKeyRanges)
		for key, team := range keys {
			require.True(t, holds(all, team, key), "seed %d: team %d key %q in %v", seed, team, key, all)
		}
	}
}

// Recent persons and single old ones: the ranges leave out what lies between.
func TestRanges_TellNearFromFar(t *testing.T) {
	var cover ranges
	id := func(ms int) string { return fmt.Sprintf("%08x-7c1e-7000-8000-%012x", ms, ms) }
	r := rand.New(rand.NewPCG(1, 1))
	for _, i := range r.Perm(10_000) {
		cover.add(2, []byte(id(900_000_000+i)))
		if i%1000 == 0 {
			cover.add(2, []byte(id(i*10_000)))
		}
	}
	all := cover.covering()
	require.False(t, holds(all, 2, id(500_000_000)), "%v", all)
	require.False(t, holds(all, 2, id(5_000_000)), "%v", all)
	require.False(t, holds(all, 1, id(900_000_000)))
	require.True(t, holds(all, 2, id(900_005_000)))
}

func TestRanges_OfKeysThatAreThereAllocateNothing(t *testing.T) {
	var cover ranges
	cover.add(1, []byte("a"))
	cover.add(1, []byte("c"))
	cover.reduce(1)
	require.Zero(t, testing.AllocsPerRun(100, func() { cover.add(1, []byte("b")) }))
}
