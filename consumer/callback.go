package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/batch"
)

// onOffsetsFetched takes over newly assigned partitions: it completes their offsets, finishes other replicas' batches
// and finds out where to consume from. The client fetches nothing from them until it returns.
//
// ctx ends when the group rebalances again; the client then asks anew for the partitions it still holds, so everything
// here is safe to repeat.
func (s *Session) onOffsetsFetched(ctx context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	<-s.built
	wait := 100 * time.Millisecond
	offsets := fetchedOffsets(resp)
	for {
		err := s.takeOver(ctx, offsets)
		if err != nil && !errors.Is(err, batch.ErrRejoin) {
			// Some partitions may be held already, and their batches committed meanwhile.
			offsets, err = s.fetchAgain(ctx, offsets, err)
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, batch.ErrRejoin):
			s.fail(err)
			return err
		}
		s.log.Warn("partitions not taken over yet; trying again", "err", err, "retry_in", wait, "hint", batch.HintOf(err))
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-s.ended.Done():
			timer.Stop()
			return context.Cause(s.ended)
		case <-timer.C:
		}
		wait = min(2*wait, 10*time.Second)
	}
}

// fetchAgain reads the offsets anew after an attempt that failed with cause, which it returns.
func (s *Session) fetchAgain(ctx context.Context, stale map[string]map[int32]batch.GroupOffset, cause error) (map[string]map[int32]batch.GroupOffset, error) {
	var tps []batch.TopicPartition
	for topic, ps := range stale {
		for p := range ps {
			tps = append(tps, batch.TopicPartition{Topic: topic, Partition: p})
		}
	}
	got, err := s.starter.offsets.Fetch(ctx, tps)
	if err != nil {
		return stale, errors.Join(cause, err)
	}
	fresh := make(map[string]map[int32]batch.GroupOffset, len(stale))
	for tp, o := range got {
		if fresh[tp.Topic] == nil {
			fresh[tp.Topic] = make(map[int32]batch.GroupOffset)
		}
		fresh[tp.Topic][tp.Partition] = o
	}
	return fresh, cause
}

func fetchedOffsets(resp *kmsg.OffsetFetchResponse) map[string]map[int32]batch.GroupOffset {
	offsets := make(map[string]map[int32]batch.GroupOffset)
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if kerr.ErrorForCode(p.ErrorCode) != nil {
					continue // the client reports it with the next fetch
				}
				if offsets[t.Topic] == nil {
					offsets[t.Topic] = make(map[int32]batch.GroupOffset)
				}
				o := batch.GroupOffset{Offset: p.Offset}
				if p.Metadata != nil {
					o.Metadata = *p.Metadata
				}
				offsets[t.Topic][p.Partition] = o
			}
		}
	}
	return offsets
}

