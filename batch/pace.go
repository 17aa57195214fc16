package batch

import "time"

// DailyLoadJobs is how many load jobs BigQuery allows per table and day, failed ones included. It cannot be raised
// (cloud.google.com/bigquery/quotas, load jobs, 2026-08-22).
const DailyLoadJobs = 1500

// Pace returns the shortest even spacing of load jobs that never has to stop for the quota, given the instants of the
// jobs of the last 24 hours in ascending order. It is zero while less than half of the quota is used: short periods may
// burst. The window rolls, so jobs come free again 24 hours after they ran; the spacing is set by the tightest stretch
// until then.
func Pace(now time.Time, jobs []time.Time, quota int) time.Duration {
	const day = 24 * time.Hour
	for len(jobs) > 0 && now.Sub(jobs[0]) >= day {
		jobs = jobs[1:]
	}
	if len(jobs) < quota/2 {
		return 0
	}
	left := quota - quota/20 - len(jobs) // a twentieth is kept for retries
	var spacing time.Duration
	for i, t := range jobs {
		free := t.Add(day).Sub(now) // from then on job i no longer counts
		if n := left + i; n > 0 {
			spacing = max(spacing, free/time.Duration(n))
		} else {
			spacing = max(spacing, free)
		}
	}
	return spacing
}
