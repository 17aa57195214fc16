package consumer

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/batch"
)

func reply(codes ...int16) *kmsg.OffsetCommitResponse {
	resp := kmsg.NewPtrOffsetCommitResponse()
	topic := kmsg.NewOffsetCommitResponseTopic()
	topic.Topic = "events"
	for i, code := range codes {
		p := kmsg.NewOffsetCommitResponseTopicPartition()
		p.Partition, p.ErrorCode = int32(i), code
		topic.Partitions = append(topic.Partitions, p)
	}
	resp.Topics = append(resp.Topics, topic)
	return resp
}

func TestCheckReply_WantsEveryPartitionAcknowledged(t *testing.T) {
	two := []batch.Commit{{}, {}}
	illegal, unknown := kerr.IllegalGeneration.Code, kerr.RequestTimedOut.Code
	require.NoError(t, checkReply(reply(0, 0), two))
	require.ErrorIs(t, checkReply(reply(illegal, illegal), two), batch.ErrFenced)

	for name, resp := range map[string]*kmsg.OffsetCommitResponse{
		"one accepted, one fenced":      reply(0, illegal),
		"one left out by the client":    reply(0),
		"fenced, but one not mentioned": reply(illegal),
		"timed out, perhaps applied":    reply(unknown, unknown),
		"nothing mentioned":             kmsg.NewPtrOffsetCommitResponse(),
	} {
		err := checkReply(resp, two)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, batch.ErrFenced, "%s: the outcome is unknown", name)
		require.NotErrorIs(t, err, kerr.RebalanceInProgress, name)
	}
}
