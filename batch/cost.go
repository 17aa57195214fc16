package batch

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Cost is what applying a batch takes of a table's daily quotas, per attempt. Rows that go by a stage table take nothing: each
// stage has quotas of its own, and DML is exempt.
type Cost struct {
	Loads      int // load jobs
	Partitions int // changes of partitions
}

// CostOf is what the tables of a manifest take together. A deployment loads into one table of events; where there are more,
// the sum bounds each of them from above.
func CostOf(m *Manifest) (c Cost) {
	for i := range m.Tables {
		t := &m.Tables[i]
		if len(t.Parts) > 0 && t.Direct() {
			c.Loads++
			c.Partitions += max(1, t.Partitions)
		}
	}
	return c
}

// Direct says that a load job brings the rows straight into the table.
func (t *Table) Direct() bool {
	return t.Keys == nil && !t.Staged && !t.Target.HasJSON()
}

// String is the form that ParseCost reads, as it stands in objects' metadata.
func (c Cost) String() string { return fmt.Sprintf("%d/%d", c.Loads, c.Partitions) }

// ParseCost reads a cost. What is none, like the missing text of an older version, counts as one load of one partition.
func ParseCost(s string) Cost {
	loads, partitions, ok := strings.Cut(s, "/")
	l, err := strconv.Atoi(loads)
	p, err2 := strconv.Atoi(partitions)
	if !ok || err != nil || err2 != nil || l < 0 || p < 0 {
		return Cost{1, 1}
	}
	return Cost{l, p}
}

// Use is something that took of a quota at an instant.
type Use struct {
	At time.Time
	Cost
}
