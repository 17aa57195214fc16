package gcs

import (
	"net/http"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"
)

func TestFault_LostReplyAfterEffectShowsAsPreconditionOnRetry(t *testing.T) {
	for name, fault := range map[string]Fault{
		"status":  {Op: OpInsert, Object: "batches/", Apply: true, Status: http.StatusServiceUnavailable},
		"dropped": {Op: OpInsert, Object: "batches/", Apply: true, Drop: true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, s := testContext(t), start(t, Config{})
			b := client(t, s)
			injected := s.Inject(fault)
			requireStatus(t, put(ctx, b, "batches/1.json", "mine"), http.StatusPreconditionFailed)
			require.Equal(t, 1, injected.Hits())
			content, err := get(ctx, b, "batches/1.json")
			require.NoError(t, err)
			require.Equal(t, "mine", content)
		})
	}
}

func TestFault_BeforeEffectIsRetriedWithSuccess(t *testing.T) {
	for name, fault := range map[string]Fault{
		"status":  {Op: OpInsert, Count: 3, Status: http.StatusServiceUnavailable},
		"dropped": {Op: OpInsert, Count: 2, Drop: true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, s := testContext(t), start(t, Config{})
			b := client(t, s)
			injected := s.Inject(fault)
			require.NoError(t, put(ctx, b, "a", "x"))
			require.Equal(t, fault.Count, injected.Hits())
		})
	}
}

func TestFault_PermanentStatusHasNoEffect(t *testing.T) {
	ctx, s := testContext(t), start(t, Config{})
	b := client(t, s)
	injected := s.Inject(Fault{Op: OpInsert, Count: -1, Status: http.StatusForbidden})
	requireStatus(t, put(ctx, b, "a", "x"), http.StatusForbidden)
	injected.Remove()
	_, err := get(ctx, b, "a")
	require.ErrorIs(t, err, storage.ErrObjectNotExist)
	require.NoError(t, put(ctx, b, "a", "x"))
}

func TestFault_MatchesOperationObjectAndSkip(t *testing.T) {
	ctx, s := testContext(t), start(t, Config{})
	b := client(t, s)
	attrs := s.Inject(Fault{Op: OpAttrs, Object: "parts/", Skip: 1, Status: http.StatusForbidden})
	read := s.Inject(Fault{Op: OpRead, Object: "parts/b", Status: http.StatusForbidden})
	list := s.Inject(Fault{Op: OpList, Object: "parts/", Status: http.StatusForbidden})
	remove := s.Inject(Fault{Op: OpDelete, Status: http.StatusForbidden})
	require.NoError(t, put(ctx, b, "parts/a", "x"))

	_, err := b.Object("parts/a").Attrs(ctx)
	require.NoError(t, err, "skipped")
	_, err = b.Object("parts/a").Attrs(ctx)
	requireStatus(t, err, http.StatusForbidden)
	_, err = get(ctx, b, "parts/a")
	require.NoError(t, err, "another object")
	_, err = get(ctx, b, "parts/b")
	require.Error(t, err)
	_, err = b.Objects(ctx, &storage.Query{Prefix: "parts/"}).Next()
	requireStatus(t, err, http.StatusForbidden)
	requireStatus(t, b.Object("parts/a").Delete(ctx), http.StatusForbidden)
	for _, injected := range []*Injected{attrs, read, list, remove} {
		require.Equal(t, 1, injected.Hits())
	}
}

func TestFault_HoldBlocksUntilReleased(t *testing.T) {
	ctx, s := testContext(t), start(t, Config{})
	b := client(t, s)
	release := make(chan struct{})
	injected := s.Inject(Fault{Op: OpInsert, Hold: release})
	hit, done := injected.Hit(), make(chan error, 1)
	go func() { done <- put(ctx, b, "a", "x") }()
	<-hit
	_, err := b.Object("a").Attrs(ctx)
	require.ErrorIs(t, err, storage.ErrObjectNotExist, "held before its effect")
	close(release)
	require.NoError(t, <-done)
}

func TestFault_DelaySlowsOneRequest(t *testing.T) {
	ctx, s := testContext(t), start(t, Config{})
	b := client(t, s)
	injected := s.Inject(Fault{Op: OpInsert, Delay: 20 * time.Millisecond})
	begin := time.Now()
	require.NoError(t, put(ctx, b, "a", "x"))
	require.GreaterOrEqual(t, time.Since(begin), 20*time.Millisecond)
	require.Equal(t, 1, injected.Hits())
}

func TestFault_ClientDoesNotRetryWithoutChunk(t *testing.T) {
	ctx, s := testContext(t), start(t, Config{})
	s.Inject(Fault{Op: OpInsert, Apply: true, Status: http.StatusServiceUnavailable})
	w := client(t, s).Object("a").If(storage.Conditions{DoesNotExist: true}).NewWriter(ctx)
	w.ChunkSize = 0
	_, err := w.Write([]byte("x"))
	require.NoError(t, err)
	requireStatus(t, w.Close(), http.StatusServiceUnavailable)
}

// A reply that is held and then lost: the effect is there as soon as the fault is hit.
func TestFault_AppliedIsHitAfterItsEffect(t *testing.T) {
	ctx, s := testContext(t), start(t, Config{})
	b := client(t, s)
	release := make(chan struct{})
	hit, done := s.Inject(Fault{Op: OpInsert, Apply: true, Drop: true, Hold: release}).Hit(), make(chan error, 1)
	go func() { done <- put(ctx, b, "a", "x") }()
	<-hit
	_, err := b.Object("a").Attrs(ctx)
	require.NoError(t, err)
	select {
	case err := <-done:
		t.Fatal("answered before it was released:", err)
	default:
	}
	close(release)
	requireStatus(t, <-done, http.StatusPreconditionFailed) // the client has tried again
}
