package bigquery

import (
	"sync"
	"time"
)

// quotaWindow replenishes as it rolls
// (docs.cloud.google.com/bigquery/quotas, "Quotas are replenished at regular intervals").
const quotaWindow = 24 * time.Hour

// quota counts load jobs by the *name* of their table, so that dropping and
// re-creating the table gives nothing back; those that failed, and those that were
// refused for the quota, count too (docs.cloud.google.com/bigquery/quotas#load_jobs).
type quota struct {
	limit int

	mu   sync.Mutex
	used map[tableRef][]time.Time // ascending
}

func newQuota(limit int) *quota {
	return &quota{limit: limit, used: map[tableRef][]time.Time{}}
}

// admit counts a job accepted now, and tells whether it is within the limit.
func (q *quota) admit(table tableRef, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	used := q.used[table]
	for len(used) > 0 && !used[0].After(now.Add(-quotaWindow)) {
		used = used[1:]
	}
	q.used[table] = append(used, now)
	return len(used) < q.limit
}

// exceeded is what becomes of a job that was not admitted.
func (q *quota) exceeded(table tableRef) error {
	return newError("quotaExceeded",
		"Quota exceeded: Your table exceeded quota for imports or query appends per table (%s, limit %d load jobs per day)", table, q.limit)
}
