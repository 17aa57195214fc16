package e2e

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/api/iterator"

	"tidemark/batch"
	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
)

// watcher looks at every offset commit on its way to the broker.
type watcher struct {
	mu      sync.Mutex
	highest map[batch.TopicPartition]int64
	faults  []string
	commits int
}

// observe wants the offsets of a partition never to go back: what a replica would do that commits a partition after
// another one has gone on with it.
func (o *watcher) observe(req kmsg.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range req.(*kmsg.OffsetCommitRequest).Topics {
		for _, p := range t.Partitions {
			tp := batch.TopicPartition{Topic: fmt.Sprintf("%x", t.TopicID), Partition: p.Partition}
			o.commits++
			if p.Offset < o.highest[tp] {
				o.faults = append(o.faults, fmt.Sprintf("partition %d: offset %d committed after %d", p.Partition, p.Offset, o.highest[tp]))
			}
			o.highest[tp] = max(o.highest[tp], p.Offset)
		}
	}
}

// Invariant 1: while jobs are slow and partitions move, a replica that is alive never commits what it has lost.
func TestOwnership_OffsetsNeverGoBack(t *testing.T) {
	w := newWorld(t, withPersons)
	o := &watcher{highest: make(map[batch.TopicPartition]int64)}
	w.Kafka.Cluster().ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		o.observe(req)
		return nil, nil, false
	})
	w.faults.OnJob(bigquery.JobRule{Kind: "load", Count: -1, Fault: bigquery.JobFault{Running: 700 * time.Millisecond}})
	replicas := []*harness.Replica{w.start(nil)}
	for range 3 {
		w.produce(1500)
		replicas = append(replicas, w.start(nil)) // takes partitions whose batches are being loaded
	}
	for _, r := range replicas[:2] {
		w.produce(1000)
		r.HandOver()
	}
	w.waitExported()
	for _, r := range replicas[2:] {
		r.HandOver()
	}
	require.Positive(t, o.commits)
	require.Empty(t, o.faults)
	w.requireExact()
}

// Invariant 8: a stage table that expired after it was loaded is replaced by one with a number of its own.
func TestStage_ThatExpiredIsReplaced(t *testing.T) {
	w := newWorld(t, withPersons, func(c *stack.Config) { c.JSON = true })
	var refused []*bigquery.Rule
	for table, kind := range map[string]string{stack.Table: applyJob, stack.PersonsTable: applyJob} {
		refused = append(refused, w.faults.OnJob(bigquery.JobRule{When: jobOf(table, kind), Count: -1, Fault: bigquery.JobFault{Reason: "accessDenied"}}))
	}
	r := w.start(nil)
	w.produce(1000)
	w.eventually("stages loaded, INSERT and merge refused", func() bool { return refused[0].Hits() > 0 && refused[1].Hits() > 0 })
	r.HandOver()
	w.dropStages() // as BigQuery does after 48 hours
	for _, rule := range refused {
		rule.Remove()
	}
	r = w.start(nil)
	w.waitExported()
	r.HandOver()
	w.requireExact()
	for _, table := range []string{stack.Table, stack.PersonsTable} {
		require.Positive(t, w.jobs(hashOf(table)+"_stage2-g1"), "a second stage, with a number of its own")
	}
}

func (w *world) dropStages() {
	w.Helper()
	tables := w.Client.Dataset(stack.Dataset).Tables(w.Context())
	for {
		table, err := tables.Next()
		if errors.Is(err, iterator.Done) {
			return
		}
		require.NoError(w, err)
		if strings.HasPrefix(table.TableID, "tidemark_stage_") {
			require.NoError(w, table.Delete(w.Context()))
		}
	}
}

// An ACL that is being changed refuses a fetch and then no more: nothing is stopped, and no membership is given up.
func TestFetch_ARefusalThatPassesStopsNothing(t *testing.T) {
	w := newWorld(t)
	w.produce(2000)
	h := w.Kafka.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.TopicAuthorizationFailed, Count: 5})
	r := w.start(nil)
	require.NoError(t, h.Wait(w.Context(), 5))
	w.waitExported()
	w.requireExact()
	log := r.Log.String()
	require.Contains(t, log, "nothing fetched; trying again")
	require.NotContains(t, log, "partitions stopped")
	require.NotContains(t, log, "session ended in doubt")
}
