package persons

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every order and every division into batches of histories that are known to bite: after each batch the table is the
// fold of what has been merged, and what did not change was not written.
func TestMerge_EveryOrderAndDivisionIsTheFold(t *testing.T) {
	all, first := everyLane(), rand.IntN(4)
	t.Logf("%d histories", len(all))
	for i, v := range variants() {
		lanes := all
		if raced { // each history in one of the variants, another one every time
			lanes = nil
			for k := (first + i) % 4; k < len(all); k += 4 {
				lanes = append(lanes, all[k])
			}
		}
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			p := newWorld(t).people(v)
			began := time.Now()
			require.NoError(t, p.run(lanes))
			t.Logf("%d rows, %s", len(p.rows), time.Since(began))
		})
	}
}

// Histories in which nearly everything collides, and those that PostHog would send; shuffled, with repeats of messages
// and of whole batches.
func TestMerge_RandomHistoriesAreTheFold(t *testing.T) {
	for _, seed := range seeds(t) {
		for _, v := range variantsOf(seed) {
			t.Run(fmt.Sprintf("%d/%s", seed, v), func(t *testing.T) {
				t.Parallel()
				t.Logf("seed %d", seed)
				r := rand.New(rand.NewPCG(seed, 1))
				w := newWorld(t)
				require.NoError(t, w.people(v).run(denseLanes(r, 1000)))
				p := w.people(v)
				p.verbatim = true
				require.NoError(t, p.run(realLanes(r, 12)))
				t.Logf("%d rows, %d rejects", len(p.rows), p.fold.Rejected())
			})
		}
	}
}

// The same of single histories: the bounds of a batch's keys are narrow, and some batches have one kind of changes only,
// for which the script is another.
func TestMerge_SingleHistoriesAreTheFold(t *testing.T) {
	for _, seed := range seeds(t) {
		for _, v := range variantsOf(seed) {
			t.Run(fmt.Sprintf("%d/%s", seed, v), func(t *testing.T) {
				t.Parallel()
				t.Logf("seed %d", seed)
				r := rand.New(rand.NewPCG(seed, 2))
				w := newWorld(t)
				p := w.people(v)
				for _, l := range denseLanes(r, 6) {
					require.NoError(t, p.run([]lane{l}))
				}
			})
		}
	}
}

// variantsOf are all, or with the race detector two that together have every mode and type.
func variantsOf(seed uint64) []variant {
	all := variants()
	if !raced {
		return all
	}
	return []variant{all[seed%2], all[3-seed%2]}
}

// denseLanes are teams from 1 on.
func denseLanes(r *rand.Rand, n int64) (lanes []lane) {
	for team := range n {
		lanes = append(lanes, randomLane(r, "dense", team+1, messages(team+1, denseHistory(r, 2+r.IntN(12))...)))
	}
	return lanes
}

// realLanes are two teams each.
func realLanes(r *rand.Rand, n int64) (lanes []lane) {
	for i := range n {
		lanes = append(lanes, randomLane(r, "PostHog's", 2*i+1, realHistory(r, 2*i+1, 20+r.IntN(60))))
	}
	return lanes
}

// seeds are those of a random test: what PERSONS_SEED names, or as many new ones as PERSONS_SEEDS says.
func seeds(t *testing.T) (seeds []uint64) {
	t.Helper()
	if s, err := strconv.ParseUint(os.Getenv("PERSONS_SEED"), 10, 64); err == nil {
		return []uint64{s}
	}
	n, err := strconv.Atoi(os.Getenv("PERSONS_SEEDS"))
	if err != nil {
		n = 1
	}
	for range n {
		seeds = append(seeds, rand.Uint64()>>32)
	}
	return seeds
}
