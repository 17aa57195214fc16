package batch

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// crashSession is one session of a replica around a real driver that runs: the consumer's side of it.
type crashSession struct {
	*crashMember
	driver *Driver
	number int64 // of batches sealed
	wg     sync.WaitGroup

	state   sync.Mutex // never held while waiting
	cursors map[TopicPartition]*crashCursor
	taking  map[TopicPartition]*atomic.Bool // being taken over; true: no longer assigned
}

type crashCursor struct{ start, pos int64 }

// runReplica is a process that is started again whenever it dies, until ctx ends.
func (w *crashWorld) runReplica(ctx context.Context, n int) {
	for ctx.Err() == nil {
		r := w.draw(fmt.Sprint("replica", n))
		if !Pause(ctx, time.Duration(r.IntN(2000))*time.Millisecond) {
			return
		}
		w.mu.Lock()
		w.meddle(w.rand("meddle"))
		w.mu.Unlock()
		w.runSession(ctx)
	}
}

func (w *crashWorld) runSession(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &crashSession{crashMember: w.join(cancel), cursors: map[TopicPartition]*crashCursor{}, taking: map[TopicPartition]*atomic.Bool{}}
	s.driver = NewDriver(Config{MaxBatches: w.plan.MaxBatches, CommitTimeout: time.Minute, RetryMin: 1, RetryMax: 1},
		Ports{s.crashMember, s.crashMember, s.crashMember, s.crashMember}, discard)
	s.wg.Go(func() {
		_ = s.driver.Run(ctx)
		cancel()
	})
	for ctx.Err() == nil && s.turn(ctx) {
		r := s.draw(s.name + "turn")
		Pause(ctx, 1+time.Duration(r.Int64N(int64(s.plan.Turn))))
	}
	cancel()
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dead { // otherwise the group finds out by itself
		s.leave(s.crashMember)
	}
}

// turn is one turn of the poll loop with the callbacks that are due. It returns false when the session is over.
func (s *crashSession) turn(ctx context.Context) bool {
	r := s.draw(s.name + "work")
	s.mu.Lock()
	var revoked, added []TopicPartition
	for _, t := range sortedKeys(s.offsets) {
		if s.owner[t] == s.crashMember {
			if wish := s.wish[t]; wish != nil {
				revoked = append(revoked, t) // perhaps to come back at once
			} else {
				added = append(added, t)
			}
		}
	}
	stop, lost := s.stop, !s.lost.IsZero() && time.Now().After(s.lost)
	s.mu.Unlock()
	switch {
	case lost:
		return false
	case stop:
		_ = s.sealAll(ctx, r.IntN(2) == 0)
		return false
	case len(revoked) > 0:
		return s.revoke(ctx, revoked)
	}
	s.takeOver(ctx, added)
	for _, t := range sortedKeys(s.snapshot()) {
		if c := s.snapshot()[t]; r.IntN(3) > 0 && !s.driver.Full() {
			c.pos = min(c.pos+r.Int64N(4), int64(s.plan.Records))
		}
	}
	if r.IntN(10) == 0 {
		s.driver.Idle(s.idle())
	}
	if r.Float64() < s.plan.Seal && !s.driver.Full() {
		s.seal()
	}
	return true
}

// snapshot returns the partitions consumed. Only the poll loop moves their cursors.
func (s *crashSession) snapshot() map[TopicPartition]*crashCursor {
	s.state.Lock()
	defer s.state.Unlock()
	got := make(map[TopicPartition]*crashCursor, len(s.cursors))
	for t, c := range s.cursors {
		got[t] = c
	}
	return got
}

// idle returns how far the partitions without open records are complete.
func (s *crashSession) idle() map[TopicPartition]Complete {
	clocks := map[TopicPartition]Complete{}
	for t, c := range s.snapshot() {
		if c.start == c.pos {
			clocks[t] = Complete{c.pos, time.Now()}
		}
	}
	return clocks
}

