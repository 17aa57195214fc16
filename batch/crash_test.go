package batch

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	crashSeeds = flag.Int("crash.seeds", 1000, "how many seeds TestCrash tries, besides those in testdata/crash-seeds.txt")
	crashSeed  = flag.Uint64("crash.seed", 0, "the only seed that TestCrash tries")
)

// TestCrash runs replicas with the real driver and its goroutines, in virtual time, against a world where at any port
// call, before and after its effect, replies are lost, requests are delayed or taken in part, jobs fail, replicas crash,
// are expelled without knowing, shut down and hand partitions over. In the end every record is visible exactly once, the
// offsets are at the end and the chains are empty.
func TestCrash(t *testing.T) {
	if *crashSeed != 0 {
		crashRun(t, *crashSeed)
		return
	}
	seeds := permanentSeeds(t)
	first := uint64(time.Now().UnixNano())
	t.Logf("seeds %d to %d, and %d permanent ones", first, first+uint64(*crashSeeds), len(seeds))
	for i := range *crashSeeds {
		seeds = append(seeds, first+uint64(i))
	}
	var wg sync.WaitGroup
	next := make(chan uint64)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := range next {
				if !t.Failed() {
					crashRun(t, seed)
				}
			}
		})
	}
	for _, seed := range seeds {
		next <- seed
	}
	close(next)
	wg.Wait()
}

func permanentSeeds(t *testing.T) (seeds []uint64) {
	f, err := os.Open("testdata/crash-seeds.txt")
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text != "" {
			seed, err := strconv.ParseUint(text, 10, 64)
			require.NoError(t, err)
			seeds = append(seeds, seed)
		}
	}
	return seeds
}

// crashRun runs one seed.
func crashRun(t *testing.T, seed uint64) {
	t.Run(fmt.Sprint(seed), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newCrashWorld(seed)
			defer func() {
				if t.Failed() {
					t.Logf("plan %+v; repeat with: go test ./batch -run 'TestCrash$' -crash.seed=%d", w.plan, seed)
				}
			}()
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for n := range w.plan.Replicas {
				wg.Go(func() { w.runReplica(ctx, n) })
			}
			for limit := time.Now().Add(10 * time.Minute); !w.complete() && time.Now().Before(limit); {
				Pause(ctx, time.Second)
			}
			cancel()
			wg.Wait()
			Pause(t.Context(), time.Hour) // jobs and requests still on their way
			require.NoError(t, w.verify())
		})
	})
}

// complete says that everything is committed, or lost, or waits for a person.
func (w *crashWorld) complete() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for t, o := range w.offsets {
		if w.touched[t] || w.stopped[t] {
			continue
		}
		if meta, err := ParseMetadata(o.Metadata); err != nil || len(meta.Chain) > 0 || o.Offset < int64(w.plan.Records) {
			return w.wrong != nil
		}
	}
	return true
}

// verify compares the end with what it must be.
func (w *crashWorld) verify() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wrong != nil {
		return w.wrong
	}
	for id := range w.visible {
		if w.decided[id] == nil {
			return fmt.Errorf("batch %s is visible and was not decided", id)
		}
	}
	for t, o := range w.offsets {
		if err := w.verifyPartition(t, o); err != nil {
			return err
		}
	}
	return nil
}

// verifyPartition compares a partition's end with what it must be. Of one whose offset a person has moved nothing is wanted,
// and of one that waits for a person everything but progress.
func (w *crashWorld) verifyPartition(t TopicPartition, o GroupOffset) error {
	if w.touched[t] {
		return nil
	}
	meta, err := ParseMetadata(o.Metadata)
	if !w.stopped[t] && (err != nil || len(meta.Chain) > 0 || o.Offset != int64(w.plan.Records)) {
		return fmt.Errorf("stuck: %s is at %d with %v", t, o.Offset, meta)
	}
	count := make([]int, w.plan.Records)
	for id, b := range w.decided {
		if w.visible[id] > 1 || w.visible[id] == 0 && len(w.touched) == 0 {
			return fmt.Errorf("batch %s was decided and is visible %d times", id, w.visible[id])
		}
		r, _ := b.Range(t)
		for o := r.Start; o < r.End; o++ {
			count[o] += w.visible[id]
		}
	}
	for at, n := range count {
		if n > 1 || n == 0 && int64(at) < o.Offset {
			return fmt.Errorf("record %d of %s is visible %d times, and it is committed to %d", at, t, n, o.Offset)
		}
	}
	return nil
}
