package persons

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/iterator"

	"tidemark/batch"
	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/verify"
	"tidemark/merge"
)

const (
	// replicas is as many as README promises to serve.
	replicas = 59
	// outstanding is how many statements that change a table BigQuery runs and keeps waiting
	// (cloud.google.com/bigquery/quotas, data manipulation language statements, 2026-08-22). Documentation says it of statements
	// outside of transactions; here it holds for scripts as well, which is the worse case.
	outstanding = 2 + 20
)

// 59 replicas reach a boundary at the same instant and merge into two tables each, about the same keys, with the real driver's
// pauses, while somebody publishes all the time. BigQuery cancels all but one of the scripts that overlap, and refuses those
// that would be one too many in its queue. All 118 batches get through, nothing is doubled, no publication is in anybody's
// way, and nobody is told of a failure.
func TestMerge_59ReplicasGetThroughAtOneBoundary(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *bigquery.Config) { c.Async = true; c.Running = 20 * time.Millisecond })
	tables := []*people{w.people(variant{deletes: verify.DeletesMark}), w.people(variant{deletes: verify.DeletesRemove})}
	crowd := &crowd{merging: map[string]int{}}
	full := w.faults.OnJob(bigquery.JobRule{Count: -1, When: crowd.full, Fault: bigquery.JobFault{Reason: "resourcesExceeded",
		Message: "Resources exceeded during query execution: Too many DML statements outstanding against table persons, limit is 20."}})
	manifests := make([]*batch.Manifest, replicas)
	for i := range manifests {
		manifests[i] = sealedFor(tables, i)
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	told := &alarms{}
	published := w.publishUntil(ctx, tables, crowd)
	var g errgroup.Group
	for i, m := range manifests {
		house := counted{w.client(), crowd}
		g.Go(func() error {
			return drive(ctx, i, m, merge.NewMerger(stack.Bucket, house, nil, slog.New(told)), slog.New(told))
		})
	}
	err := g.Wait()
	crowd.end()
	require.NoError(t, err)
	require.NoError(t, <-published)
	for _, p := range tables {
		require.NoError(t, p.compare())
	}
	require.Empty(t, told.lines(), "no false alarm")
	cancelled := w.failed("due to concurrent update")
	t.Logf("%d scripts cancelled, %d refused by the queue, at most %d at a time", cancelled, full.Hits(), crowd.most)
	require.Positive(t, full.Hits(), "the queue was full")
	require.Positive(t, cancelled)
	require.Zero(t, w.failed(stack.StatusTable), "publications conflict with nothing")
}

// sealedFor is a replica's batch: changes for each of the tables, of keys that all replicas have and of some of its own.
func sealedFor(tables []*people, i int) *batch.Manifest {
	var m *batch.Manifest
	for _, p := range tables {
		all := messages(1, mapping("d", "P", int64(i)), person("P", int64(i)), mapping(fmt.Sprintf("own-%d", i), "P", 0), person("Q", int64(replicas-i)))
		sealed := p.seal(all)
		p.expect(time.Time{}, all)
		if m == nil {
			m = sealed
		} else {
			m.Tables = append(m.Tables, sealed.Tables...)
			m.Counts.Consumed += sealed.Counts.Consumed
		}
	}
	m.Ranges = []batch.Range{{TopicPartition: batch.TopicPartition{Topic: stack.PersonsTopic, Partition: int32(i)}, End: 8, Records: 8}}
	return m
}

// drive brings one batch from its seal to its commit, as a replica does.
func drive(ctx context.Context, i int, m *batch.Manifest, a batch.Applier, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group := &group{done: make(chan struct{})}
	d := batch.NewDriver(batch.Config{Stream: "persons", Group: "g", MaxBatches: 4, CommitTimeout: time.Second, RetryMin: time.Second, RetryMax: 15 * time.Second},
		batch.Ports{Offsets: group, Manifests: group, Applier: a, Observer: group}, log)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	partition := m.Ranges[0].TopicPartition
	begun := map[batch.TopicPartition]batch.GroupOffset{partition: {Epoch: -1, Metadata: batch.Metadata{}.String()}}
	if _, err := d.Assign(ctx, begun, func(batch.TopicPartition) bool { return true }); err != nil {
		return err
	}
	d.Seal(m, finished{m.Contents})
	select {
	case <-group.done:
		cancel()
		_ = <-ended // that it was canceled
		return nil
	case err := <-ended:
		return fmt.Errorf("replica %d: %w", i, err)
	}
}

