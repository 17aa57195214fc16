package buffer

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"tidemark/batch"
	"tidemark/model"
)

// fullPartitions leaves room for the partitions that the records of one more poll may add, each its own: a backfill in no order.
const fullPartitions = batch.JobPartitions / 4

const (
	// ReasonPartitions is the reason of an event that would give its batch rows of more partitions than one job may write to. The
	// consumer seals a batch that is full before the next poll, so that it does not get there.
	ReasonPartitions model.Reason = "too_many_partitions"
	// ReasonImplausible is the reason of an event whose time the table's partitions have no room for: a table that takes any
	// time could be filled up by one sender, for all.
	ReasonImplausible model.Reason = "timestamp_implausible"
)

// partitions is the set of the table's partitions that a batch's rows are in.
type partitions struct {
	key         func(*model.Event, *model.Source) int64 // nil: all rows are in one
	first, end  int64                                   // plausible times, in microseconds; none if both are 0
	implausible string                                  // what is said of other times

	mu  sync.RWMutex
	set map[int64]struct{}
}

// newPartitions returns the empty set of a table's batch that is opened at an instant.
func newPartitions(t Table, opened time.Time) *partitions {
	n := &partitions{set: make(map[int64]struct{})}
	p := t.Target.Partitions
	if p == nil || t.Target.Table == "" {
		return n
	}
	n.key = keyOf(p, t.Columns)
	if strings.EqualFold(p.Column, timestampColumn) && p.Unit != batch.IntRange {
		n.first, n.end = p.Window(opened, t.From)
		day := func(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.DateOnly) }
		n.implausible = fmt.Sprintf("the time is outside of %s to %s; the table's %s partitions have no room for any time", day(n.first), day(n.end-1), p.Unit)
	}
	return n
}

const timestampColumn = "timestamp"

// keyOf returns what tells the rows' partitions apart. Columns that have one value in a batch, or none, do not.
func keyOf(p *batch.Partitioning, columns []model.Selected) func(*model.Event, *model.Source) int64 {
	filled := false
	for _, c := range columns {
		filled = filled || strings.EqualFold(c.Name, p.Column)
	}
	if !filled {
		return nil
	}
	switch strings.ToLower(p.Column) {
	case timestampColumn:
		return func(e *model.Event, _ *model.Source) int64 { return p.KeyOfTime(e.Timestamp) }
	case "created_at":
		return func(e *model.Event, _ *model.Source) int64 {
			if !e.HasCreatedAt {
				return batch.NullKey
			}
			return p.KeyOfTime(e.CreatedAt)
		}
	case "_kafka_timestamp":
		return func(_ *model.Event, s *model.Source) int64 { return p.KeyOfTime(s.Timestamp) }
	case "team_id":
		return func(e *model.Event, _ *model.Source) int64 { return p.KeyOfInt(e.TeamID) }
	case "_kafka_partition":
		return func(_ *model.Event, s *model.Source) int64 { return p.KeyOfInt(int64(s.Partition)) }
	case "_kafka_offset":
		return func(_ *model.Event, s *model.Source) int64 { return p.KeyOfInt(s.Offset) }
	}
	return nil
}

// plausible says whether the table has room for rows of that time.
func (n *partitions) plausible(micros int64) bool {
	return n.end == 0 || micros >= n.first && micros < n.end
}

// add adds a partition; false means that it would be one too many.
func (n *partitions) add(key int64) bool {
	n.mu.RLock()
	_, ok := n.set[key]
	n.mu.RUnlock()
	if ok {
		return true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.set[key]; !ok && len(n.set) >= batch.JobPartitions {
		return false
	}
	n.set[key] = struct{}{}
	return true
}

func (n *partitions) full() bool { return n.count() >= fullPartitions }

// count is how many partitions a job that writes the rows changes, at least: an empty set means that they are all in one.
func (n *partitions) count() int {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return len(n.set)
}
