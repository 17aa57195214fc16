package batch

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDriver_CommitsOnlyAfterEveryTableIsApplied(t *testing.T) {
	w := newWorld()
	refuse := true
	w.fault = func(p string) error {
		if p == "apply before" && refuse {
			return errors.New("destination refuses")
		}
		return nil
	}
	s := start(t, w)
	s.assign(t, tp(0))
	m := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}})
	require.NoError(t, s.seal(m)(t.Context()))
	w.eventually(t, "refused twice", func() bool { return s.statusAttempts() >= 2 })

	w.mu.Lock()
	require.Equal(t, int64(0), w.offsets[tp(0)].Offset, "nothing is committed while the destination refuses")
	require.Contains(t, w.offsets[tp(0)].Metadata, m.ID.String(), "the batch is decided")
	refuse = false
	w.mu.Unlock()

	w.eventually(t, "committed", func() bool { return w.offsets[tp(0)].Offset == 10 })
	require.Equal(t, map[ID]int{m.ID: 1}, w.applied)
	meta, err := ParseMetadata(w.offsets[tp(0)].Metadata)
	require.NoError(t, err)
	require.Empty(t, meta.Chain)
}

func (s *session) statusAttempts() int {
	list := s.View().Batches
	if len(list) == 0 {
		return 0
	}
	return list[0].Attempts
}

func TestDriver_BatchesOfOneReplicaCommitInOrder(t *testing.T) {
	w := newWorld()
	var first ID
	hold := true
	s := start(t, w)
	s.Driver.ports.Applier = applierFunc(func(ctx context.Context, m *Manifest, tab *Table) (int64, error) {
		w.mu.Lock()
		held := hold && m.ID == first
		w.mu.Unlock()
		if held {
			return 0, errors.New("still loading")
		}
		return s.member.Apply(ctx, m, tab)
	})
	s.assign(t, tp(0))
	a := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}})
	b := manifest(map[TopicPartition][2]int64{tp(0): {10, 20}})
	first = a.ID
	s.seal(a)
	require.NoError(t, s.seal(b)(t.Context()))
	w.eventually(t, "second applied", func() bool { return w.applied[b.ID] == 1 })
	w.mu.Lock()
	require.Equal(t, int64(0), w.offsets[tp(0)].Offset, "the second waits for the first")
	hold = false
	w.mu.Unlock()
	w.eventually(t, "both committed", func() bool { return w.offsets[tp(0)].Offset == 20 })
}

type applierFunc func(context.Context, *Manifest, *Table) (int64, error)

func (f applierFunc) Apply(ctx context.Context, m *Manifest, t *Table) (int64, error) {
	return f(ctx, m, t)
}
func (f applierFunc) Applied(context.Context, *Manifest, *Table) (bool, error) { return false, nil }

// Invariant 1: Kafka fences generations, not owners.
func TestDriver_NeverCommitsAPartitionItNoLongerHolds(t *testing.T) {
	w := newWorld()
	gate := make(chan struct{})
	s := start(t, w)
	s.Driver.ports.Applier = applierFunc(func(ctx context.Context, m *Manifest, tab *Table) (int64, error) {
		<-gate
		return s.member.Apply(ctx, m, tab)
	})
	s.assign(t, tp(0), tp(1))
	m := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}, tp(1): {0, 10}})
	require.NoError(t, s.seal(m)(t.Context()))
	s.Release([]TopicPartition{tp(0)})
	// the new owner of partition 0 has gone on
	w.mu.Lock()
	w.offsets[tp(0)] = GroupOffset{Offset: 50}
	w.mu.Unlock()
	close(gate)
	w.eventually(t, "kept partition committed", func() bool { return w.offsets[tp(1)].Offset == 10 })
	require.Equal(t, int64(50), w.offsets[tp(0)].Offset)
}

func TestLedger_RefusesToPrepareAPartitionItDoesNotHold(t *testing.T) {
	l := NewLedger()
	l.Hold(tp(0), 0, Metadata{})
	_, err := l.Prepare(manifest(map[TopicPartition][2]int64{tp(0): {0, 1}, tp(1): {0, 1}}))
	require.ErrorIs(t, err, ErrNotHeld)
}

func TestLedger_RefusesAGapBetweenBatches(t *testing.T) {
	l := NewLedger()
	l.Hold(tp(0), 5, Metadata{})
	_, err := l.Prepare(manifest(map[TopicPartition][2]int64{tp(0): {6, 7}}))
	require.ErrorIs(t, err, ErrGap)
}