func (s *Session) takeOver(ctx context.Context, offsets map[string]map[int32]batch.GroupOffset) error {
	stops := make(map[batch.TopicPartition]error)
	ready := make(map[batch.TopicPartition]batch.GroupOffset)
	for topic, ps := range offsets {
		stopped, err := s.starter.begin(ctx, topic, ps)
		if err != nil {
			return err
		}
		for p, o := range ps {
			tp := batch.TopicPartition{Topic: topic, Partition: p}
			if err := stopped[p]; err != nil {
				stops[tp] = err
			} else {
				ready[tp] = o
			}
		}
	}
	positions, err := s.driver.Assign(ctx, ready)
	if err != nil {
		return err
	}
	total, err := s.countPartitions(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.topicPartitions = total
	for tp, pos := range positions {
		s.partitions[tp] = &partition{start: pos.Offset, pos: pos.Offset, cut: -1, clock: pos.Clock}
		if pos.Stop != nil {
			stops[tp] = pos.Stop
		}
	}
	for tp, err := range stops {
		s.stop(tp, err)
	}
	s.metrics.assigned(len(s.partitions))
	s.log.Info("partitions assigned", "added", len(positions), "stopped", len(stops), "held", len(s.partitions))
	return nil
}

func (s *Session) countPartitions(ctx context.Context) (n int, err error) {
	for _, topic := range s.scope.Topics {
		detail, err := s.starter.topic(ctx, topic)
		if err != nil {
			return 0, err
		}
		n += len(detail.Partitions)
	}
	return n, nil
}

// adjustOffsets tells the client where to consume the partitions that onOffsetsFetched took over. Stopped ones are left
// out and are not fetched.
func (s *Session) adjustOffsets(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	adjusted := make(map[string]map[int32]kgo.Offset)
	for topic, ps := range offsets {
		for p := range ps {
			held := s.partitions[batch.TopicPartition{Topic: topic, Partition: p}]
			if held == nil || held.stopped != nil {
				continue
			}
			if adjusted[topic] == nil {
				adjusted[topic] = make(map[int32]kgo.Offset)
			}
			adjusted[topic][p] = kgo.NewOffset().At(held.pos).WithEpoch(-1)
		}
	}
	return adjusted, nil
}

// onRevoked hands partitions over: everything open is sealed, uploaded and prepared before they are let go, so the next
// owner finds it decided and reads nothing again. Loading is not waited for.
func (s *Session) onRevoked(_ context.Context, _ *kgo.Client, revoked map[string][]int32) {
	<-s.built
	if s.ended.Err() != nil || len(revoked) == 0 {
		return // nothing undecided is kept, and nothing can be committed any more
	}
	start := time.Now()
	s.metrics.rebalances.Inc()
	ctx, cancel := context.WithTimeout(s.ended, s.cfg.RebalanceTimeout)
	defer cancel()
	s.mu.Lock()
	wait := s.sealAll("revoke", start)
	s.mu.Unlock()
	if err := wait(ctx); err != nil {
		s.fail(fmt.Errorf("hand over %d partitions: %w: %w", count(revoked), err, batch.ErrRejoin))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var tps []batch.TopicPartition
	for topic, ps := range revoked {
		for _, p := range ps {
			tps = append(tps, batch.TopicPartition{Topic: topic, Partition: p})
		}
	}
	s.driver.Release(tps)
	for _, tp := range tps {
		delete(s.partitions, tp)
		s.metrics.stopped(tp, false)
	}
	s.metrics.assigned(len(s.partitions))
	s.log.Info("partitions handed over", "revoked", len(tps), "held", len(s.partitions), "took", time.Since(start).Round(time.Millisecond))
}

// onLost ends the session: the group has gone on without us.
func (s *Session) onLost(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	if len(lost) > 0 {
		s.fail(fmt.Errorf("lost %d partitions: %w: %w", count(lost), batch.ErrFenced, batch.ErrRejoin))
	}
}

func count(m map[string][]int32) (n int) {
	for _, ps := range m {
		n += len(ps)
	}
	return n
}

// stopHint says how to go on with a stopped partition.
func stopHint(err error) string {
	switch {
	case errors.Is(err, batch.ErrNoOffset), errors.Is(err, kerr.OffsetOutOfRange):
		return "decide where to go on: stop all replicas, set the group's offset of this partition with kafka-consumer-groups --reset-offsets, start them again; records Kafka has deleted are lost to the export"
	case errors.Is(err, ErrRecreated), errors.Is(err, kerr.UnknownTopicID):
		return "to consume the new topic from its start, stop all replicas, delete the group's offsets of this topic and the objects under groups/<group>/ in the bucket that name it, start them again (a new TIDEMARK_GROUP would double the events of the other topics)"
	case errors.Is(err, batch.ErrNoManifest):
		return "restore the manifest from the bucket's soft delete or versions; without it nobody can tell whether the batch is in BigQuery"
	case errors.Is(err, batch.ErrMetadataVersion), errors.Is(err, batch.ErrManifestVersion):
		return "a newer tidemark wrote this; finish the rolling upgrade"
	default:
		return "see docs/runbook.md, partition stopped"
	}
}
