package batch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// simulate seals at every boundary that the pace allows, for two days, and returns how many load jobs the fullest 24
// hours had and the longest pause between two.
func simulate(period time.Duration) (fullest int, longest time.Duration) {
	start := time.Unix(0, 0)
	var jobs []time.Time
	last := start
	for now := start; now.Sub(start) < 48*time.Hour; now = now.Add(period) {
		for len(jobs) > 0 && now.Sub(jobs[0]) >= 24*time.Hour {
			jobs = jobs[1:]
		}
		if now.Sub(last) < Pace(now, jobs, DailyLoadJobs) {
			continue
		}
		longest = max(longest, now.Sub(last))
		jobs, last = append(jobs, now), now
		fullest = max(fullest, len(jobs))
	}
	return fullest, longest
}

func TestPace_NeverUsesUpTheDaysLoadJobs(t *testing.T) {
	for _, period := range []time.Duration{5 * time.Second, 30 * time.Second, time.Minute} {
		fullest, longest := simulate(period)
		require.LessOrEqual(t, fullest, DailyLoadJobs, period)
		require.GreaterOrEqual(t, fullest, DailyLoadJobs/2, period)
		require.Less(t, longest, 15*time.Minute, "periods lengthen evenly instead of stopping: %s", period)
	}
}

func TestPace_LeavesPeriodsAloneThatFitTheDay(t *testing.T) {
	_, longest := simulate(5 * time.Minute)
	require.Equal(t, 5*time.Minute, longest)
}

func TestPeriodAt_IsAlignedToTheEpoch(t *testing.T) {
	at := time.Date(2026, 9, 1, 12, 34, 56, 0, time.UTC)
	require.Equal(t, Period{time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 9, 1, 13, 0, 0, 0, time.UTC)}, PeriodAt(at, time.Hour))
	require.Equal(t, PeriodAt(time.Date(1969, 12, 31, 23, 30, 0, 0, time.UTC), time.Hour).End, time.Unix(0, 0).UTC())
	boundary := time.Date(2026, 9, 1, 13, 0, 0, 0, time.UTC)
	require.Equal(t, boundary, PeriodAt(boundary, time.Hour).Start, "half-open")
}
