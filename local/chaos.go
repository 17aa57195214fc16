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
	say      func(format string, args ...any)
	kills    int
}

const (
	chaosPause  = 1500 * time.Millisecond // on average, between two incidents
	freezeFor   = 10 * time.Second        // longer than the session timeout of local mode
	freezeShare = 0.1
	stopShare   = 0.2
)

func (c *chaos) run(ctx context.Context) error {
	for {
		pause := time.NewTimer(time.Duration(c.random.ExpFloat64() * float64(chaosPause)))
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil
		case <-pause.C:
		}
		if err := c.incident(ctx, c.random.IntN(len(c.replicas))); err != nil {
			return err
		}
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
		return c.replace(i, syscall.SIGTERM)
	default:
		c.say("chaos: SIGKILL to replica %d", i)
		c.kills++
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
	if err := c.replicas[i].signal(syscall.SIGSTOP); err != nil {
		return err
	}
	thaw := time.NewTimer(freezeFor)
	defer thaw.Stop()
	select {
	case <-ctx.Done():
	case <-thaw.C:
	}
	return c.replicas[i].signal(syscall.SIGCONT)
}
