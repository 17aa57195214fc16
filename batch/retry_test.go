package batch

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Failed load jobs count against BigQuery's quota of 1,500 per table and day.
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
		const most = 10
		s := startWith(t, w, Config{MaxChain: most, CommitTimeout: time.Second, RetryMin: time.Second, RetryMax: 5 * time.Minute})
		s.assign(t, tp(0))
		for i := range int64(most) {
			require.NoError(t, s.seal(manifest(map[TopicPartition][2]int64{tp(0): {i, i + 1}}))(t.Context()))
		}
		time.Sleep(6 * time.Hour) // until every backoff has grown to its bound
		synctest.Wait()
		before := attempts
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		require.InDelta(t, 24*12, attempts-before, 60, "attempts of a day, one per five minutes")

		refuse = false
		began := time.Now()
		for len(w.applied) == 0 {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		require.Less(t, time.Since(began), 30*time.Minute, "the first of ten")
		require.Len(t, w.applied, most, "one that is applied calls the others")
		require.Equal(t, int64(most), w.offsets[tp(0)].Offset)
	})
}