// Invariant 2: an unknown outcome is resolved by reading, and otherwise ends the session.
func TestDriver_PrepareWithALostReply(t *testing.T) {
	for _, c := range []struct {
		name, point string
		decided     bool
	}{
		{"after the effect: read back and found", "commit after", true},
		{"before the effect: nothing is decided", "commit before", false},
		{"partly accepted: not a decision", "commit entry 1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			s := start(t, w)
			s.assign(t, tp(0), tp(1))
			w.mu.Lock()
			w.fault = failOnce(c.point)
			w.mu.Unlock()
			m := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}, tp(1): {0, 10}})
			r := &rows{manifest: m}
			err := s.Seal(m, r)(t.Context())
			if c.decided {
				require.NoError(t, err)
				w.eventually(t, "committed", func() bool { return w.offsets[tp(1)].Offset == 10 })
				return
			}
			require.ErrorIs(t, err, ErrRejoin)
			require.ErrorIs(t, s.end(), ErrRejoin)
			require.True(t, r.discarded)
			require.Empty(t, w.submitted, "nothing undecided is applied")

			next := start(t, w) // a new member finds the partitions as they were
			for p, pos := range next.assign(t, tp(0), tp(1)) {
				require.Equal(t, int64(0), pos.Offset, p)
				require.NoError(t, pos.Stop)
			}
			meta, err := ParseMetadata(w.offsets[tp(0)].Metadata)
			require.NoError(t, err)
			require.Empty(t, meta.Chain, "the void batch is cleared")
			require.Empty(t, w.submitted)
		})
	}
}

func TestDriver_FencedPrepareIsDropped(t *testing.T) {
	w := newWorld()
	s := start(t, w)
	s.assign(t, tp(0))
	w.join() // the group goes on without it
	m := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}})
	require.ErrorIs(t, s.seal(m)(t.Context()), ErrRejoin)
	require.ErrorIs(t, s.end(), ErrFenced)
	require.Empty(t, w.submitted)
	require.Empty(t, w.offsets[tp(0)].Metadata)
}

// crashed leaves a decided batch that nobody has applied.
func crashed(t *testing.T, w *world, m *Manifest, tps ...TopicPartition) {
	s := start(t, w)
	s.Driver.ports.Applier = applierFunc(func(context.Context, *Manifest, *Table) (int64, error) { return 0, errors.New("crash") })
	s.assign(t, tps...)
	require.NoError(t, s.seal(m)(t.Context()))
	_ = s.end()
}

func TestDriver_AnyReplicaFinishesADecidedBatch(t *testing.T) {
	w := newWorld()
	m := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}, tp(1): {0, 7}})
	crashed(t, w, m, tp(0), tp(1))
	require.Empty(t, w.applied)

	s := start(t, w)
	pos := s.assign(t, tp(0))
	require.Equal(t, int64(10), pos[tp(0)].Offset, "consumed from the batch's end at once")
	w.eventually(t, "held partition committed", func() bool { return w.offsets[tp(0)].Offset == 10 })
	require.Equal(t, map[ID]int{m.ID: 1}, w.applied)
	require.Equal(t, int64(0), w.offsets[tp(1)].Offset, "the other one is for its owner to commit")

	s.assign(t, tp(1))
	w.eventually(t, "the other one committed, too", func() bool { return w.offsets[tp(1)].Offset == 7 })
	require.Equal(t, map[ID]int{m.ID: 1}, w.applied)
}

// Of the replicas that share a batch's partitions one counts it.
func TestDriver_ABatchThatTwoReplicasCommitIsToldOnce(t *testing.T) {
	w := newWorld()
	m := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}, tp(1): {0, 7}})
	a := start(t, w)
	gate := make(chan struct{})
	a.Driver.ports.Applier = applierFunc(func(ctx context.Context, m *Manifest, tab *Table) (int64, error) {
		<-gate
		return a.member.Apply(ctx, m, tab)
	})
	a.assign(t, tp(0), tp(1))
	require.NoError(t, a.seal(m)(t.Context()))
	a.Release([]TopicPartition{tp(1)})
	b := start(t, w)
	b.assign(t, tp(1))
	w.eventually(t, "one of them", func() bool { return w.offsets[tp(1)].Offset == 7 })
	w.mu.Lock()
	a.generation = w.generation // it has synchronized with the group
	w.mu.Unlock()
	close(gate)
	w.eventually(t, "both", func() bool { return len(w.told[m.ID]) == 2 })
	require.Equal(t, []bool{false, true}, w.told[m.ID])
	require.Equal(t, map[ID]int{m.ID: 1}, w.applied)
}

