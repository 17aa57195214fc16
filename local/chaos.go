package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"time"
)

// chaos does something to a random replica again and again until ctx ends: kills it with SIGKILL, asks it to hand over
// with SIGTERM, or freezes it for longer than the group waits, so that it wakes up as a zombie whose partitions others
// have. A replica that has ended is started again.
type chaos struct {
	random   *rand.Rand
	replicas []replica
	start    func() (replica, error)
	visible  func() int64 // records committed so far
	say      func(format string, args ...any)
	did      incidents
}

// incidents are how many there were of each kind.
type incidents struct{ kills, stops, freezes int }

func (n incidents) String() string {
	return fmt.Sprintf("%d kills, %d stops, %d freezes", n.kills, n.stops, n.freezes)
}

const (
	chaosPause  = 700 * time.Millisecond // on average, from the first progress to the next incident
	freezeFor   = 6 * time.Second        // longer than the session timeout under chaos
	freezeShare = 0.1
	// chaosSession is the session timeout under chaos, which the embedded Kafka is told to take.
	chaosSession = 2 * time.Second
	stopShare    = 0.2
	// noProgress is how long an incident waits for something to be committed since the last one. A group that is hit
	// again before it has recovered only shows that it recovers no faster than its timeouts.
	noProgress = 15 * time.Second
)

// chaosEnv shortens the group's timeouts, so that a kill costs seconds.
func chaosEnv() map[string]string {
	return map[string]string{"TIDEMARK_SESSION_TIMEOUT": chaosSession.String(), "TIDEMARK_REBALANCE_TIMEOUT": "4s"}
}

func (c *chaos) run(ctx context.Context) error {
	for {
		before := c.visible()
		for waited := time.Duration(0); c.visible() == before && waited < noProgress; waited += chaosPause / 5 {
			if !pause(ctx, chaosPause/5) {
				return nil
			}
		}
		if !pause(ctx, time.Duration(c.random.ExpFloat64()*float64(chaosPause))) {
			return nil
		}
		if err := c.incident(ctx, c.random.IntN(len(c.replicas))); err != nil {
			return err
		}
	}
}

// pause waits; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (c *chaos) incident(ctx context.Context, i int) error {
	r := c.replicas[i]
	select {
	case <-r.done():
		return fmt.Errorf("replica %d ended by itself: %w", i, r.err())
	default:
	}
	switch what := c.random.Float64(); {
	case what < freezeShare:
		return c.freeze(ctx, i)
	case what < freezeShare+stopShare:
		c.say("chaos: SIGTERM to replica %d", i)
		c.did.stops++
		return c.replace(i, syscall.SIGTERM)
	default:
		c.say("chaos: SIGKILL to replica %d", i)
		c.did.kills++
		return c.replace(i, syscall.SIGKILL)
	}
}

func (c *chaos) replace(i int, s os.Signal) error {
	r := c.replicas[i]
	if err := r.signal(s); err != nil {
		return err
	}
	<-r.done()
	fresh, err := c.start()
	if err != nil {
		return err
	}
	c.replicas[i] = fresh
	return nil
}

func (c *chaos) freeze(ctx context.Context, i int) error {
	c.say("chaos: SIGSTOP to replica %d for %s", i, freezeFor)
	c.did.freezes++
	if err := c.replicas[i].signal(syscall.SIGSTOP); err != nil {
		return err
	}
	pause(ctx, freezeFor) // cut short at the end
	return c.replicas[i].signal(syscall.SIGCONT)
}
