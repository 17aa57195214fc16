package batch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// crashSession is one session of a replica around a real driver that runs: the consumer's side of it.
type crashSession struct {
	*crashMember
	driver *Driver
	number int64 // of batches sealed
	wg     sync.WaitGroup

	state    sync.Mutex // never held while waiting
	cursors  map[TopicPartition]*crashCursor
	adopting map[TopicPartition]context.CancelFunc
}

type crashCursor struct{ start, pos int64 }

// runReplica is a process that is started again whenever it dies, until ctx ends.
func (w *crashWorld) runReplica(ctx context.Context, n int) {
	for ctx.Err() == nil {
		r := w.draw(fmt.Sprint("replica", n))
		if !Pause(ctx, time.Duration(r.IntN(2000))*time.Millisecond) {
			return
		}
		w.runSession(ctx)
	}
}

func (w *crashWorld) runSession(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &crashSession{crashMember: w.join(cancel), cursors: map[TopicPartition]*crashCursor{}, adopting: map[TopicPartition]context.CancelFunc{}}
	s.driver = NewDriver(Config{MaxChain: w.plan.MaxChain, CommitTimeout: time.Minute, RetryMin: 1, RetryMax: 1},
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
	s.takeOver(ctx, added, r)
	for _, t := range sortedKeys(s.snapshot()) {
		if c := s.snapshot()[t]; r.IntN(3) > 0 && !s.driver.Full() {
			c.pos = min(c.pos+r.Int64N(4), int64(s.plan.Records))
		}
	}
	if r.IntN(10) == 0 {
		s.driver.Idle()
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

// takeOver starts the callback for the partitions that are neither consumed nor being taken over, and may interrupt one
// under way: the client asks again.
func (s *crashSession) takeOver(ctx context.Context, owned []TopicPartition, r *rand.Rand) {
	s.state.Lock()
	defer s.state.Unlock()
	var added []TopicPartition
	for _, t := range owned {
		if cancel := s.adopting[t]; cancel != nil && s.spend(r) {
			cancel()
		} else if cancel == nil && s.cursors[t] == nil {
			added = append(added, t)
		}
	}
	if len(added) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.WithValue(ctx, mayTakeTime{}, true))
	for _, t := range added {
		s.adopting[t] = cancel
	}
	s.wg.Go(func() {
		defer cancel()
		positions, err := s.adopt(ctx, added)
		s.state.Lock()
		defer s.state.Unlock()
		for _, t := range added {
			delete(s.adopting, t)
			if err == nil && ctx.Err() == nil {
				s.cursors[t] = &crashCursor{positions[t].Offset, positions[t].Offset}
			}
		}
		if errors.Is(err, ErrRejoin) {
			s.cancel()
		}
	})
}

// adopt asks for the offsets once and goes on with them until the driver has taken the partitions over.
func (s *crashSession) adopt(ctx context.Context, added []TopicPartition) (positions map[TopicPartition]Position, err error) {
	offsets, err := s.Fetch(ctx, added)
	if err != nil {
		return nil, err
	}
	for {
		positions, err = s.driver.Assign(ctx, offsets)
		if err != nil && !errors.Is(err, ErrRejoin) && Pause(ctx, 100*time.Millisecond) {
			continue
		}
		for t, pos := range positions {
			if pos.Stop != nil {
				s.mu.Lock()
				s.fail(fmt.Errorf("%s stopped: %w", t, pos.Stop))
				s.mu.Unlock()
			}
		}
		return positions, err
	}
}

// seal seals what was consumed, if anything. It returns what waits for the decision.
func (s *crashSession) seal() (wait func(context.Context) error) {
	cursors, any := s.snapshot(), false
	ranges := map[TopicPartition][2]int64{}
	for t, c := range cursors {
		ranges[t] = [2]int64{c.start, c.pos}
		any = any || c.pos > c.start
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

// revoke hands partitions over. A callback that takes one of them over is interrupted and waited for.
func (s *crashSession) revoke(ctx context.Context, tps []TopicPartition) bool {
	s.state.Lock()
	for _, t := range tps {
		if cancel := s.adopting[t]; cancel != nil {
			cancel()
		}
	}
	busy := slices.ContainsFunc(tps, func(t TopicPartition) bool { return s.adopting[t] != nil })
	s.state.Unlock()
	if busy {
		return true // in the next turn
	}
	if err := s.sealAll(ctx, false); err != nil {
		return false
	}
	s.driver.Release(tps)
	s.state.Lock()
	for _, t := range tps {
		delete(s.cursors, t)
	}
	s.state.Unlock()
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
