package loader

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

func TestGCS_PutThenGet(t *testing.T) {
	s := newServer(t)
	g := s.store(t)
	for _, data := range [][]byte{[]byte("hello"), {}, bytes.Repeat([]byte("0123456789"), 1<<20)} {
		name := "tm/a b?é%-" + time.Duration(len(data)).String()
		require.NoError(t, g.Put(t.Context(), name, data, nil))
		got, err := g.Get(t.Context(), name)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
	}
	require.Equal(t, 3.0, testutil.ToFloat64(g.metrics.uploads))
	require.Equal(t, 3, s.count("upload"), "one request each")
	location, err := g.Location(t.Context())
	require.NoError(t, err)
	require.Equal(t, BucketLocation{Name: "EU", Type: "dual-region", Regions: []string{"EUROPE-WEST1", "EUROPE-WEST4"}}, location)
}

func TestGCS_TransientErrorsAreRepeated(t *testing.T) {
	for name, f := range map[string]fault{
		"500": {status: 500}, "503": {status: 503}, "429": {status: 429}, "408": {status: 408},
		"rate limit as 403": {status: 403, reason: "userRateLimitExceeded"}, "cut": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			g := s.store(t)
			f.count = 2
			for _, f.op = range []string{"upload", "read", "list", "bucket"} {
				s.inject(f)
			}
			require.NoError(t, g.Put(t.Context(), "a", []byte("x"), nil))
			require.Equal(t, 3, s.count("upload"))
			require.Equal(t, 2.0, testutil.ToFloat64(g.metrics.failures))
			_, err := g.Get(t.Context(), "a")
			require.NoError(t, err)
			list, err := g.List(t.Context(), "", "")
			require.NoError(t, err)
			require.Equal(t, []Object{{Name: "a"}}, list)
			_, err = g.Location(t.Context())
			require.NoError(t, err)
		})
	}
}

func TestGCS_LostReplyIsSuccess(t *testing.T) {
	for name, f := range map[string]fault{"status": {status: 503}, "cut": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			g := s.store(t)
			f.op, f.apply = "upload", true
			s.inject(f)
			s.inject(fault{op: "attrs", status: 503}) // the comparison is repeated, too
			require.NoError(t, g.Put(t.Context(), "a", []byte("mine"), nil))
			require.Equal(t, "mine", string(s.object("a")))
			require.Equal(t, 2, s.count("attrs"))
		})
	}
}

func TestGCS_ObjectThatVanishedIsUploadedAgain(t *testing.T) {
	s := newServer(t)
	g := s.store(t)
	s.inject(fault{op: "upload", status: http.StatusPreconditionFailed})
	require.NoError(t, g.Put(t.Context(), "a", []byte("mine"), nil))
	require.Equal(t, "mine", string(s.object("a")))
	require.Equal(t, 2, s.count("upload"))
}

func TestGCS_OtherContentIsAConflict(t *testing.T) {
	s := newServer(t)
	g := s.store(t)
	require.NoError(t, g.Put(t.Context(), "a", []byte("mine"), nil))
	require.NoError(t, g.Put(t.Context(), "a", []byte("mine"), nil), "repeating is harmless")
	for _, other := range []string{"yours", "mine!", ""} {
		err := g.Put(t.Context(), "a", []byte(other), nil)
		require.ErrorIs(t, err, ErrConflict)
		require.True(t, isPermanent(err))
		require.NotEmpty(t, batch.HintOf(err))
	}
	require.Equal(t, "mine", string(s.object("a")))
	require.Equal(t, 5, s.count("upload"), "a conflict is not repeated")
}

func TestGCS_PermanentErrorsAreNotRepeated(t *testing.T) {
	for name, f := range map[string]fault{
		"forbidden": {status: 403, reason: "forbidden"},
		"no bucket": {status: 404, reason: "notFound"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			g := s.store(t)
			f.count = 1000
			for _, f.op = range []string{"upload", "list", "bucket"} {
				s.inject(f)
			}
			put := g.Put(t.Context(), "a", []byte("x"), nil)
			_, list := g.List(t.Context(), "a", "")
			_, location := g.Location(t.Context())
			for op, err := range map[string]error{"upload": put, "list": list, "bucket": location} {
				require.True(t, isPermanent(err), "%s: %v", op, err)
				require.NotEmpty(t, batch.HintOf(err), op)
				require.Equal(t, 1, s.count(op))
			}
			require.Nil(t, s.object("a"))
		})
	}
}

func TestGCS_MissingObjectIsToldFromMissingBucket(t *testing.T) {
	s := newServer(t)
	g := s.store(t)
	_, err := g.Get(t.Context(), "a")
	require.ErrorIs(t, err, ErrNotExist)
	require.False(t, isPermanent(err))
	s.inject(fault{op: "bucket", status: http.StatusNotFound})
	_, err = g.Get(t.Context(), "a")
	require.NotErrorIs(t, err, ErrNotExist)
	require.True(t, isPermanent(err))
}

func TestGCS_ListIsSortedAndStartsWhereAsked(t *testing.T) {
	s := newServer(t)
	g := s.store(t)
	for _, name := range []string{"p/e", "p/b", "p/d", "p/c", "p/a", "q/a"} {
		require.NoError(t, g.Put(t.Context(), name, nil, nil))
	}
	list, err := g.List(t.Context(), "p/", "p/b")
	require.NoError(t, err)
	require.Equal(t, []Object{{Name: "p/b"}, {Name: "p/c"}, {Name: "p/d"}, {Name: "p/e"}}, list)
	list, err = g.List(t.Context(), "r/", "")
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestGCS_EndsWithItsContext(t *testing.T) {
	s := newServer(t)
	g := s.store(t)
	s.inject(fault{op: "upload", hang: true, count: 1000})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := g.Put(ctx, "a", []byte("x"), nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, isPermanent(err))
}

func TestRetry_EveryAttemptHasItsOwnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, attempts := time.Now(), 0
		err := retry(t.Context(), slog.New(slog.DiscardHandler), request{"upload", "a", time.Minute}, func(ctx context.Context) error {
			if attempts++; attempts < 3 {
				<-ctx.Done() // a connection that hangs
				return ctx.Err()
			}
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, 3, attempts)
		require.InDelta(t, 2*time.Minute, time.Since(start), float64(2*time.Second))
	})
}

func TestRetry_BacksOffWithinBoundsUntilTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		attempts, last, down := 0, time.Now(), errors.New("down")
		err := retry(ctx, slog.New(slog.DiscardHandler), request{"upload", "a", time.Minute}, func(context.Context) error {
			attempts++
			require.LessOrEqual(t, time.Since(last), retryMax*3/2)
			last = time.Now()
			return down
		})
		require.ErrorIs(t, err, down)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, `upload "a" attempt`)
		require.InDelta(t, 130, attempts, 30)
	})
}
