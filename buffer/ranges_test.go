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
	for range 60 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		var cover ranges
		keys := map[string]int64{}
		teams, letters := 1+r.Int64N(300), 1+r.IntN(250)
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

// What a batch reads of a table of persons that is clustered by team and id, whose ids follow the time of their creation: persons
// of the last week, and some of any age. It is what docs/merge-cost.md says.
func TestRanges_WhatABatchReads(t *testing.T) {
	const year, week = 50_000, 1_000
	id := func(n int) string { return fmt.Sprintf("%08x-7c1e-7000-8000-000000000000", n) }
	for old, most := range map[int]float64{0: 0.021, 10: 0.021, 15: 0.03, 30: 0.45, 100: 0.85, 1000: 0.99} {
		r := rand.New(rand.NewPCG(uint64(old), 7))
		var cover ranges
		for range 10_000 {
			cover.add(2, []byte(id(year-week+r.IntN(week))))
		}
		for range old {
			cover.add(2, []byte(id(r.IntN(year))))
		}
		all, read := cover.covering(), 0
		for n := range year {
			if holds(all, 2, id(n)) {
				read++
			}
		}
		t.Logf("%d old persons: %.1f %% of the table", old, 100*float64(read)/year)
		require.Less(t, float64(read)/year, most, "%d old persons", old)
	}
}
