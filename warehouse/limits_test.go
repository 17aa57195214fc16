package warehouse

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

func applyQuery() batch.QueryJob {
	return batch.QueryJob{JobRef: batch.JobRef{Project: "proj", Location: "EU", Base: "tidemark_b_apply"}, SQL: "MERGE …"}
}

// A15: a job that never starts is stopped by BigQuery, and only once that was seen is the next attempt made. Until then nothing
// else is submitted.
func TestRun_AJobThatNeverStartsIsStoppedAndTheNextAttemptRuns(t *testing.T) {
	for name, run := range map[string]func(context.Context, *Client) (batch.JobResult, error){
		"load":  func(ctx context.Context, c *Client) (batch.JobResult, error) { return c.Load(ctx, loadJob()) },
		"query": func(ctx context.Context, c *Client) (batch.JobResult, error) { return c.Query(ctx, applyQuery()) },
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBigQuery(t)
			ctx, stop := context.WithTimeout(t.Context(), 12*time.Hour) // a job that nobody stops never ends
			defer stop()
			base := map[string]string{"load": loadJob().Base, "query": applyQuery().Base}[name]
			b.plans[base+"-g1"] = plan{stuck: true}
			limited := func(c *Config) { c.JobTimeout = 2 * time.Hour }
			began := time.Now()
			_, err := run(ctx, b.client(limited))
			require.ErrorContains(t, err, "timed out")
			require.InDelta(t, 2*time.Hour, time.Since(began), float64(time.Minute))
			require.False(t, isPermanent(err), "nobody has to change anything")
			require.Zero(t, batch.RetryAfter(err))
			require.Contains(t, batch.HintOf(err), "TIDEMARK_JOB_TIMEOUT")
			require.Len(t, b.jobs, 1, "one at a time")
			res, err := run(ctx, b.client(limited))
			require.NoError(t, err)
			require.Equal(t, base+"-g2", res.ID)
		})
	}
}

func TestRun_WithoutATimeoutNoneIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		_, err := b.client().Load(t.Context(), loadJob())
		require.NoError(t, err)
		require.Zero(t, b.job("tidemark_b_load-g1").Configuration.JobTimeoutMs)
	})
}

// The fuse: what it refuses waits, says what it needs, and is tried again once an hour as the next attempt; with another limit at
// once.
func TestQuery_OverTheBytesBilledLimitWaitsAndIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		refused := plan{reason: "bytesBilledLimitExceeded", message: "Query exceeded limit for bytes billed: 1073741824. 11846811648 or higher required."}
		b.plans["tidemark_b_apply-g1"], b.plans["tidemark_b_apply-g2"] = refused, refused
		limited := func(c *Config) { c.MaxBytesBilled = 1 << 30 }
		for range 2 {
			_, err := b.client(limited).Query(t.Context(), applyQuery())
			require.ErrorContains(t, err, "tidemark_b_apply-g1: bytesBilledLimitExceeded")
			require.InDelta(t, billedPause, batch.RetryAfter(err), float64(time.Minute))
			require.Contains(t, batch.HintOf(err), "set TIDEMARK_MAX_BYTES_BILLED to at least 12GiB (11846811648 bytes)")
			require.False(t, batch.Expected(err))
			require.Len(t, b.jobs, 1)
		}
		require.EqualValues(t, 1<<30, b.job("tidemark_b_apply-g1").Configuration.Query.MaximumBytesBilled)
		require.True(t, batch.Pause(t.Context(), billedPause))
		_, err := b.client(limited).Query(t.Context(), applyQuery())
		require.ErrorContains(t, err, "tidemark_b_apply-g2")

		res, err := b.client(func(c *Config) { c.MaxBytesBilled = 12 << 30 }).Query(t.Context(), applyQuery())
		require.NoError(t, err, "another limit")
		require.Equal(t, "tidemark_b_apply-g3", res.ID)
		require.EqualValues(t, 12<<30, b.job("tidemark_b_apply-g3").Configuration.Query.MaximumBytesBilled)
	})
}

func TestHintBilled_NamesTheNeed(t *testing.T) {
	for message, want := range map[string]string{
		"Query exceeded limit for bytes billed: 163595928. 164626432 or higher required.": "at least 157MiB (164626432 bytes)",
		"Query exceeded limit for bytes billed: 1. 10485760 or higher required.":          "at least 10MiB (10485760 bytes)",
		"Query exceeded limit for bytes billed.":                                          "set TIDEMARK_MAX_BYTES_BILLED to more",
	} {
		require.Contains(t, hintBilled(message), want)
	}
}

func TestLimit_NothingIsNoLimit(t *testing.T) {
	var l Limit
	require.NoError(t, l.Decode("100GiB"))
	require.EqualValues(t, 100<<30, l)
	require.NoError(t, l.Decode(""))
	require.Zero(t, l)
	require.Error(t, l.Decode("much"))
	c := Config{Project: "proj", BigQueryCallTimeout: 60e9, BigQueryPollMax: 5e9, MaxBytesBilled: 1 << 20, JobTimeout: time.Millisecond}
	require.ErrorContains(t, c.Validate(), "TIDEMARK_MAX_BYTES_BILLED is 1MiB; want at least 10MiB, or nothing for no limit")
	require.ErrorContains(t, c.Validate(), "TIDEMARK_JOB_TIMEOUT is 1ms; want 1s to 24h0m0s")
}
