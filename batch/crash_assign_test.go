package batch

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A rebalance interrupts the callback that takes partitions over, and the client asks again. The batches found must be
// finished then, although the driver knows them already.
func TestDriver_ABatchFoundByAnInterruptedAssignIsFinished(t *testing.T) {
	w := newWorld()
	m := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}})
	crashed(t, w, m, tp(0))
	s := start(t, w)
	offsets, err := s.Fetch(t.Context(), []TopicPartition{tp(0)})
	require.NoError(t, err)
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // which of two ready cases a select takes is random
		_, _ = s.Assign(interrupted, offsets, always)
	}
	s.assign(t, tp(0))
	w.eventually(t, "committed", func() bool { return w.offsets[tp(0)].Offset == 10 })
}

// gatedOffsets makes a commit wait.
type gatedOffsets struct {
	Offsets
	entered, gate chan struct{}
}

func (g *gatedOffsets) Commit(ctx context.Context, commits []Commit) error {
	close(g.entered)
	<-g.gate
	return g.Offsets.Commit(ctx, commits)
}

// The session ends while a callback holds the ownership lock and another goroutine of the driver waits for it: Run can
// only return when the callback does, so the callback must not wait for Run.
func TestDriver_AssignDoesNotWaitForADriverThatEnds(t *testing.T) {
	w := newWorld()
	decided := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}})
	void := manifest(map[TopicPartition][2]int64{tp(0): {10, 20}, tp(1): {0, 5}})
	m := w.join()
	for _, b := range []*Manifest{decided, void} {
		b.Contents, _ = (&rows{manifest: b}).Finish(t.Context())
		require.NoError(t, m.Put(t.Context(), b))
	}
	w.offsets[tp(0)] = GroupOffset{Metadata: Metadata{Chain: []Link{{decided.ID, 10}, {void.ID, 20}}}.String()}
	s := start(t, w)
	g := &gatedOffsets{s.member, make(chan struct{}), make(chan struct{})}
	s.ports.Offsets = g
	assigned := make(chan struct{})
	go func() {
		defer close(assigned)
		_, _ = s.Assign(context.Background(), map[TopicPartition]GroupOffset{tp(0): w.offsets[tp(0)]}, always)
	}()
	<-g.entered // Assign clears the void batch, under the lock
	s.Idle(map[TopicPartition]Complete{tp(0): {20, time.Now()}})
	require.Eventually(t, func() bool { return len(s.Driver.idle) == 0 }, 10*time.Second, time.Millisecond) // it waits for the lock
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.end() }()
	require.Never(t, func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	}, 50*time.Millisecond, 10*time.Millisecond)
	close(g.gate)
	for _, done := range []chan struct{}{assigned, ended} {
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			require.Fail(t, "the callback and the driver wait for each other")
		}
	}
}

// gatedManifests makes reading one manifest wait.
type gatedManifests struct {
	Manifests
	id            ID
	entered, gate chan struct{}
}

func (g *gatedManifests) Get(ctx context.Context, id ID) (*Manifest, error) {
	if id == g.id {
		close(g.entered)
		<-g.gate
	}
	return g.Manifests.Get(ctx, id)
}

// A partition comes back while its batch is still being applied, and the batch is done before the rest of the chain is
// read: this partition is still to be committed.
func TestDriver_ABatchThatEndsWhileItsPartitionComesBackIsCommitted(t *testing.T) {
	w := newWorld()
	first := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}})
	second := manifest(map[TopicPartition][2]int64{tp(0): {10, 20}})
	s := start(t, w)
	gate := make(chan struct{})
	s.ports.Applier = applierFunc(func(ctx context.Context, m *Manifest, tab *Table) (int64, error) {
		<-gate
		return s.member.Apply(ctx, m, tab)
	})
	g := &gatedManifests{s.member, second.ID, make(chan struct{}), make(chan struct{})}
	s.ports.Manifests = g
	s.assign(t, tp(0))
	require.NoError(t, s.seal(first)(t.Context()))
	s.Release([]TopicPartition{tp(0)})
	second.Contents, _ = (&rows{manifest: second}).Finish(t.Context())
	require.NoError(t, s.member.Put(t.Context(), second)) // another replica went on with it
	w.mu.Lock()
	w.offsets[tp(0)] = GroupOffset{Metadata: Metadata{Chain: []Link{{first.ID, 10}, {second.ID, 20}}}.String()}
	w.mu.Unlock()
	assigned := make(chan struct{})
	go func() { defer close(assigned); s.assign(t, tp(0)) }()
	<-g.entered
	close(gate)
	require.Eventually(t, func() bool { return len(s.View().Batches) == 0 }, 10*time.Second, time.Millisecond, "first done")
	close(g.gate)
	<-assigned
	w.eventually(t, "both committed", func() bool {
		return w.offsets[tp(0)] == (GroupOffset{Offset: 20, Metadata: Metadata{Clock: second.Ranges[0].Clock}.String()})
	})
}
