package warehouse

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

// A series that is voided cannot be run any more, by whomever, and one that was run cannot be voided.
func TestVoid_UsesUpTheSeriesUnlessItHasHadItsEffect(t *testing.T) {
	ref := loadJob().JobRef
	for _, reason := range []string{"accessDenied", "quotaExceeded"} { // nobody waits ten minutes to void
		synctest.Test(t, func(t *testing.T) {
			b := newBigQuery(t)
			b.failUpTo(1, plan{reason: reason, message: "denied"})
			_, err := b.client().Load(t.Context(), loadJob())
			require.Error(t, err)
			for range 2 { // it is safe to repeat
				e, err := b.client().Void(t.Context(), ref)
				require.NoError(t, err)
				require.Equal(t, batch.Evidence{State: batch.Voided, JobID: "tidemark_b_load-g2", Attempts: 2}, e)
			}
			_, err = b.client().Load(t.Context(), loadJob())
			require.ErrorIs(t, err, batch.ErrVoided)
			_, _, err = b.client().Find(t.Context(), ref)
			require.ErrorIs(t, err, batch.ErrVoided)
			require.Len(t, b.jobs, 2)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		_, err := b.client().Load(t.Context(), loadJob())
		require.NoError(t, err)
		e, err := b.client().Void(t.Context(), ref)
		require.NoError(t, err)
		require.Equal(t, batch.Evidence{State: batch.Succeeded, JobID: "tidemark_b_load-g1", Attempts: 1, Rows: 7}, e)
		require.Len(t, b.jobs, 1)
	})
}

// Looking does not wait, and says how far a job has come.
func TestLook_SaysHowFarTheNewestAttemptHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		look := func() batch.Evidence {
			e, err := b.client().Look(t.Context(), loadJob().JobRef)
			require.NoError(t, err)
			return e
		}
		require.Equal(t, batch.NoJob, look().State)
		b.failUpTo(1, plan{reason: "accessDenied", message: "denied"})
		_, err := b.client().Load(t.Context(), loadJob())
		require.Error(t, err)
		require.Equal(t, batch.Failed, look().State)
		require.Contains(t, look().Error, "denied")
		b.plans["tidemark_b_load-g2"] = plan{looks: 1000}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = b.client().Load(ctx, loadJob())
		require.Error(t, err)
		running := batch.Evidence{State: batch.Running, JobID: "tidemark_b_load-g2", Attempts: 2}
		require.Equal(t, running, look())
		e, err := b.client().Void(t.Context(), loadJob().JobRef)
		require.NoError(t, err)
		require.Equal(t, running, e, "voiding leaves it alone, and does not wait for it either")
	})
}

// BigQuery calls a job DONE before it has told of its end; until then nothing about it is final.
func TestLook_AJobWithoutAnEndIsRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.plans["tidemark_b_load-g1"] = plan{looks: 4, endless: true}
		_, err := b.client().Load(t.Context(), loadJob())
		require.NoError(t, err)
		require.Zero(t, b.looks["proj/EU/tidemark_b_load-g1"], "it was waited for")
	})
}
