package batch

import "time"

// DailyLoadJobs is how many load jobs BigQuery allows per table and day, failed ones included. It cannot be raised
// (cloud.google.com/bigquery/quotas, load jobs, 2026-08-22).
const DailyLoadJobs = 1500

// Pace returns the shortest even spacing of batches that never has to stop for a quota, given what was used of it in the last
// 24 hours, in ascending order of time; amount says how much each use took. It is zero while less than half of the quota is
// used: short periods may burst. The window rolls, so what was used comes free again 24 hours later; the spacing is set by the
// tightest stretch until then. The batches to come are taken to cost what those of the day did.
func Pace(now time.Time, uses []Use, quota int, amount func(Cost) int) time.Duration {
	const day = 24 * time.Hour
	for len(uses) > 0 && now.Sub(uses[0].At) >= day {
		uses = uses[1:]
	}
	used, costly := 0, 0
	for _, u := range uses {
		used += amount(u.Cost)
		if amount(u.Cost) > 0 {
			costly++
		}
	}
	if used == 0 || used < quota/2 {
		return 0
	}
	each := float64(used) / float64(costly)
	left := quota - quota/20 - used // a twentieth is kept for retries
	var spacing time.Duration
	for _, u := range uses {
		free := u.At.Add(day).Sub(now) // from then on this use no longer counts
		spacing = max(spacing, time.Duration(float64(free)/max(1, float64(left)/each)))
		left += amount(u.Cost)
	}
	return spacing
}

// LoadsOf is an amount for [Pace]: load jobs.
func LoadsOf(c Cost) int { return c.Loads }

// PartitionsOf is an amount for [Pace]: changes of partitions.
func PartitionsOf(c Cost) int { return c.Partitions }
