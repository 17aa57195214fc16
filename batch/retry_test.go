package batch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
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

// givesWay is the failure of a merge that another one excludes.
type givesWay struct{}

func (givesWay) Error() string  { return "aborted due to concurrent update" }
func (givesWay) Expected() bool { return true }

// 59 replicas merge into one table at one boundary, each merge takes a minute, and one that overlaps another is cancelled at
// once. Time is the bubble's. They get through about one after the other, nobody is told of a failure meanwhile, and the
// attempts stay below what BigQuery takes of a table, 25 statements in ten seconds, on average over any five minutes; single
// bursts may be refused and come again.
func TestDriver_ReplicasThatExcludeEachOtherGetThrough(t *testing.T) {
	const replicas, takes = 59, time.Minute
	const most = 30 * 25 // attempts in five minutes
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var attempts []time.Time
		busy, applied := false, 0
		log := &levels{}
		for range replicas {
			w := newWorld()
			w.fault = func(p string) error {
				if p != "apply before" {
					return nil
				}
				mu.Lock()
				attempts = append(attempts, time.Now())
				if busy {
					mu.Unlock()
					return givesWay{}
				}
				busy = true
				mu.Unlock()
				<-time.After(takes)
				mu.Lock()
				defer mu.Unlock()
				busy = false
				applied++
				return nil
			}
			s := startLogged(t, w, Config{MaxBatches: 4, CommitTimeout: time.Second, RetryMin: time.Second, RetryMax: 5 * time.Minute}, slog.New(log))
			s.assign(t, tp(0))
			require.NoError(t, s.seal(manifest(map[TopicPartition][2]int64{tp(0): {0, 1}}))(t.Context()))
		}
		began := time.Now()
		done := func() bool {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return applied == replicas
		}
		for !done() {
			require.True(t, Pause(t.Context(), time.Second))
			require.Less(t, time.Since(began), expectedFor)
		}
		t.Logf("%s, %d attempts", time.Since(began), len(attempts))
		require.Zero(t, log.above.Load(), "no false alarm")
		require.Less(t, len(attempts), 100*replicas)
		for i := most; i < len(attempts); i++ {
			require.Greater(t, attempts[i].Sub(attempts[i-most]), 5*time.Minute)
		}
	})
}

// Who does not get a turn for hours is told of.
func TestDriver_GivingWayForHoursIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, log := newWorld(), &levels{}
		w.fault = func(p string) error {
			if p == "apply before" {
				return givesWay{}
			}
			return nil
		}
		s := startLogged(t, w, Config{MaxBatches: 4, CommitTimeout: time.Second, RetryMin: time.Second, RetryMax: 5 * time.Minute}, slog.New(log))
		s.assign(t, tp(0))
		require.NoError(t, s.seal(manifest(map[TopicPartition][2]int64{tp(0): {0, 1}}))(t.Context()))
		require.True(t, Pause(t.Context(), expectedFor-time.Minute))
		require.Zero(t, log.above.Load())
		require.True(t, Pause(t.Context(), 5*time.Minute))
		require.Positive(t, log.above.Load())
	})
}

// levels counts what is logged as more than information.
type levels struct{ above atomic.Int64 }

func (l *levels) Enabled(_ context.Context, level slog.Level) bool { return level > slog.LevelInfo }
func (l *levels) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *levels) WithGroup(string) slog.Handler                    { return l }
func (l *levels) Handle(context.Context, slog.Record) error        { l.above.Add(1); return nil }