// group is a consumer group and a bucket that accept everything.
type group struct{ done chan struct{} }

func (g *group) Commit(context.Context, []batch.Commit) error { return nil }
func (g *group) Fetch(context.Context, []batch.TopicPartition) (map[batch.TopicPartition]batch.GroupOffset, error) {
	return nil, nil
}
func (g *group) Put(context.Context, *batch.Manifest) error { return nil }
func (g *group) Get(context.Context, batch.ID) (*batch.Manifest, error) {
	return nil, batch.ErrNoManifest
}
func (g *group) Step(string, time.Duration, error) {}
func (g *group) Committed(*batch.Manifest, bool)   { close(g.done) }

// finished has everything in the bucket.
type finished struct{ batch.Contents }

func (f finished) Finish(context.Context) (batch.Contents, error) { return f.Contents, nil }
func (finished) Discard()                                         {}

// crowd counts the scripts that are submitted and have not ended, by the table that they merge into.
type crowd struct {
	mu      sync.Mutex
	merging map[string]int
	most    int
	over    bool
}

func (c *crowd) add(table string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.merging[table] += n
	c.most = max(c.most, c.merging[table])
}

func (c *crowd) full(call bigquery.JobCall) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Contains(call.JobID, "_apply-g") && slices.ContainsFunc(call.Tables, func(t string) bool { return c.merging[t] > outstanding })
}

func (c *crowd) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}

func (c *crowd) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// counted is a warehouse whose scripts are counted.
type counted struct {
	merge.Warehouse
	crowd *crowd
}

func (c counted) Query(ctx context.Context, job batch.QueryJob) (batch.JobResult, error) {
	if strings.HasSuffix(job.Base, "_apply") {
		_, rest, _ := strings.Cut(job.SQL, "\nMERGE `"+stack.Project+"."+stack.Dataset+".")
		table, _, _ := strings.Cut(rest, "_person_state")
		c.crowd.add(table, 1)
		defer c.crowd.add(table, -1)
	}
	return c.Warehouse.Query(ctx, job)
}

// publishUntil publishes how far the tables are complete until the crowd has ended, and then sends the first error.
func (w *world) publishUntil(ctx context.Context, tables []*people, c *crowd) <-chan error {
	status, done := merge.NewStatusTable(w.client(), "g"), make(chan error, 1)
	go func() {
		for !c.ended() {
			for _, p := range tables {
				if err := status.Publish(ctx, p.resolved.Target, time.Now(), time.Now(), nil); err != nil {
					done <- err
					return
				}
			}
		}
		done <- nil
	}()
	return done
}

// failed counts the jobs that failed with a text.
func (w *world) failed(text string) (n int) {
	w.Helper()
	for it := w.Client.Jobs(w.Context()); ; {
		job, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return n
		}
		require.NoError(w, err)
		if s := job.LastStatus(); s.State == gbq.Done && s.Err() != nil && strings.Contains(s.Err().Error(), text) {
			n++
		}
	}
}

// alarms keeps what is logged as more than information.
type alarms struct {
	mu   sync.Mutex
	told []string
}

func (a *alarms) Enabled(_ context.Context, l slog.Level) bool { return l > slog.LevelInfo }
func (a *alarms) WithAttrs([]slog.Attr) slog.Handler           { return a }
func (a *alarms) WithGroup(string) slog.Handler                { return a }
func (a *alarms) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(attr slog.Attr) bool { text += " " + attr.String(); return true })
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = append(a.told, text)
	return nil
}

func (a *alarms) lines() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.told)
}
