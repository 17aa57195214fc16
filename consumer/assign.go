package consumer

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
)

// onAssigned enters newly assigned partitions. They are taken over in the background, each by itself, so that one whose
// topic or batch is in trouble holds up no other one, and no rebalance waits for BigQuery or the bucket.
//
// It is called with nothing new, too, whenever the group has given this member an assignment.
func (s *Session) onAssigned(_ context.Context, _ *kgo.Client, added map[string][]int32) {
	<-s.built
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined = true
	for topic, ps := range added {
		st := s.streamOf(topic)
		for _, p := range ps {
			tp := batch.TopicPartition{Topic: topic, Partition: p}
			if st != nil && s.partitions[tp] == nil {
				s.partitions[tp] = &partition{stream: st, phase: pending, since: time.Now(), epoch: -1, lagged: -1}
			}
		}
	}
	s.metrics.assigned(s.partitions)
	signal(s.arrived)
}

// signal wakes whoever waits for the channel, which has a capacity of one.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default: // it is awake already
	}
}

// adjustOffsets gives every partition that is assigned a place in the client. Those that are not consumed yet are paused
// first: the poll loop sets their offset and lets them go when they are taken over. The client's own list leaves out
// partitions whose offset Kafka refused to tell, and would never fetch them.
func (s *Session) adjustOffsets(_ context.Context, fetched map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	<-s.built
	s.mu.Lock()
	defer s.mu.Unlock()
	adjusted := make(map[string]map[int32]kgo.Offset)
	paused := make(map[string][]int32)
	for tp, p := range s.partitions {
		_, asked := fetched[tp.Topic][tp.Partition]
		if p.phase == consuming && !asked {
			continue // fetched already, and goes on
		}
		at := int64(0) // never fetched from
		if p.phase == consuming {
			at = p.pos
		} else {
			paused[tp.Topic] = append(paused[tp.Topic], tp.Partition)
		}
		put(adjusted, tp, kgo.NewOffset().At(at).WithEpoch(-1))
	}
	s.client.PauseFetchPartitions(paused)
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
	s.release(revoked)
	s.log.Info("partitions handed over", "revoked", count(revoked), "took", time.Since(start).Round(time.Millisecond))
}

// release forgets partitions. One that is being taken over right now is marked first, so that the driver does not hold it
// afterwards.
func (s *Session) release(revoked map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := make(map[*stream][]batch.TopicPartition)
	for topic, ps := range revoked {
		for _, n := range ps {
			tp := batch.TopicPartition{Topic: topic, Partition: n}
			if p := s.partitions[tp]; p != nil {
				p.gone.Store(true)
				of[p.stream] = append(of[p.stream], tp)
				delete(s.partitions, tp)
				s.metrics.forget(tp)
			}
		}
	}
	for st, tps := range of {
		st.driver.Release(tps)
	}
	s.metrics.assigned(s.partitions)
	s.refresh(time.Now())
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
