package realkafka

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// member is a member of a classic group that makes each of its requests by hand.
type member struct {
	t          *testing.T
	client     *kgo.Client
	group      string
	topic      string
	topicID    [16]byte
	instance   *string
	id         string
	generation int32
}

// newMember has not joined yet.
func newMember(t *testing.T, b *Broker, topic string) *member {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	m := &member{t: t, client: client, group: topic, topic: topic}
	req := kmsg.NewPtrMetadataRequest()
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = &topic
	req.Topics = append(req.Topics, asked)
	resp, err := req.RequestWith(t.Context(), client)
	require.NoError(t, err)
	require.NoError(t, kerr.ErrorForCode(resp.Topics[0].ErrorCode))
	m.topicID = resp.Topics[0].TopicID
	return m
}

// join asks to become a member, or to remain one, and returns once the group's join is complete.
func (m *member) join(ctx context.Context) (leader bool, err error) {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.InstanceID, req.ProtocolType = m.group, m.id, m.instance, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 60_000, 60_000
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name = "range"
	subscription := kmsg.NewConsumerMemberMetadata()
	subscription.Topics = []string{m.topic}
	protocol.Metadata = subscription.AppendTo(nil)
	req.Protocols = append(req.Protocols, protocol)
	for {
		resp, err := req.RequestWith(ctx, m.client)
		if err != nil {
			return false, err
		}
		err = kerr.ErrorForCode(resp.ErrorCode)
		if err == kerr.MemberIDRequired { //nolint:errorlint // ErrorForCode returns these values themselves
			req.MemberID = resp.MemberID
			continue
		}
		m.id, m.generation = resp.MemberID, resp.Generation
		return resp.LeaderID == resp.MemberID, err
	}
}

// sync ends the rebalance; the leader hands assignments out. What they say is nothing to the broker.
func (m *member) sync(leader bool, members ...*member) {
	m.t.Helper()
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = m.group, m.id, m.generation, m.instance
	req.ProtocolType, req.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	if leader {
		for i, other := range members {
			a := kmsg.NewSyncGroupRequestGroupAssignment()
			a.MemberID, a.MemberAssignment = other.id, assignmentOf(m.topic, int32(i))
			req.GroupAssignment = append(req.GroupAssignment, a)
		}
	}
	resp, err := req.RequestWith(m.t.Context(), m.client)
	require.NoError(m.t, err)
	require.NoError(m.t, kerr.ErrorForCode(resp.ErrorCode))
}

func assignmentOf(topic string, partition int32) []byte {
	var a kmsg.ConsumerMemberAssignment
	t := kmsg.NewConsumerMemberAssignmentTopic()
	t.Topic, t.Partitions = topic, []int32{partition}
	a.Topics = append(a.Topics, t)
	return a.AppendTo(nil)
}

// alone joins and syncs as the only member.
func (m *member) alone() {
	m.t.Helper()
	leader, err := m.join(m.t.Context())
	require.NoError(m.t, err)
	m.sync(leader, m)
}

// commit commits one partition in the shape of consumer.Offsets' requests and returns the broker's answer to it.
func (m *member) commit(partition int32, offset int64, metadata string) error {
	m.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = m.group, m.id, m.generation, m.instance
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = m.topic, m.topicID
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = partition, offset, -1, &metadata
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(m.t.Context(), m.client)
	require.NoError(m.t, err)
	require.Len(m.t, resp.Topics, 1)
	require.Len(m.t, resp.Topics[0].Partitions, 1)
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}

// committedBy returns what the group has committed for the partition.
func (w *world) committedBy(partition int32) (offset int64, metadata string) {
	w.Helper()
	for tp, o := range w.committed() {
		if tp.Partition == partition {
			return o.Offset, o.Metadata
		}
	}
	return -1, ""
}

// newProtocolWorld is a topic and nothing else: no tidemark runs.
func newProtocolWorld(t *testing.T) (*world, *member) {
	w := newWorld(t)
	return w, newMember(t, w.broker, w.topic)
}

// pair makes a group of two members in the same generation.
func pair(w *world, a *member) (b *member) {
	w.Helper()
	a.alone()
	b = newMember(w.T, w.broker, w.topic)
	joined := make(chan bool, 1)
	go func() {
		leader, err := b.join(w.Context())
		if err != nil {
			w.Errorf("second member: %v", err)
		}
		joined <- leader
	}()
	w.eventually("the group rebalances", func() bool { return a.heartbeat() == kerr.RebalanceInProgress }) //nolint:errorlint // as above
	leader, err := a.join(w.Context())
	require.NoError(w, err)
	other := <-joined
	require.Equal(w, a.generation, b.generation)
	if leader {
		a.sync(true, a, b)
		b.sync(false)
	} else {
		require.True(w, other)
		b.sync(true, a, b)
		a.sync(false)
	}
	return b
}

func (m *member) heartbeat() error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = m.group, m.id, m.generation, m.instance
	resp, err := req.RequestWith(m.t.Context(), m.client)
	require.NoError(m.t, err)
	return kerr.ErrorForCode(resp.ErrorCode)
}

// leave is refused nothing.
func (m *member) leave() {
	m.t.Helper()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = m.group, m.id
	l := kmsg.NewLeaveGroupRequestMember()
	l.MemberID = m.id
	req.Members = append(req.Members, l)
	resp, err := req.RequestWith(m.t.Context(), m.client)
	require.NoError(m.t, err)
	require.NoError(m.t, kerr.ErrorForCode(resp.ErrorCode))
}

// metadataOf makes metadata of exactly n bytes that tidemark can read: zeros before the last end offset fill it up.
func metadataOf(t *testing.T, n int) string {
	t.Helper()
	const link = "0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c77:"
	text := "tidemark/1;1764036000000;"
	for n-len(text) >= 2*(len(link)+20) {
		text += link + "1234567890123456789,"
	}
	text += link + strings.Repeat("0", n-len(text)-len(link)-1) + "1"
	require.Len(t, text, n)
	return text
}
