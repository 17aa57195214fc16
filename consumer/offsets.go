package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/batch"
)

// Offsets makes the group's offset requests. Commits carry the member ID and generation of the client's session, so
// Kafka refuses them once the group has gone on without it.
type Offsets struct {
	client *kgo.Client
	admin  *kadm.Client
	group  string
}

var _ batch.Offsets = (*Offsets)(nil)

// Commit implements batch.Offsets.
func (o *Offsets) Commit(ctx context.Context, commits []batch.Commit) error {
	offsets := make(map[string]map[int32]kgo.EpochOffset)
	metadata := make(map[batch.TopicPartition]string, len(commits))
	for _, c := range commits {
		if offsets[c.Topic] == nil {
			offsets[c.Topic] = make(map[int32]kgo.EpochOffset)
		}
		offsets[c.Topic][c.Partition] = kgo.EpochOffset{Epoch: -1, Offset: c.Offset}
		metadata[c.TopicPartition] = c.Metadata
	}
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		setMetadata(req, metadata)
		return nil
	})
	err := errors.New("no reply")
	o.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, reqErr error) {
		if err = reqErr; err == nil {
			err = checkReply(resp, commits)
		}
	})
	if err != nil {
		return fmt.Errorf("commit offsets of group %s: %w", o.group, err)
	}
	return nil
}

func setMetadata(req *kmsg.OffsetCommitRequest, metadata map[batch.TopicPartition]string) {
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			text := metadata[batch.TopicPartition{Topic: t.Topic, Partition: t.Partitions[j].Partition}]
			t.Partitions[j].Metadata = &text
		}
	}
}

// checkReply wants an acknowledgement for every entry: the client may drop partitions on its own (KIP-848, stale member
// epoch), and a broker answers each for itself.
func checkReply(resp *kmsg.OffsetCommitResponse, commits []batch.Commit) error {
	acked, fenced := 0, 0
	var errs []error
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			err := kerr.ErrorForCode(p.ErrorCode)
			switch {
			case err == nil:
				acked++
				continue
			case isFenced(err):
				fenced++
			}
			errs = append(errs, fmt.Errorf("%s[%d]: %w", t.Topic, p.Partition, err))
		}
	}
	switch {
	case acked == len(commits) && len(errs) == 0:
		return nil
	case fenced == len(commits) && acked == 0:
		return fmt.Errorf("%w: %w", batch.ErrFenced, errs[0])
	case len(errs) == 0:
		return fmt.Errorf("%d of %d partitions acknowledged", acked, len(commits))
	default:
		return fmt.Errorf("%d of %d partitions acknowledged: %w", acked, len(commits), errors.Join(errs...))
	}
}

// isFenced lists the codes by which the group coordinator says that this member or its generation is no longer current.
func isFenced(err error) bool {
	for _, code := range []error{kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.FencedInstanceID, kerr.FencedMemberEpoch, kerr.StaleMemberEpoch, kerr.GroupIDNotFound} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// Fetch implements batch.Offsets.
func (o *Offsets) Fetch(ctx context.Context, tps []batch.TopicPartition) (map[batch.TopicPartition]batch.GroupOffset, error) {
	all, err := o.admin.FetchOffsets(ctx, o.group)
	if err != nil {
		return nil, fmt.Errorf("fetch offsets of group %s: %w", o.group, err)
	}
	got := make(map[batch.TopicPartition]batch.GroupOffset, len(tps))
	for _, tp := range tps {
		r, ok := all.Lookup(tp.Topic, tp.Partition)
		switch {
		case !ok:
			got[tp] = batch.GroupOffset{Offset: -1}
		case r.Err != nil:
			return nil, fmt.Errorf("fetch offset of group %s, %s: %w", o.group, tp, r.Err)
		default:
			got[tp] = batch.GroupOffset{Offset: r.At, Metadata: r.Metadata}
		}
	}
	return got, nil
}

// Ends implements batch.Offsets. Records of open transactions are not counted: they cannot be consumed yet.
func (o *Offsets) Ends(ctx context.Context, tps []batch.TopicPartition) (map[batch.TopicPartition]int64, error) {
	listed, err := o.admin.ListCommittedOffsets(ctx, topicsOf(tps)...)
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	ends := make(map[batch.TopicPartition]int64, len(tps))
	var errs []error
	for _, tp := range tps {
		l, ok := listed.Lookup(tp.Topic, tp.Partition)
		if !ok || l.Err != nil {
			errs = append(errs, fmt.Errorf("end offset of %s: %w", tp, errors.Join(l.Err)))
			continue
		}
		ends[tp] = l.Offset
	}
	return ends, errors.Join(errs...)
}

func topicsOf(tps []batch.TopicPartition) (topics []string) {
	seen := make(map[string]bool)
	for _, tp := range tps {
		if !seen[tp.Topic] {
			seen[tp.Topic] = true
			topics = append(topics, tp.Topic)
		}
	}
	return topics
}
