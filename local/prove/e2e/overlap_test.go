package e2e

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/api/iterator"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
)

// Invariant 13: replicas merge different batches with the same keys into empty tables at the same instant. All of them
// only insert, which conflicts with nothing, so without the update of the fence all would insert the same keys. With it
// one script commits, the others are cancelled and run again as further attempts.
func TestMerge_ReplicasAtTheSameInstantDoubleNoKey(t *testing.T) {
	const replicas = 3
	w := newWorld(t, withPersons, func(c *stack.Config) { c.Partitions = 6 })
	release := make(chan struct{})
	w.faults.OnJob(bigquery.JobRule{When: jobOf(stack.PersonsTable, applyJob), Count: -1, Fault: bigquery.JobFault{HoldRunning: release}})
	running := make([]*harness.Replica, replicas)
	for i := range running {
		running[i] = w.start(nil)
	}
	w.eventually("all are members", w.stable(replicas))
	w.produce(3000)
	w.eventually("one script stands before its commit, and those of the other replicas are cancelled", func() bool { return len(w.cancelled()) == replicas-1 })
	require.Zero(t, w.scalar("SELECT COUNT(*) FROM `"+stack.PersonsFullName()+"`"), "nothing is merged yet")
	lost := w.cancelled()
	close(release)
	w.waitExported()
	for _, r := range running {
		r.HandOver()
	}
	w.requireExact()
	for base := range lost {
		require.Equal(t, 1, w.jobs(base+hashOf(stack.PersonsTable)+applyJob+"2"), "%s is run again under the next number", base)
	}
}

// cancelled returns the merges of which an attempt was cancelled because of another one, without the attempt's number.
func (w *world) cancelled() map[string]bool {
	w.Helper()
	found := make(map[string]bool)
	jobs := w.Client.Jobs(w.Context())
	for {
		j, err := jobs.Next()
		if errors.Is(err, iterator.Done) {
			return found
		}
		require.NoError(w, err)
		base, _, merge := strings.Cut(j.ID(), hashOf(stack.PersonsTable)+applyJob)
		if s := j.LastStatus(); merge && s.Done() && s.Err() != nil {
			require.ErrorContains(w, s.Err(), "due to concurrent update")
			found[base] = true
		}
	}
}

// stable is a condition to wait for: that the group has so many members, is not rebalancing, and has given partitions to
// each. While it hands partitions over, the new members have none yet.
func (w *world) stable(members int) func() bool {
	return func() bool {
		groups, err := w.admin.DescribeGroups(w.Context(), "tidemark")
		if err != nil || groups["tidemark"].State != "Stable" || len(groups["tidemark"].Members) != members {
			return false
		}
		for _, m := range groups["tidemark"].Members {
			if assigned, ok := m.Assigned.AsConsumer(); !ok || len(assigned.Topics) == 0 {
				return false
			}
		}
		return true
	}
}
