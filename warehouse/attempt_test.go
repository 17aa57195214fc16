package warehouse

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

func TestLoad_LooksThatFailDoNotEndTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.plans["tidemark_b_load-g1"] = plan{looks: 5}
		for range pollErrors - 1 {
			b.faults = append(b.faults, fault{on: "GET jobs", hang: true})
		}
		_, err := b.client().Load(t.Context(), loadJob())
		require.NoError(t, err)
		require.Len(t, b.jobs, 1)
		require.Empty(t, b.faults)
	})
}

func TestLoad_UnreadableStateIsReportedInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.plans["tidemark_b_load-g1"] = plan{looks: 5}
		for range 100 {
			b.faults = append(b.faults, fault{on: "GET jobs", status: 503})
		}
		_, err := b.client().Load(t.Context(), loadJob())
		require.ErrorContains(t, err, "read job tidemark_b_load-g1: backendError")
		require.False(t, isPermanent(err))
	})
}

func TestFind_SubmitsNothing(t *testing.T) {
	find := func(t *testing.T, b *bigQuery) (batch.JobResult, bool) {
		posts := b.count("POST")
		res, found, err := b.client().Find(t.Context(), loadJob().JobRef)
		require.NoError(t, err)
		require.Equal(t, posts, b.count("POST"))
		return res, found
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		_, found := find(t, b)
		require.False(t, found, "no attempt")

		b.failUpTo(1, plan{reason: "invalid", message: "bad"})
		_, err := b.client().Load(t.Context(), loadJob())
		require.Error(t, err)
		_, found = find(t, b)
		require.False(t, found, "only a failed attempt")

		b.plans["tidemark_b_load-g2"] = plan{looks: 5}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = b.client().Load(ctx, loadJob())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		res, found := find(t, b)
		require.True(t, found, "the running attempt is waited for")
		require.Equal(t, 2, res.Attempt)
		require.EqualValues(t, 7, res.Rows)
	})
}

func TestFind_RunningJobIsNeverNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.plans["tidemark_b_load-g1"] = plan{looks: 1 << 30}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := b.client().Load(ctx, loadJob())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		ctx, cancel = context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, _, err = b.client().Find(ctx, loadJob().JobRef)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
