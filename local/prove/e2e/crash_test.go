package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
)

// A replica is killed at every point of the protocol, before and after the effect; another one takes over. No row is
// missing or doubled, no record of a decided batch is read again, and every batch of persons was merged once.
func TestCrash_AtEveryPointLosesAndDoublesNothing(t *testing.T) {
	m := newMatrix(t)
	for i, p := range points() {
		t.Run(p.step+", "+p.when, func(t *testing.T) {
			w := newWorld(t, withPersons, func(c *stack.Config) { c.JSON = p.json })
			victim, before, reached := w.bring(p)
			w.reach(reached, victim)
			victim.Kill()
			decided := w.decided()
			wasDecided := advanced(before, decided)
			close(w.dead)

			seen := harness.NewReads()
			successor := w.start(nil, kgo.WithHooks(seen))
			w.produce(300)
			w.waitExported()
			successor.HandOver()
			report := w.requireExact()
			require.Zero(t, seen.Below(decided), "records of decided batches are not read again")
			m.add(i, p, outcome{decided: wasDecided, report: report})
		})
	}
}

// bring starts a replica that comes to stand still at its point, when reached is closed. before is what was exported
// when the point was armed, or ahead of the last batch.
func (w *world) bring(p point) (victim *harness.Replica, before map[batch.TopicPartition]int64, reached <-chan struct{}) {
	w.Helper()
	if p.armed == cold {
		reached = p.arm(w)
		w.produce(700)
		return w.startProcess(nil), before, reached
	}
	victim = w.startProcess(nil)
	w.produce(300)
	w.waitExported() // it is a member, with everything warm
	before = w.ends()
	if p.armed == idle {
		w.produce(700)
		w.waitExported()
		return victim, before, p.arm(w)
	}
	reached = p.arm(w)
	w.produce(700)
	return victim, before, reached
}

// reach waits until the replica stands at its point.
func (w *world) reach(reached <-chan struct{}, r *harness.Replica) {
	w.Helper()
	select {
	case <-reached:
	case <-r.Done():
		w.Fatalf("replica ended before its point: %v", r.Err())
	case <-w.Context().Done():
		w.Fatal("point never reached")
	}
}