// takeOver starts taking over the partitions that are neither consumed nor being taken over, as the consumer does in the
// background.
func (s *crashSession) takeOver(ctx context.Context, owned []TopicPartition) {
	s.state.Lock()
	defer s.state.Unlock()
	added := map[TopicPartition]*atomic.Bool{}
	for _, t := range owned {
		if s.taking[t] == nil && s.cursors[t] == nil {
			added[t] = new(atomic.Bool)
			s.taking[t] = added[t]
		}
	}
	if len(added) > 0 {
		s.wg.Go(func() { s.take(context.WithValue(ctx, mayTakeTime{}, true), added) })
	}
}

// take goes on until every partition is taken over or gone.
func (s *crashSession) take(ctx context.Context, added map[TopicPartition]*atomic.Bool) {
	for len(added) > 0 && Pause(ctx, 100*time.Millisecond) {
		offsets, err := s.Fetch(ctx, sortedKeys(added))
		if err != nil {
			continue
		}
		maps.DeleteFunc(offsets, func(_ TopicPartition, o GroupOffset) bool { return o.Offset < 0 }) // the consumer stops these
		positions, err := s.driver.Assign(ctx, offsets, func(t TopicPartition) bool { return !added[t].Load() })
		if err != nil {
			s.cancel()
			return
		}
		s.taken(added, positions)
	}
}

// taken starts to consume what was taken over, unless it was revoked meanwhile.
func (s *crashSession) taken(added map[TopicPartition]*atomic.Bool, positions map[TopicPartition]Position) {
	s.state.Lock()
	defer s.state.Unlock()
	for t, gone := range added {
		pos, ok := positions[t]
		if NeedsPerson(pos.Err) {
			s.mu.Lock()
			s.stopped[t] = true
			if len(s.touched) == 0 {
				s.fail(fmt.Errorf("%s stopped: %w", t, pos.Err))
			}
			s.mu.Unlock()
		}
		if s.taking[t] == gone && (!ok || pos.Err != nil) {
			continue // again
		}
		if s.taking[t] == gone {
			s.cursors[t] = &crashCursor{pos.Offset, pos.Offset}
			delete(s.taking, t)
		}
		delete(added, t)
	}
}

// seal seals what was consumed, if anything. It returns what waits for the decision.
func (s *crashSession) seal() (wait func(context.Context) error) {
	cursors, any := s.snapshot(), false
	ranges := map[TopicPartition][2]int64{}
	for t, c := range cursors {
		if c.pos > c.start {
			ranges[t] = [2]int64{c.start, c.pos}
			any = true
		}
	}
	if !any {
		return func(context.Context) error { return nil }
	}
	for _, c := range cursors {
		c.start = c.pos
	}
	m := manifest(ranges)
	s.number++
	m.ID = FirstID(time.Now())
	copy(m.ID[8:], fmt.Sprintf("%-4s%04d", s.name, s.number))
	return s.driver.Seal(m, &crashRows{rows{manifest: m}, s.crashMember})
}

func (s *crashSession) sealAll(ctx context.Context, twice bool) error {
	wait := s.seal()
	if twice { // both periods that may be open
		for _, c := range s.snapshot() {
			c.pos = min(c.pos+1, int64(s.plan.Records))
		}
		wait = s.seal()
	}
	return wait(ctx)
}

// revoke hands partitions over, whether they are consumed already or still being taken over.
func (s *crashSession) revoke(ctx context.Context, tps []TopicPartition) bool {
	if err := s.sealAll(ctx, false); err != nil {
		return false
	}
	s.state.Lock()
	for _, t := range tps {
		if gone := s.taking[t]; gone != nil {
			gone.Store(true)
		}
		delete(s.taking, t)
		delete(s.cursors, t)
	}
	s.state.Unlock()
	s.driver.Release(tps)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range tps {
		if s.owner[t] == s.crashMember {
			s.owner[t] = nil
		}
	}
	s.rebalance()
	return true
}
