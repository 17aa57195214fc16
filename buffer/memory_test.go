package buffer

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

func TestBuffer_BudgetIsRespectedWithManyTeams(t *testing.T) {
	r := seeded(t)
	cfg := testConfig()
	cfg.Memory, cfg.PartSize = 16<<20, 4<<20
	f := start(t, cfg, &fakeParts{})
	b := f.batch(columns())
	var high, rows int64
	for n := 0; n < 12_000; n += 100 {
		require.NoError(t, f.Wait(t.Context()))
		require.LessOrEqual(t, f.budget.held.Load(), int64(cfg.Memory))
		events := make([]event, 100)
		for i := range events {
			events[i] = makeEvent(1+r.Int64N(900), n+i, 2000)
		}
		require.NoError(t, b.Append(t.Context(), poll(events...)))
		high, rows = max(high, f.budget.held.Load()), rows+100
	}
	require.False(t, b.Full())
	contents, err := b.Finish(t.Context())
	require.NoError(t, err)
	require.Equal(t, rows, contents.Tables[0].Rows())
	// One Append adds 100 rows, in the worst case to as many new builders, which take some 30 KB for their first.
	require.LessOrEqual(t, high, int64(cfg.Memory)+3<<20)
	require.Positive(t, testutil.ToFloat64(f.metrics.parts.WithLabelValues("budget")))
	f.requireEmpty(t)
}

func TestBatch_FinishWaitsForRowsThatAreBeingHandedOver(t *testing.T) {
	f := start(t, testConfig(), &fakeParts{})
	b := f.batch(columns())
	require.NoError(t, b.Append(t.Context(), poll(makeEvent(1, 1, 10), makeEvent(2, 2, 10))))
	// Memory pressure is half-way through: it has taken the rows and not yet made a part of them.
	f.relief.Lock()
	s := &shared{batch: b, sheet: b.events, target: 1 << 20, cause: causeBudget}
	for _, bin := range b.nonEmpty() {
		s.add(bin)
	}
	finished := make(chan batch.Contents)
	go func() {
		contents, err := b.Finish(t.Context())
		if err != nil {
			t.Error(err)
		}
		finished <- contents
	}()
	for i := 0; i < 1000 || !b.sealed.Load(); i++ {
		runtime.Gosched()
	}
	s.flush()
	f.relief.Unlock()
	contents := <-finished
	check(t, contents)
	require.EqualValues(t, 2, contents.Tables[0].Rows())
}

func TestBuffer_LargestTeamIsHandedOverFirst(t *testing.T) {
	cfg := testConfig()
	cfg.Memory, cfg.PartSize = 8<<20, 4<<20
	f := start(t, cfg, &fakeParts{})
	small, large := f.batch(columns()), f.batch(columns())
	require.NoError(t, small.Append(t.Context(), poll(makeEvent(1, 0, 1000))))
	n := 0
	for testutil.ToFloat64(f.metrics.parts.WithLabelValues("budget")) == 0 {
		var events []event
		for range 100 {
			n++
			events = append(events, makeEvent(2+int64(n%2), n, 1000))
		}
		require.NoError(t, large.Append(t.Context(), poll(events...)))
		require.NoError(t, f.Wait(t.Context()))
		require.Less(t, n, 20_000)
	}
	require.Len(t, small.nonEmpty(), 1, "a small team of another batch is left alone")
	small.Discard()
	large.Discard()
}

func TestBatch_PartIsCutAtItsSize(t *testing.T) {
	cfg := testConfig()
	cfg.PartSize = 1 << 20
	f := start(t, cfg, &fakeParts{})
	b := f.batch(columns())
	var events []event
	for n := range 500 {
		events = append(events, makeEvent(3, n, 10_000))
	}
	require.NoError(t, b.Append(t.Context(), poll(events...)))
	contents, err := b.Finish(t.Context())
	require.NoError(t, err)
	parts := contents.Tables[0].Parts
	require.Len(t, parts, 5)
	for i, p := range parts {
		require.Equal(t, batch.PartObject("tm", b.id, "events", 3, i), p.Object)
		if i < len(parts)-1 {
			require.InDelta(t, 1<<20, p.Rows*10_200, 20_000)
		}
	}
	require.Equal(t, 4.0, testutil.ToFloat64(f.metrics.parts.WithLabelValues("size")))
	require.Equal(t, 1.0, testutil.ToFloat64(f.metrics.parts.WithLabelValues("seal")))
}

// held is a store that holds uploads up until it is released.
func held() (*fakeParts, func()) {
	release := make(chan struct{})
	return &fakeParts{onStore: func(ctx context.Context, _ string) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}, func() { close(release) }
}

// fill fills the memory with rows that are as large when encoded.
func fill(t *testing.T, f *fixture, b *Batch) {
	r := seeded(t)
	for n := 0; !f.budget.over() || f.jobs.Load() == 0; n += 100 { // until Wait would wait
		var events []event
		for i := range 100 {
			e := makeEvent(1, n+i, 0)
			random := make([]byte, 3000)
			for i := range random {
				random[i] = 'a' + byte(r.IntN(26))
			}
			e.properties = `{"random":"` + string(random) + `"}`
			events = append(events, e)
		}
		require.NoError(t, b.Append(t.Context(), poll(events...)))
		require.Less(t, n, 100_000)
	}
}

