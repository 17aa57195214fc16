package harness

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tidemark/batch"
)

// Committed returns the group's offsets with their metadata; none, and no error, if the group has never run or was
// deleted. A broker that starts has no coordinator for a while: the error may pass.
func Committed(ctx context.Context, admin *kadm.Client, group string) (map[batch.TopicPartition]batch.GroupOffset, error) {
	resp, err := admin.FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	got := make(map[batch.TopicPartition]batch.GroupOffset)
	resp.Each(func(o kadm.OffsetResponse) {
		got[batch.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = batch.GroupOffset{Offset: o.At, Metadata: o.Metadata}
	})
	return got, errors.Join(err, resp.Error())
}

// Ends returns where every partition of the topic ends: the offset of its next record. The error may pass.
func Ends(ctx context.Context, admin *kadm.Client, topic string) (map[batch.TopicPartition]int64, error) {
	listed, err := admin.ListEndOffsets(ctx, topic)
	ends := make(map[batch.TopicPartition]int64)
	listed.Each(func(o kadm.ListedOffset) {
		ends[batch.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = o.Offset
	})
	return ends, errors.Join(err, listed.Error())
}

// AllCommitted says whether every partition that has records is committed to its end, with nothing left in its chain.
// Whether ends names every partition is for the caller to know.
func AllCommitted(committed map[batch.TopicPartition]batch.GroupOffset, ends map[batch.TopicPartition]int64) bool {
	for tp, end := range ends {
		o, ok := committed[tp]
		meta, err := batch.ParseMetadata(o.Metadata)
		if end > 0 && (!ok || o.Offset != end || err != nil || len(meta.Chain) > 0) {
			return false
		}
	}
	return true
}
