package batch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// simulate seals at every boundary that the pace allows, for two days, and returns how much of a quota the fullest 24 hours
// used and the longest pause between two batches.
func simulate(period time.Duration, quota int, amount func(Cost) int, cost func(n int) Cost) (fullest int, longest time.Duration) {
	start := time.Unix(0, 0)
	var uses []Use
	last, used := start, 0
	for now, n := start, 0; now.Sub(start) < 48*time.Hour; now = now.Add(period) {
		for len(uses) > 0 && now.Sub(uses[0].At) >= 24*time.Hour {
			used -= amount(uses[0].Cost)
			uses = uses[1:]
		}
		if now.Sub(last) < Pace(now, uses, quota, amount) {
			continue
		}
		longest = max(longest, now.Sub(last))
		uses, last = append(uses, Use{now, cost(n)}), now
		used += amount(cost(n))
		n++
		fullest = max(fullest, used)
	}
	return fullest, longest
}

func oneLoad(int) Cost { return Cost{Loads: 1, Partitions: 1} }

func TestPace_NeverUsesUpTheDaysLoadJobs(t *testing.T) {
	for _, period := range []time.Duration{5 * time.Second, 30 * time.Second, time.Minute} {
		fullest, longest := simulate(period, DailyLoadJobs, LoadsOf, oneLoad)
		require.LessOrEqual(t, fullest, DailyLoadJobs, period)
		require.GreaterOrEqual(t, fullest, DailyLoadJobs/2, period)
		require.Less(t, longest, 15*time.Minute, "periods lengthen evenly instead of stopping: %s", period)
	}
}

// A2: batches of a hundred partitions, every minute, would use up the day's changes of partitions in five hours.
func TestA2_PaceNeverUsesUpTheDaysPartitions(t *testing.T) {
	for name, cost := range map[string]func(int) Cost{
		"even":   func(int) Cost { return Cost{1, 100} },
		"uneven": func(n int) Cost { return Cost{1, 1 + 199*(n%2)} },
		"bursts": func(n int) Cost { return Cost{n % 2, 20 * (n % 11)} },
	} {
		fullest, longest := simulate(time.Minute, DailyPartitions, PartitionsOf, cost)
		require.LessOrEqual(t, fullest, DailyPartitions, name)
		require.GreaterOrEqual(t, fullest, DailyPartitions/2, name)
		require.Less(t, longest, time.Hour, name)
	}
}

func TestCost_IsReadAsItIsWritten(t *testing.T) {
	for _, c := range []Cost{{}, {1, 37}, {3, 4000}} {
		require.Equal(t, c, ParseCost(c.String()))
	}
	for _, s := range []string{"", "1", "a/b", "-1/3", "1/2/3"} {
		require.Equal(t, Cost{1, 1}, ParseCost(s), s)
	}
}

// What goes by a stage table, or is merged, takes nothing of the table's quotas.
func TestCostOf_CountsWhatIsLoadedStraightIn(t *testing.T) {
	parts := []Part{{Rows: 1}}
	m := &Manifest{Contents: Contents{Tables: []Table{
		{Parts: parts, Partitions: 7}, {Parts: parts}, {}, {Parts: parts, Partitions: 200, Staged: true},
		{Parts: parts, Partitions: 9, Target: Target{Columns: []Column{{"p", JSONType}}}}, {Parts: parts, Keys: &Keys{}},
	}}}
	require.Equal(t, Cost{2, 8}, CostOf(m))
}

func TestPace_LeavesPeriodsAloneThatFitTheDay(t *testing.T) {
	_, longest := simulate(5*time.Minute, DailyLoadJobs, LoadsOf, oneLoad)
	require.Equal(t, 5*time.Minute, longest)
}

func TestPeriodAt_IsAlignedToTheEpoch(t *testing.T) {
	at := time.Date(2026, 9, 1, 12, 34, 56, 0, time.UTC)
	require.Equal(t, Period{time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 9, 1, 13, 0, 0, 0, time.UTC)}, PeriodAt(at, time.Hour))
	require.Equal(t, PeriodAt(time.Date(1969, 12, 31, 23, 30, 0, 0, time.UTC), time.Hour).End, time.Unix(0, 0).UTC())
	boundary := time.Date(2026, 9, 1, 13, 0, 0, 0, time.UTC)
	require.Equal(t, boundary, PeriodAt(boundary, time.Hour).Start, "half-open")
}
