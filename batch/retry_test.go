package batch

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Failed load jobs count against BigQuery's quota of 1,500 per table and day. Time is the bubble's: hours pass at once.
func TestDriver_ManyFailingBatchesTryNoMoreOftenThanOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		attempts, refuse := 0, true
		w.fault = func(p string) error {
			if p == "apply before" && refuse {
				attempts++
				return errors.New("destination refuses")
			}
			return nil
		}
		pass := func(d time.Duration) (tried, applied int) {
			require.True(t, Pause(t.Context(), d))
			synctest.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			return attempts, len(w.applied)
		}
		const most = 10
		s := startWith(t, w, Config{MaxBatches: most, CommitTimeout: time.Second, RetryMin: time.Second, RetryMax: 5 * time.Minute})
		s.assign(t, tp(0))
		for i := range int64(most) {
			require.NoError(t, s.seal(manifest(map[TopicPartition][2]int64{tp(0): {i, i + 1}}))(t.Context()))
		}
		before, _ := pass(6 * time.Hour) // every backoff has grown to its bound
		after, _ := pass(24 * time.Hour)
		require.InDelta(t, 24*12, after-before, 60, "attempts of a day, one per five minutes")

		w.mu.Lock()
		refuse = false
		w.mu.Unlock()
		began := time.Now()
		for applied := 0; applied == 0; {
			if _, applied = pass(time.Second); applied > 0 {
				require.Equal(t, most, applied, "one that is applied calls the others")
			}
			require.Less(t, time.Since(began), 30*time.Minute, "the first of ten")
		}
	})
}
