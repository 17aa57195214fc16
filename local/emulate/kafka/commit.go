package kafka

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// maxMetadata is Kafka's offset.metadata.max.bytes.
	maxMetadata = 4096
	// What the coordinator writes of a commit into __consumer_offsets, beside group, topic and metadata: the header of the
	// record batch, and of every entry the fixed fields of OffsetCommitKey and OffsetCommitValue and of a record (Apache Kafka
	// 4, read 2026-11).
	batchHeader, entryFields = 61, 10 + 24 + 20
)

// refuseCommit answers commits that Kafka refuses and kfake takes: one that is larger than a record batch of the offsets topic
// may be, which Apache Kafka 4.3 answers with UNKNOWN_SERVER_ERROR for every partition, and entries with too much metadata.
// Nothing of a refused commit is stored. It returns nil for one that kfake may have.
func refuseCommit(req *kmsg.OffsetCommitRequest, limit int) kmsg.Response {
	size, long := batchHeader, false
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			size += entryFields + len(req.Group) + len(t.Topic)
			if p.Metadata != nil {
				size += len(*p.Metadata)
				long = long || len(*p.Metadata) > maxMetadata
			}
		}
	}
	switch {
	case long:
		return answerCommit(req, kerr.OffsetMetadataTooLarge.Code)
	case size > limit:
		return answerCommit(req, kerr.UnknownServerError.Code)
	}
	return nil
}

// answerCommit answers every partition of a commit with a code.
func answerCommit(req *kmsg.OffsetCommitRequest, code int16) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, t := range req.Topics {
		answered := kmsg.NewOffsetCommitResponseTopic()
		answered.Topic, answered.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			partition := kmsg.NewOffsetCommitResponseTopicPartition()
			partition.Partition, partition.ErrorCode = p.Partition, code
			answered.Partitions = append(answered.Partitions, partition)
		}
		resp.Topics = append(resp.Topics, answered)
	}
	return resp
}
