package batch

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Void is the only destructive verdict. It takes both: no trace of a job, and offsets that tidemark itself wrote.
func TestJudge_VoidRestsOnBigQuery(t *testing.T) {
	ours := func(offset int64) GroupOffset {
		return GroupOffset{Offset: offset, Metadata: Metadata{Clock: time.UnixMilli(1)}.String()}
	}
	byHand := func(offset int64) GroupOffset { return GroupOffset{Offset: offset} }
	for _, c := range []struct {
		name   string
		second GroupOffset // of partition 1, whose range is [0, 7); partition 0 names the batch
		trace  EvidenceState
		want   State
		err    error
	}{
		{"accepted in part", ours(0), NoJob, Void, nil},
		{"accepted in part and consumed again", ours(9), NoJob, Void, nil},
		{"committed there", ours(7), Succeeded, Applied, nil},
		{"committed there, and read again by hand", byHand(0), Succeeded, Applied, nil},
		{"decided and refused, then moved to its end by hand", byHand(7), Failed, Prepared, nil},
		{"decided, its load runs, reset by hand", byHand(2), Running, Prepared, nil},
		{"decided, its stage is loaded, reset by hand", byHand(2), Staged, Prepared, nil},
		{"decided and its topic deleted", GroupOffset{Offset: -1}, Running, Prepared, nil},
		{"voided by a person", ours(0), Voided, Void, nil},
		{"moved by hand without a trace", byHand(7), NoJob, 0, ErrMoved},
		{"reset by hand without a trace", byHand(0), NoJob, 0, ErrMoved},
		{"no offset and no trace", GroupOffset{Offset: -1}, NoJob, 0, ErrNoOffset},
		{"written by a newer version, no trace", GroupOffset{Offset: 7, Metadata: "tidemark/9;x"}, NoJob, 0, ErrMetadataVersion},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			m := decidedOn(t, w, map[TopicPartition][2]int64{tp(0): {0, 10}, tp(1): {0, 7}}, tp(0))
			w.offsets[tp(1)] = c.second
			if c.trace == Succeeded {
				w.applied[m.ID] = 1
			} else if c.trace != NoJob {
				w.trace[m.ID] = c.trace
			}
			member := w.join()
			got, err := Judge{Offsets: member, Witness: member}.Judge(t.Context(), m)
			require.NoError(t, err)
			require.Equal(t, c.want, got.Verdict)
			if c.err != nil {
				require.ErrorIs(t, got.Err, c.err)
				require.ErrorIs(t, got.Err, ErrUndecided)
				require.True(t, NeedsPerson(got.Err))
			} else {
				require.NoError(t, got.Err)
			}
		})
	}
}

// decidedOn puts a batch's manifest into the bucket and its name into the metadata of some partitions.
func decidedOn(t *testing.T, w *world, ranges map[TopicPartition][2]int64, named ...TopicPartition) *Manifest {
	m := manifest(ranges)
	m.Contents, _ = (&rows{manifest: m}).Finish(t.Context())
	require.NoError(t, w.join().Put(t.Context(), m))
	for _, p := range named {
		r, _ := m.Range(p)
		w.offsets[p] = GroupOffset{Offset: r.Start, Metadata: Metadata{Chain: []Link{{m.ID, r.End}}}.String()}
	}
	return m
}

// While BigQuery does not answer, consuming goes on: a batch that all partitions name is decided without it.
func TestJudge_AsksBigQueryOnlyWhereKafkaLeavesItOpen(t *testing.T) {
	w := newWorld()
	m := decidedOn(t, w, map[TopicPartition][2]int64{tp(0): {0, 10}, tp(1): {0, 7}}, tp(0), tp(1))
	got, err := Judge{Offsets: w.join()}.Judge(t.Context(), m) // without a witness it would panic
	require.NoError(t, err)
	require.Equal(t, Prepared, got.Verdict)
	require.Nil(t, got.Tables)
}

// A partition of which Kafka refuses to tell the offset may well name the batch.
func TestJudge_IsNotKnownWhileKafkaRefusesToTell(t *testing.T) {
	w := newWorld()
	m := decidedOn(t, w, map[TopicPartition][2]int64{tp(0): {0, 10}, tp(1): {0, 7}}, tp(0))
	denied := errors.New("TOPIC_AUTHORIZATION_FAILED")
	w.offsets[tp(1)] = GroupOffset{Err: denied}
	member := w.join()
	_, err := Judge{Offsets: member, Witness: member}.Judge(t.Context(), m)
	require.ErrorIs(t, err, denied)
	require.False(t, NeedsPerson(err))
}

// One partition that cannot be taken over holds up no other one, and is taken over as soon as it can be.
func TestDriver_TakesPartitionsOverEachByItself(t *testing.T) {
	w := newWorld()
	lost := decidedOn(t, w, map[TopicPartition][2]int64{tp(0): {0, 10}}, tp(0))
	decidedOn(t, w, map[TopicPartition][2]int64{tp(1): {0, 7}}, tp(1))
	w.offsets[tp(2)] = GroupOffset{Err: errors.New("TOPIC_AUTHORIZATION_FAILED")}
	w.offsets[tp(3)] = begun
	text := w.manifests[lost.ID]
	delete(w.manifests, lost.ID)
	s := start(t, w)
	positions := s.assign(t, tp(0), tp(1), tp(2), tp(3))
	require.ErrorIs(t, positions[tp(0)].Err, ErrNoManifest)
	require.Equal(t, int64(7), positions[tp(1)].Offset)
	require.ErrorContains(t, positions[tp(2)].Err, "TOPIC_AUTHORIZATION_FAILED")
	require.NoError(t, positions[tp(3)].Err)
	w.eventually(t, "the one that is well is committed", func() bool { return w.offsets[tp(1)].Offset == 7 })

	w.mu.Lock()
	w.manifests[lost.ID] = text
	w.mu.Unlock()
	require.NoError(t, s.assign(t, tp(0))[tp(0)].Err)
	w.eventually(t, "and so is the other one, later", func() bool { return w.offsets[tp(0)].Offset == 10 })
}

// A partition that is taken away while it is being taken over must not be held afterwards: its commits would be accepted.
func TestDriver_DoesNotHoldWhatIsNoLongerAssigned(t *testing.T) {
	w := newWorld()
	decidedOn(t, w, map[TopicPartition][2]int64{tp(0): {0, 10}}, tp(0))
	s := start(t, w)
	offsets, err := s.Fetch(t.Context(), []TopicPartition{tp(0)})
	require.NoError(t, err)
	never := func(TopicPartition) bool { return false }
	positions, err := s.Assign(t.Context(), offsets, never)
	require.NoError(t, err)
	require.Empty(t, positions)
	done, err := s.Begin(t.Context(), []Commit{{TopicPartition: tp(0), Offset: 3}}, never)
	require.NoError(t, err)
	require.Empty(t, done)
	require.Equal(t, offsets[tp(0)], w.offsets[tp(0)], "nothing is committed")
	require.Zero(t, s.View().Held)
}
