package buffer

import (
	"sync"

	"tidemark/model"
)

const (
	// maxDays is how many partitions one job may write to,
	// https://cloud.google.com/bigquery/quotas#partitioned_tables, 2026-09. Tables are partitioned by day of timestamp.
	maxDays = 4000
	// fullDays leaves room for the days that the records of one more poll add.
	fullDays = 3900

	dayMicros = 24 * 60 * 60 * 1_000_000
)

// ReasonDays is the reason of an event that would give its batch rows of more days than one load job may write to. It
// takes records of a hundred new days in one poll after thousands before: timestamps that mean nothing. The batch is
// sealed as soon as it is near the limit, so that a backfill does not get there.
const ReasonDays model.Reason = "too_many_days"

// days is the set of UTC days of a batch's rows.
type days struct {
	mu  sync.RWMutex
	set map[int64]struct{}
}

// dayOf returns the UTC day of an instant in microseconds since 1970.
func dayOf(micros int64) int64 {
	day := micros / dayMicros
	if micros%dayMicros < 0 {
		day--
	}
	return day
}

// add adds a day; false means that it would be one too many.
func (d *days) add(day int64) bool {
	d.mu.RLock()
	_, ok := d.set[day]
	d.mu.RUnlock()
	if ok {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.set == nil {
		d.set = make(map[int64]struct{})
	}
	if _, ok := d.set[day]; !ok && len(d.set) >= maxDays {
		return false
	}
	d.set[day] = struct{}{}
	return true
}

func (d *days) full() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.set) >= fullDays
}
