package bigquery

import (
	"sync"
	"time"
)

// quotaWindow replenishes as it rolls
// (docs.cloud.google.com/bigquery/quotas, "Quotas are replenished at regular intervals").
const quotaWindow = 24 * time.Hour

// quota counts load jobs, and the partitions that they modify, by the *name* of their
// table, so that dropping and re-creating the table gives nothing back; loads that
// failed, and those that were refused for their number, count too
// (docs.cloud.google.com/bigquery/quotas#load_jobs, #partitioned_tables).
type quota struct {
	phrases phrases
	limit   int // of load jobs
	limits  Limits

	mu       sync.Mutex
	used     map[tableRef][]time.Time    // ascending
	modified map[tableRef][]modification // ascending
	dml      map[tableRef][]time.Time    // statements that have begun, ascending
}

// modification is how many partitions a load job has modified.
type modification struct {
	At time.Time
	N  int
}

func newQuota(p phrases, limit int, limits Limits) *quota {
	return &quota{phrases: p, limit: limit, limits: limits, used: map[tableRef][]time.Time{}, modified: map[tableRef][]modification{}, dml: map[tableRef][]time.Time{}}
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
	return q.phrases.refuse(caseLoadQuota, about(table))
}

// modify counts the partitions that a load job is about to modify, or refuses; what
// is refused modifies nothing and is not counted.
func (q *quota) modify(table tableRef, p *partitioning, m modification) error {
	limit, refusal := q.limits.PartitionModifications, casePartitionQuota
	if p.isIngestion() {
		limit, refusal = q.limits.IngestionModifications, caseIngestionQuota
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	total, recent := m.N, q.modified[table]
	for len(recent) > 0 && !recent[0].At.After(m.At.Add(-quotaWindow)) {
		recent = recent[1:]
	}
	for _, other := range recent {
		total += other.N
	}
	if total > limit {
		return q.phrases.refuse(refusal, about(table))
	}
	q.modified[table] = append(recent, m)
	return nil
}

// dmlWindow is that of the rate of DML statements
// (docs.cloud.google.com/bigquery/quotas#data-manipulation-language-statements).
const dmlWindow = 10 * time.Second

// begin counts a DML statement of a table, or refuses.
func (q *quota) begin(table tableRef, now time.Time) error {
	if q.limits.DMLPerTenSeconds == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	recent := q.dml[table]
	for len(recent) > 0 && !recent[0].After(now.Add(-dmlWindow)) {
		recent = recent[1:]
	}
	q.dml[table] = recent
	if len(recent) >= q.limits.DMLPerTenSeconds {
		return q.phrases.refuse(caseDMLRate, about(table))
	}
	q.dml[table] = append(recent, now)
	return nil
}