func TestBuffer_WaitEndsWhenUploadsFreeMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.Memory, cfg.PartSize = 8<<20, 1<<20
		parts, release := held()
		f := start(t, cfg, parts)
		b := f.batch(columns())
		for f.budget.held.Load() <= int64(cfg.Memory) {
			fill(t, f, b)
			synctest.Wait() // encoders have nothing left
		}
		waited := make(chan error)
		go func() { waited <- f.Wait(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-waited:
			require.Fail(t, "did not wait", "err %v, held %d", err, f.budget.held.Load())
		default:
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, f.Wait(ctx), context.DeadlineExceeded)
		release()
		require.NoError(t, <-waited)
		b.Discard()
		synctest.Wait()
		f.requireEmpty(t)
		f.stop()
	})
}

func TestBuffer_WaitEndsWhenRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.Memory, cfg.PartSize = 8<<20, 1<<20
		parts, _ := held()
		f := start(t, cfg, parts)
		b := f.batch(columns())
		for f.budget.held.Load() <= int64(cfg.Memory) {
			fill(t, f, b)
			synctest.Wait()
		}
		waited := make(chan error)
		go func() { waited <- f.Wait(t.Context()) }()
		synctest.Wait()
		f.stop()
		synctest.Wait()
		_ = <-waited // nil if the uploads that ended freed enough before
		require.ErrorIs(t, f.Wait(t.Context()), ErrStopped)
		_, err := b.Finish(t.Context())
		require.Error(t, err)
		b.Discard()
		f.requireEmpty(t)
	})
}

func TestBatch_DiscardFreesEverything(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, f *fixture, b *Batch){
		"empty": func(*testing.T, *fixture, *Batch) {},
		"open": func(t *testing.T, f *fixture, b *Batch) {
			require.NoError(t, b.Append(t.Context(), poll(makeEvent(1, 1, 10), event{team: 1}, makeEvent(2, 1, 10))))
		},
		"uploading":              fill,
		"uploading and encoding": func(t *testing.T, f *fixture, b *Batch) { fill(t, f, b); synctest.Wait(); fill(t, f, b) },
		"finishing": func(t *testing.T, f *fixture, b *Batch) {
			fill(t, f, b)
			go func() { _, _ = b.Finish(t.Context()) }()
		},
		"stopped": func(t *testing.T, f *fixture, b *Batch) {
			fill(t, f, b)
			f.stop()
		},
		"appending": func(t *testing.T, f *fixture, b *Batch) {
			go func() { _ = b.Append(t.Context(), poll(makeEvent(1, 1, 10), makeEvent(2, 2, 20))) }()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig()
				cfg.Memory, cfg.PartSize = 8<<20, 1<<20
				parts, _ := held()
				f := start(t, cfg, parts)
				b := f.batch(columns())
				prepare(t, f, b)
				go b.Discard()
				b.Discard()
				synctest.Wait()
				f.requireEmpty(t)
				require.Empty(t, f.open)
				require.ErrorIs(t, b.Append(t.Context(), poll(makeEvent(1, 9, 10))), map[bool]error{true: ErrSealed, false: ErrDiscarded}[b.sealed.Load()])
				f.requireEmpty(t)
				select {
				case err := <-f.ended:
					require.ErrorIs(t, err, context.Canceled, "a discarded upload is no error")
				default:
				}
				f.stop()
			})
		})
	}
}

func TestBatch_DiscardAfterFinishChangesNothing(t *testing.T) {
	f := start(t, testConfig(), &fakeParts{})
	b := f.batch(columns())
	require.NoError(t, b.Append(t.Context(), poll(makeEvent(1, 1, 10))))
	contents, err := b.Finish(t.Context())
	require.NoError(t, err)
	b.Discard()
	b.Discard()
	require.EqualValues(t, 1, contents.Tables[0].Rows())
	f.requireEmpty(t)
}

func TestBatch_PartThatCannotBeStoredStopsTheBuffer(t *testing.T) {
	broken := errors.New("forbidden")
	f := start(t, testConfig(), &fakeParts{onStore: func(context.Context, string) error { return broken }})
	b := f.batch(columns())
	require.NoError(t, b.Append(t.Context(), poll(makeEvent(1, 1, 10))))
	_, err := b.Finish(t.Context())
	require.ErrorIs(t, err, broken)
	require.ErrorIs(t, <-f.ended, broken)
	b.Discard()
	f.requireEmpty(t)
}

func TestBatch_FinishEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts, release := held()
		f := start(t, testConfig(), parts)
		b := f.batch(columns())
		require.NoError(t, b.Append(t.Context(), poll(makeEvent(1, 1, 10))))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := b.Finish(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		b.Discard()
		synctest.Wait()
		f.requireEmpty(t)
		release()
		f.stop()
	})
}
