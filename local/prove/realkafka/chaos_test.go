package realkafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/local/generator"
	"tidemark/local/prove/harness"
)

const (
	chaosReplicas = 3
	// roundKills is how many kills are made before everything is verified and the next round begins with an empty
	// object store and BigQuery. A round stays well below half of the day's load jobs, from where on tidemark lengthens
	// its periods to minutes.
	roundKills = 50
	chaosRate  = 400.0                  // messages a second
	chaosPause = 500 * time.Millisecond // on average, from the first progress to the next incident
	// noProgress is how long an incident waits for something to be committed since the last one: a group that is hit
	// again before it has recovered only shows that it recovers no faster than its timeouts.
	noProgress  = 8 * time.Second
	frozenFor   = 3500 * time.Millisecond // longer than the session timeout
	brokerShare = 0.04
	freezeShare = 0.08
	stopShare   = 0.16
)

// chaos does something to a random replica, or to Kafka itself, until KILLS replicas got SIGKILL (20 by default). SEED
// repeats a run's choices, though not its timing; every round adds 1 to it.
type chaos struct {
	*world
	random                         *rand.Rand
	replicas                       []*harness.Replica
	kills, stops, freezes, brokers int
}

func TestChaos_KillsLoseAndDoubleNothing(t *testing.T) {
	kills, seed := int(number(t, "KILLS", 20)), number(t, "SEED", rand.Uint64()>>32)
	b := ownBroker(t)
	var sum chaos
	for round := 0; sum.kills < kills; round++ {
		t.Run(fmt.Sprintf("round %d", round), func(t *testing.T) {
			c := &chaos{world: newWorldOn(t, b, seed+uint64(round), persons)}
			c.run(min(roundKills, kills-sum.kills))
			sum.kills, sum.stops, sum.freezes, sum.brokers = sum.kills+c.kills, sum.stops+c.stops, sum.freezes+c.freezes, sum.brokers+c.brokers
		})
		require.False(t, t.Failed(), "after %d SIGKILL", sum.kills)
		fmt.Printf("seed %d: %d SIGKILL, %d SIGTERM, %d SIGSTOP and %d SIGKILL of Kafka survived\n", seed, sum.kills, sum.stops, sum.freezes, sum.brokers)
	}
}

// run is one round, verified at its end.
func (c *chaos) run(kills int) {
	c.Helper()
	c.random = rand.New(rand.NewPCG(c.seed, 1)) //nolint:gosec // repeatable on purpose
	c.env["TIDEMARK_SESSION_TIMEOUT"], c.env["TIDEMARK_REBALANCE_TIMEOUT"] = "2s", "4s"
	for range chaosReplicas {
		c.replicas = append(c.replicas, c.startProcess(nil))
	}
	result, stop := c.produceUntilStopped()
	started := time.Now()
	for c.kills < kills {
		c.waitForProgress()
		c.pause(time.Duration(c.random.ExpFloat64() * float64(chaosPause)))
		c.incident(c.random.IntN(len(c.replicas)))
	}
	stop()
	input := <-result
	require.NoError(c, input.err)
	took := time.Since(started)
	c.waitExported()
	for _, r := range c.replicas {
		r.HandOver()
	}
	c.Logf("%d SIGKILL in %s with %d records: %s", c.kills, took.Round(time.Second), input.records, c.requireExact())
}

// number reads a variable of the environment.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, "%s is %q; want a number", name, text)
	return n
}

type produced struct {
	records uint64
	err     error
}

// produceUntilStopped produces in the background. The channel says how it went.
func (c *chaos) produceUntilStopped() (result <-chan produced, stop context.CancelFunc) {
	c.Helper()
	gen := c.generator()
	ctx, stop := context.WithCancel(c.Context())
	done := make(chan produced, 1) // not waited for when the test fails
	go func() {
		opts := c.produceOptions()
		opts.Rate = chaosRate
		stats, err := generator.Produce(ctx, gen, opts, nil)
		done <- produced{stats.Records, err}
	}()
	return done, stop
}

// sum of the committed offsets; 0 while there is no answer.
func (c *chaos) sum() (n int64) {
	offsets, err := c.offsets()
	if err != nil {
		return 0
	}
	for _, o := range offsets {
		n += o.Offset
	}
	return n
}

func (c *chaos) waitForProgress() {
	c.Helper()
	before := c.sum()
	for started := time.Now(); c.sum() <= before && time.Since(started) < noProgress; {
		c.pause(chaosPause / 5)
	}
}

func (c *chaos) incident(i int) {
	c.Helper()
	r := c.replicas[i]
	select {
	case <-r.Done():
		require.Fail(c, "replica ended by itself", "%v\n%s", r.Err(), r.Log)
	default:
	}
	switch what := c.random.Float64(); {
	case what < brokerShare:
		c.brokers++
		c.broker.Kill()
		require.NoError(c, c.broker.Run(c.Context()))
	case what < brokerShare+freezeShare:
		c.freezes++
		r.Signal(syscall.SIGSTOP)
		c.pause(frozenFor)
		r.Signal(syscall.SIGCONT)
	case what < brokerShare+freezeShare+stopShare:
		c.stops++
		r.HandOver()
		c.replicas[i] = c.startProcess(nil)
	default:
		c.kills++
		r.Kill()
		c.replicas[i] = c.startProcess(nil)
	}
}
