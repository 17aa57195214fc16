package batch

import "time"

// Period is a half-open interval [Start, End), aligned to the UTC epoch.
type Period struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// PeriodAt returns the period of the given length that contains t. length must divide 24h, so that every day starts
// with a boundary.
func PeriodAt(t time.Time, length time.Duration) Period {
	start := time.Unix(0, t.UnixNano()-mod(t.UnixNano(), int64(length))).UTC()
	return Period{Start: start, End: start.Add(length)}
}

// mod is never negative, so instants before 1970 fall into the right period, too.
func mod(a, b int64) int64 { return ((a % b) + b) % b }
