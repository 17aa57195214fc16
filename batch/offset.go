package batch

import (
	"cmp"
	"fmt"
	"time"
)

// TopicPartition names one partition of one topic.
type TopicPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

// String returns topic[partition].
func (tp TopicPartition) String() string { return fmt.Sprintf("%s[%d]", tp.Topic, tp.Partition) }

// Compare orders by topic, then partition.
func (tp TopicPartition) Compare(o TopicPartition) int {
	return cmp.Or(cmp.Compare(tp.Topic, o.Topic), cmp.Compare(tp.Partition, o.Partition))
}

// Range is the half-open range [Start, End) of one partition's offsets that a batch covers. It is never empty.
type Range struct {
	TopicPartition
	Start int64 `json:"start"`
	End   int64 `json:"end"`
	// Records consumed from the range: less than End-Start where Kafka itself leaves gaps (transaction markers,
	// aborted or compacted records).
	Records int64 `json:"records"`
	// Clock is the instant up to which the partition is complete at End: every record that came to the partition before it
	// has an offset below End. Zero while nothing is known.
	Clock time.Time `json:"clock"`
	// Epoch is the leader epoch of the last record before End, -1 if it is not known.
	Epoch int32 `json:"leader_epoch"`
}

// Link is one entry of a partition's chain: a prepared batch and the offset at which its range ends there.
type Link struct {
	Batch ID
	End   int64
}

// GroupOffset is what Kafka holds for one partition of the group.
type GroupOffset struct {
	Offset   int64 // the next offset to read; -1 if the group has none
	Epoch    int32 // leader epoch of the record before it, -1 if it was not committed along
	Metadata string
	Err      error // Kafka refuses to tell, for this partition; the rest means nothing then
}

// Commit is one partition's entry in an offset commit request.
type Commit struct {
	TopicPartition
	Offset   int64
	Epoch    int32 // leader epoch of the record before Offset, -1 if it is not known
	Metadata string
}
