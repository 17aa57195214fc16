package realkafka

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/batch"
)

// What follows asks Kafka itself, request by request, about what the protocol rests on.

// Commit metadata: 4,096 bytes are kept and read back; one more is refused and leaves what was there. That is the
// broker's default (offset.metadata.max.bytes), which batch.MaxMetadata names.
func TestMetadata_Holds4096BytesAndNoMore(t *testing.T) {
	w, m := newProtocolWorld(t)
	m.alone()
	for _, n := range []int{1000, batch.MaxMetadata} {
		full := metadataOf(t, n)
		require.NoError(t, m.commit(0, int64(n), full))
		offset, metadata := w.committedBy(0)
		require.Equal(t, int64(n), offset)
		require.Equal(t, full, metadata)
		_, err := batch.ParseMetadata(metadata)
		require.NoError(t, err)
	}
	require.ErrorIs(t, m.commit(0, 9999, metadataOf(t, batch.MaxMetadata+1)), kerr.OffsetMetadataTooLarge)
	offset, metadata := w.committedBy(0)
	require.Equal(t, int64(batch.MaxMetadata), offset, "the refused commit moved nothing")
	require.Len(t, metadata, batch.MaxMetadata)
}

// The codes with which the coordinator fences, as isFenced in package consumer lists them for classic groups.
func TestFencing_Codes(t *testing.T) {
	w, m := newProtocolWorld(t)
	m.alone()
	require.NoError(t, m.commit(0, 1, "first"))

	old := *m
	m.alone() // the only member joins again: the next generation
	require.Greater(t, m.generation, old.generation)
	require.ErrorIs(t, old.commit(0, 2, ""), kerr.IllegalGeneration)

	early := *m
	early.generation++
	require.ErrorIs(t, early.commit(0, 2, ""), kerr.IllegalGeneration, "a generation yet to come")

	stranger := *m
	stranger.id = "tidemark-of-another-time"
	require.ErrorIs(t, stranger.commit(0, 2, ""), kerr.UnknownMemberID)

	m.leave()
	require.ErrorIs(t, m.commit(0, 2, ""), kerr.UnknownMemberID, "a member that has left; the group is empty")
	_, metadata := w.committedBy(0)
	require.Equal(t, "first", metadata)

	_, err := w.admin.DeleteGroup(t.Context(), w.group)
	require.NoError(t, err)
	require.ErrorIs(t, m.commit(0, 2, ""), kerr.GroupIDNotFound, "the group is gone")
	require.Empty(t, w.committed(), "and no commit brings it back")
}

func TestFencing_StaticMemberOfTheSameName(t *testing.T) {
	w, m := newProtocolWorld(t)
	name := "replica-0"
	m.instance = &name
	m.alone()
	require.NoError(t, m.commit(0, 1, "first"))
	again := newMember(t, w.broker, w.topic)
	again.instance = &name
	_, err := again.join(t.Context()) // as after a restart: another member ID takes the name over
	require.NoError(t, err)
	require.NotEqual(t, m.id, again.id)
	require.ErrorIs(t, m.commit(0, 2, "stale"), kerr.FencedInstanceID)
	nameless := *m
	nameless.instance = nil
	require.ErrorIs(t, nameless.commit(0, 2, "stale"), kerr.UnknownMemberID)
	require.NoError(t, again.commit(0, 2, "second"))
}

// While members join, Kafka goes on accepting commits of the current generation: a hand-over prepares then. Between the
// join and the sync it asks to try again, which consumer.Offsets does.
func TestFencing_CommitsDuringARebalance(t *testing.T) {
	w, a := newProtocolWorld(t)
	a.alone()
	b := newMember(t, w.broker, w.topic)
	joined := make(chan error, 1)
	go func() {
		_, err := b.join(t.Context())
		joined <- err
	}()
	w.eventually("the group rebalances", func() bool { return a.heartbeat() != nil })
	require.NoError(t, a.commit(0, 7, "while joining"))

	old := *a
	leader, err := a.join(t.Context())
	require.NoError(t, err)
	require.NoError(t, <-joined)
	require.ErrorIs(t, old.commit(0, 8, ""), kerr.IllegalGeneration, "the join is complete")
	require.ErrorIs(t, a.commit(0, 8, ""), kerr.RebalanceInProgress)
	require.True(t, leader)
	a.sync(true, a, b)
	require.NoError(t, a.commit(0, 8, "after the sync"))
	offset, _ := w.committedBy(0)
	require.Equal(t, int64(8), offset)
}

