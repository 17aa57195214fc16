package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/batch"
)

// Offsets makes the group's offset commits. They carry the member ID and generation of the client's session, so
// Kafka refuses them once the group has gone on without it, and the ID of the topic that was consumed, so that brokers
// that know topic IDs refuse them for a re-created topic.
//
// The requests are our own rather than the client's CommitOffsets: that one drops partitions by itself (KIP-848, stale
// member epoch), and holds commits back while a join is in flight, which can take the group's rebalance timeout, while
// Kafka accepts commits of the current generation until the join completes. A hand-over must not wait that long.
type Offsets struct {
	GroupOffsets
	instance *string // static member name

	mu  sync.Mutex
	ids map[string]kadm.TopicID // as consumed
}

var _ batch.Offsets = (*Offsets)(nil)

// consumed tells the ID under which a topic is consumed; the first one counts.
func (o *Offsets) consumed(topic string, id kadm.TopicID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.ids[topic]; !known {
		o.ids[topic] = id
	}
}

const (
	// rebalancePause is how long a commit waits that Kafka refuses because the group is between join and sync.
	rebalancePause = 100 * time.Millisecond
	// joinWait is how long the reply to a join may take once Kafka counts the next generation. It is sent at once, and slow
	// coordinators take seconds for everything.
	joinWait = 15 * time.Second
)

// Commit implements batch.Offsets.
func (o *Offsets) Commit(ctx context.Context, commits []batch.Commit) error {
	for {
		req := o.request(commits)
		resp, err := req.RequestWith(ctx, o.Client)
		if err == nil {
			err = checkReply(resp, commits)
		}
		if err == nil {
			return nil
		}
		err = fmt.Errorf("commit offsets of group %s: %w", o.Group, err)
		if errors.Is(err, batch.ErrFenced) && errors.Is(err, kerr.IllegalGeneration) && o.joined(ctx, req) {
			continue
		}
		if !errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, errPartial) {
			return err
		}
		if !batch.Pause(ctx, rebalancePause) {
			return err
		}
	}
}

// joined says whether a commit was refused for its generation only because a join was complete that the client had not
// heard of yet, and waits until it has. The refused commit did nothing, so it may be made again under the new generation.
// The partitions are still ours: the member ID has stayed, so the membership has, and a rebalance takes partitions away
// by the revoke callback, which waits for the ownership lock that the commit is made under. Had they been lost, the
// session, and with it ctx, would have ended before the client joined again.
func (o *Offsets) joined(ctx context.Context, req *kmsg.OffsetCommitRequest) bool {
	ctx, cancel := context.WithTimeout(ctx, joinWait)
	defer cancel()
	tick := time.NewTicker(rebalancePause / 4)
	defer tick.Stop()
	for {
		member, generation := o.Client.GroupMetadata()
		switch {
		case ctx.Err() != nil, member != req.MemberID:
			return false
		case generation > req.Generation:
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (o *Offsets) request(commits []batch.Commit) *kmsg.OffsetCommitRequest {
	o.mu.Lock()
	defer o.mu.Unlock()
	req := commitRequest(o.Group, commits, o.ids)
	req.MemberID, req.Generation = o.Client.GroupMetadata()
	req.InstanceID = o.instance
	return req
}

func commitRequest(group string, commits []batch.Commit, ids map[string]kadm.TopicID) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = group
	index := make(map[string]int)
	for _, c := range commits {
		i, ok := index[c.Topic]
		if !ok {
			i = len(req.Topics)
			index[c.Topic] = i
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic, t.TopicID = c.Topic, ids[c.Topic]
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = c.Partition, c.Offset, c.Epoch, &c.Metadata
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
	}
	return req
}

// errPartial means that the entries of a commit had different outcomes.
var errPartial = errors.New("accepted in part")

// checkReply wants an acknowledgement for every entry: a broker answers each for itself.
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
	case acked > 0 || len(errs) != len(commits):
		return fmt.Errorf("%d of %d partitions acknowledged: %w", acked, len(commits), errors.Join(append(errs, errPartial)...))
	default:
		return errors.Join(errs...)
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
