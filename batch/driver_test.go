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

func TestDriver_WritesAVersionThatOlderReplicasMayRead(t *testing.T) {
	for view, version := range map[bool]string{false: `"version": 3,`, true: `"version": 4,`} {
		w := newWorld()
		s := start(t, w)
		s.assign(t, tp(0))
		m := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}})
		require.NoError(t, s.Seal(m, &rows{manifest: m, view: view})(t.Context()))
		w.eventually(t, "committed", func() bool { return w.offsets[tp(0)].Offset == 10 })
		require.Contains(t, string(w.manifests[m.ID]), version)
	}
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
func (f applierFunc) Evidence(context.Context, *Manifest, *Table) (Evidence, error) {
	return Evidence{State: NoJob}, nil
}

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
	l.Hold(tp(0), GroupOffset{}, Metadata{})
	_, err := l.Prepare(manifest(map[TopicPartition][2]int64{tp(0): {0, 1}, tp(1): {0, 1}}))
	require.ErrorIs(t, err, ErrNotHeld)
}

func TestLedger_RefusesAGapBetweenBatches(t *testing.T) {
	l := NewLedger()
	l.Hold(tp(0), GroupOffset{Offset: 5}, Metadata{})
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
				require.NoError(t, pos.Err)
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
	require.Equal(t, begun, w.offsets[tp(0)])
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

func TestDriver_ClocksOfIdlePartitionsMoveOn(t *testing.T) {
	w := newWorld()
	w.offsets[tp(0)] = GroupOffset{Offset: 5, Epoch: 2, Metadata: Metadata{Clock: time.UnixMilli(1)}.String()}
	w.offsets[tp(1)] = GroupOffset{Offset: 5, Metadata: Metadata{Clock: time.UnixMilli(1)}.String()}
	s := start(t, w)
	s.assign(t, tp(0), tp(1))
	now := time.UnixMilli(1000)
	s.Idle(map[TopicPartition]Complete{tp(0): {5, now}, tp(1): {6, now}}) // partition 1 has an offset that is not committed
	w.eventually(t, "clock moved", func() bool { return w.offsets[tp(0)].Metadata == Metadata{Clock: now}.String() })
	require.Equal(t, GroupOffset{Offset: 5, Epoch: 2, Metadata: Metadata{Clock: now}.String()}, w.offsets[tp(0)])
	require.Equal(t, Metadata{Clock: time.UnixMilli(1)}.String(), w.offsets[tp(1)].Metadata)
}

// A clock is up to which instant the partition is complete at its committed offset. With a batch on its way the clock of
// its end would be a promise about records that are not in the table yet.
func TestLedger_ClocksStandStillWhileABatchIsOnItsWay(t *testing.T) {
	l := NewLedger()
	l.Hold(tp(0), begun, Metadata{})
	m := manifest(map[TopicPartition][2]int64{tp(0): {0, 7}})
	at := map[TopicPartition]Complete{tp(0): {7, time.UnixMilli(9000)}}
	require.Empty(t, l.Idle(at), "sealed and not prepared")
	l.Prepared(m)
	require.Empty(t, l.Idle(at), "prepared")
	l.Finished(m)
	require.Len(t, l.Idle(at), 1)
}

// The group coordinator writes all entries of a commit as one record batch, which has a largest size.
func TestDriver_IsFullWhenThePrepareOfAllPartitionsWouldBeTooLarge(t *testing.T) {
	w := newWorld()
	w.fault = func(p string) error {
		if p == "apply before" {
			return errors.New("destination refuses")
		}
		return nil
	}
	const partitions = 700
	var tps []TopicPartition
	for p := range int32(partitions) {
		w.offsets[tp(p)] = begun
		tps = append(tps, tp(p))
	}
	s := startWith(t, w, Config{Group: "tidemark", MaxBatches: 32, CommitTimeout: time.Second, RetryMin: time.Millisecond, RetryMax: time.Millisecond})
	s.assign(t, tps...)
	prepared := int64(0)
	for ; !s.Full(); prepared++ {
		ranges := map[TopicPartition][2]int64{}
		for _, p := range tps {
			ranges[p] = [2]int64{prepared, prepared + 1}
		}
		require.NoError(t, s.seal(manifest(ranges))(t.Context()))
	}
	require.Greater(t, prepared, int64(8))
	require.Less(t, prepared, int64(32))
	w.mu.Lock()
	defer w.mu.Unlock()
	size := 0
	for _, p := range tps {
		size += len("tidemark") + len(p.Topic) + len(w.offsets[p].Metadata)
	}
	require.Less(t, size+partitions*(60+spareLinks*40), DefaultMaxCommit, "there is room for what a revoke seals")
}