// Kafka fences generations, not owners: this is why there is an ownership lock (ARCHITECTURE.md, non-obvious 1).
func TestFencing_ALiveMemberMayCommitWhatItHasLost(t *testing.T) {
	w, a := newProtocolWorld(t)
	b := pair(w, a)
	require.NoError(t, b.commit(1, 500, "the owner's")) // partition 1 is b's in this generation
	require.NoError(t, a.commit(1, 100, "not the owner's"))
	offset, metadata := w.committedBy(1)
	require.Equal(t, int64(100), offset, "the owner's offset was moved back")
	require.Equal(t, "not the owner's", metadata)
}

// A commit that carries the ID of a topic that was deleted and created again is refused, where the broker is told IDs:
// Kafka 4.1 still takes names only (OffsetCommit version 9). There the failing fetch stops the partition, see
// TestStart_ATopicRecreatedUnderAReplicaStops.
func TestFencing_ARecreatedTopicRefusesCommits(t *testing.T) {
	w, m := newProtocolWorld(t)
	versions, err := w.admin.ApiVersions(t.Context())
	require.NoError(t, err)
	for _, v := range versions {
		const firstWithIDs = 10
		newest, known := v.KeyMaxVersion(int16(kmsg.OffsetCommit))
		require.True(t, known)
		if newest < firstWithIDs {
			t.Skipf("Kafka %s knows OffsetCommit up to version %d", Version(), newest)
		}
	}
	m.alone()
	require.NoError(t, m.commit(0, 5, ""))
	_, err = w.admin.DeleteTopics(t.Context(), w.topic)
	require.NoError(t, err)
	w.createTopic()
	require.ErrorIs(t, m.commit(0, 6, ""), kerr.UnknownTopicID)
	require.NoError(t, newMember(t, w.broker, w.topic).heartbeatless(m).commit(0, 7, ""), "with the new ID")
}

// heartbeatless lends m's membership to a member that knows the topic by its new ID.
func (m *member) heartbeatless(of *member) *member {
	m.id, m.generation = of.id, of.generation
	return m
}

// KIP-848 is not what tidemark speaks. Its members are fenced by their epoch, and by owner no more than the others.
func TestFencing_NextGenerationGroups(t *testing.T) {
	w, m := newProtocolWorld(t)
	first := m.beat848(0, "")
	require.NoError(t, kerr.ErrorForCode(first.ErrorCode))
	m.id, m.generation = *first.MemberID, first.MemberEpoch
	require.NoError(t, m.commit(0, 1, "by epoch"))
	m.generation = first.MemberEpoch + 1
	require.ErrorIs(t, m.commit(0, 2, ""), kerr.StaleMemberEpoch)
	m.generation = first.MemberEpoch
	m.id = "stranger"
	require.ErrorIs(t, m.commit(0, 2, ""), kerr.UnknownMemberID)
	_, metadata := w.committedBy(0)
	require.Equal(t, "by epoch", metadata)
}

func (m *member) beat848(epoch int32, id string) *kmsg.ConsumerGroupHeartbeatResponse {
	m.t.Helper()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	if id == "" {
		id = "3Rk4c8rVSEm7yd0xWq3vGA"
	}
	req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = m.group, id, epoch, 60_000
	req.SubscribedTopicNames, req.Topics = []string{m.topic}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	resp, err := req.RequestWith(m.t.Context(), m.client)
	require.NoError(m.t, err)
	return resp
}