// Invariant 3: "already past its range" is no decision.
func TestDriver_ABatchThatIsPastOnOnePartitionIsNeverSubmitted(t *testing.T) {
	for _, c := range []struct {
		name    string
		applied bool
		pos     int64
	}{{"its rows are in the table: committed", true, 10}, {"no trace: void", false, 0}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			m := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}, tp(1): {0, 7}})
			crashed(t, w, m, tp(0), tp(1))
			w.offsets[tp(1)] = GroupOffset{Offset: 7, Metadata: Metadata{}.String()}
			if c.applied {
				w.applied[m.ID] = 1
			}
			submitted := len(w.submitted)
			s := start(t, w)
			pos := s.assign(t, tp(0))
			require.Equal(t, c.pos, pos[tp(0)].Offset)
			w.eventually(t, "settled", func() bool {
				meta, err := ParseMetadata(w.offsets[tp(0)].Metadata)
				return err == nil && len(meta.Chain) == 0 && w.offsets[tp(0)].Offset == c.pos
			})
			require.Len(t, w.submitted, submitted, "nothing is submitted")
		})
	}
}

// Kafka forgets the offsets of a topic that is deleted. That is no proof that a batch was not decided.
func TestDriver_ABatchWithAPartitionWithoutAnOffsetStops(t *testing.T) {
	w := newWorld()
	m := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}, tp(1): {0, 7}})
	crashed(t, w, m, tp(0), tp(1))
	w.offsets[tp(1)] = GroupOffset{Offset: -1}
	before := w.offsets[tp(0)]
	s := start(t, w)
	require.ErrorIs(t, s.assign(t, tp(0))[tp(0)].Stop, ErrNoOffset)
	require.Equal(t, before, w.offsets[tp(0)], "the batch stays in the metadata")
}

func TestDriver_AMissingManifestStopsThePartition(t *testing.T) {
	w := newWorld()
	m := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}})
	crashed(t, w, m, tp(0))
	before := w.offsets[tp(0)]
	delete(w.manifests, m.ID)
	s := start(t, w)
	require.ErrorIs(t, s.assign(t, tp(0))[tp(0)].Stop, ErrNoManifest)
	require.Equal(t, before, w.offsets[tp(0)], "the metadata is left alone")
}

func TestDriver_MetadataOfANewerVersionStopsThePartition(t *testing.T) {
	w := newWorld()
	w.offsets[tp(0)] = GroupOffset{Offset: 3, Metadata: "tidemark/2;x"}
	s := start(t, w)
	require.ErrorIs(t, s.assign(t, tp(0))[tp(0)].Stop, ErrMetadataVersion)
	require.Equal(t, "tidemark/2;x", w.offsets[tp(0)].Metadata)
}

// Invariant 5 and section 5: no commit over a miscount.
func TestDriver_AMiscountIsNeverCommitted(t *testing.T) {
	w := newWorld()
	s := start(t, w)
	s.Driver.ports.Applier = applierFunc(func(context.Context, *Manifest, *Table) (int64, error) { return 9, nil })
	s.assign(t, tp(0))
	require.NoError(t, s.seal(manifest(map[TopicPartition][2]int64{tp(0): {0, 10}}))(t.Context()))
	w.eventually(t, "tried twice", func() bool { return s.statusAttempts() >= 2 })
	require.Contains(t, s.View().Batches[0].Error, ErrMiscount.Error())
	require.Equal(t, int64(0), w.offsets[tp(0)].Offset)
}

func TestDriver_IsFullAtTheChainsLimit(t *testing.T) {
	w := newWorld()
	w.fault = func(p string) error {
		if p == "apply before" {
			return errors.New("destination refuses")
		}
		return nil
	}
	s := start(t, w)
	s.assign(t, tp(0))
	for i := range int64(4) {
		require.False(t, s.Full())
		require.NoError(t, s.seal(manifest(map[TopicPartition][2]int64{tp(0): {i, i + 1}}))(t.Context()))
	}
	require.True(t, s.Full())
	require.NoError(t, s.seal(manifest(map[TopicPartition][2]int64{tp(0): {4, 5}}))(t.Context()), "a revoke still finds a slot")
}

func TestDriver_IdlePartitionsMoveTheWatermark(t *testing.T) {
	w := newWorld()
	w.offsets[tp(0)] = GroupOffset{Offset: 5, Metadata: Metadata{Clock: time.UnixMilli(1)}.String()}
	w.offsets[tp(1)] = GroupOffset{Offset: 5, Metadata: Metadata{Clock: time.UnixMilli(1)}.String()}
	w.ends[tp(0)], w.ends[tp(1)] = 5, 6 // partition 1 has a record that was not consumed
	s := start(t, w)
	s.assign(t, tp(0), tp(1))
	asked := time.Now().Add(-time.Millisecond)
	s.Idle()
	w.eventually(t, "clock moved", func() bool {
		meta, _ := ParseMetadata(w.offsets[tp(0)].Metadata)
		return meta.Clock.After(asked)
	})
	meta, err := ParseMetadata(w.offsets[tp(1)].Metadata)
	require.NoError(t, err)
	require.Equal(t, int64(1), meta.Clock.UnixMilli())
	require.Equal(t, int64(1), s.View().Watermark.UnixMilli(), "the slowest partition holds it")
}
