package realkafka

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/local/generator"
)

// Kafka itself gets SIGKILL while records arrive and are exported, and starts again on its data.
func TestBroker_KilledAndStartedAgainLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, ownBroker(t), rand.Uint64()>>32, persons)
	a, b := w.start(nil), w.startProcess(nil)
	w.produce(500)
	w.waitExported()
	for range 2 {
		produced := w.produceAtRate(400, 2000)
		w.pause(1500 * time.Millisecond) // in the middle of it
		w.broker.Kill()
		w.pause(time.Second)
		require.NoError(t, w.broker.Run(t.Context()))
		require.NoError(t, <-produced)
		w.waitExported()
	}
	a.HandOver()
	b.HandOver()
	w.requireExact()
}

// produceAtRate makes n more messages in the background, rate a second. The channel says how it went.
func (w *world) produceAtRate(rate float64, n uint64) <-chan error {
	w.Helper()
	gen, first := w.generator(), w.next
	w.next += n
	done := make(chan error, 1) // of one result, which may not be waited for
	go func() {
		opts := w.produceOptions()
		opts.First, opts.Records, opts.Rate = first, n, rate
		_, err := generator.Produce(w.Context(), gen, opts, nil)
		done <- err
	}()
	return done
}

// pause lets time pass in which something is meant to happen.
func (w *world) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.Context().Done():
	}
}
