package batch

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

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
	require.ErrorIs(t, s.assign(t, tp(0))[tp(0)].Err, ErrNoOffset)
	require.Equal(t, before, w.offsets[tp(0)], "the batch stays in the metadata")
}

func TestDriver_AMissingManifestStopsThePartition(t *testing.T) {
	w := newWorld()
	m := manifest(map[TopicPartition][2]int64{tp(0): {0, 10}})
	crashed(t, w, m, tp(0))
	before := w.offsets[tp(0)]
	delete(w.manifests, m.ID)
	s := start(t, w)
	require.ErrorIs(t, s.assign(t, tp(0))[tp(0)].Err, ErrNoManifest)
	require.Equal(t, before, w.offsets[tp(0)], "the metadata is left alone")
}

func TestDriver_MetadataOfANewerVersionStopsThePartition(t *testing.T) {
	w := newWorld()
	w.offsets[tp(0)] = GroupOffset{Offset: 3, Metadata: "tidemark/2;x"}
	s := start(t, w)
	require.ErrorIs(t, s.assign(t, tp(0))[tp(0)].Err, ErrMetadataVersion)
	require.Equal(t, "tidemark/2;x", w.offsets[tp(0)].Metadata)
}
