package warehouse

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	bq "google.golang.org/api/bigquery/v2"

	"tidemark/batch"
)

func loadJob() batch.LoadJob {
	return batch.LoadJob{
		JobRef: batch.JobRef{Project: "proj", Location: "EU", Base: "tidemark_b_load"}, Dataset: "ds", Table: "events",
		URIs:    []string{"gs://bucket/a.parquet", "gs://bucket/b.parquet"},
		Columns: []batch.Column{{Name: "uuid", Type: "STRING"}, {Name: "team_id", Type: "INT64"}, {Name: "timestamp", Type: "TIMESTAMP"}},
		Labels:  map[string]string{"batch": "b", "Watermark": "2026-11-01T10:00:00Z"},
	}
}

// job returns a job that BigQuery has, nil if it has none of that ID.
func (b *bigQuery) job(id string) *bq.Job { return b.jobs["proj/EU/"+id] }

// failUpTo makes the attempts 1 to n fail.
func (b *bigQuery) failUpTo(n int, p plan) {
	for i := 1; i <= n; i++ {
		b.plans[fmt.Sprintf("tidemark_b_load-g%d", i)] = p
	}
}

func TestLoad_SubmitsOneJobWithEverythingSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		res, err := b.client().Load(t.Context(), loadJob())
		require.NoError(t, err)
		require.Equal(t, batch.JobResult{ID: "tidemark_b_load-g1", Attempt: 1, Rows: 7, Created: res.Created, Ended: res.Ended}, res)
		require.False(t, res.Ended.IsZero())
		require.Equal(t, 1, len(b.calls), "a job that is done in the reply is not looked at again")

		got := b.job("tidemark_b_load-g1").Configuration
		require.Equal(t, map[string]string{"batch": "b", "watermark": "2026-11-01t10-00-00z"}, got.Labels)
		want := &bq.JobConfigurationLoad{
			CreateDisposition: "CREATE_NEVER", WriteDisposition: "WRITE_APPEND", SourceFormat: "PARQUET", SourceUris: loadJob().URIs,
			DestinationTable: &bq.TableReference{ProjectId: "proj", DatasetId: "ds", TableId: "events"},
			Schema:           &bq.TableSchema{Fields: []*bq.TableFieldSchema{{Name: "uuid", Type: "STRING"}, {Name: "team_id", Type: "INTEGER"}, {Name: "timestamp", Type: "TIMESTAMP"}}},
		}
		require.Empty(t, cmp.Diff(want, got.Load))
	})
}

func TestLoad_IntoEmptyTableOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, job := newBigQuery(t), loadJob()
		job.Empty = true
		_, err := b.client().Load(t.Context(), job)
		require.NoError(t, err)
		require.Equal(t, "WRITE_EMPTY", b.job("tidemark_b_load-g1").Configuration.Load.WriteDisposition)
	})
}

func TestQuery_ReturnsAffectedRowsAndBilledBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.plans["tidemark_b_insert-g1"] = plan{looks: 3}
		res, err := b.client().Query(t.Context(), batch.QueryJob{JobRef: batch.JobRef{Project: "proj", Location: "EU", Base: "tidemark_b_insert"}, SQL: "INSERT …"})
		require.NoError(t, err)
		require.EqualValues(t, 7, res.Rows)
		require.EqualValues(t, 10<<20, res.Billed)
		require.False(t, *b.job("tidemark_b_insert-g1").Configuration.Query.UseLegacySql)
		require.Zero(t, b.count("POST queries")+b.count("GET queries"))
	})
}

// Whatever happens to the reply of a submission, there is one job at the end, and its rows are counted once.
func TestLoad_UnknownOutcomeIsResolvedBySubmittingTheSameID(t *testing.T) {
	for _, f := range []fault{{}, {after: true}, {status: 503}, {status: 503, after: true}, {status: 500, after: true}, {hang: true}, {hang: true, after: true}, {status: 429}, {status: 408, after: true}} {
		t.Run(fmt.Sprintf("%+v", f), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBigQuery(t)
				f.on = "POST jobs"
				b.faults = []fault{f, f}
				res, err := b.client().Load(t.Context(), loadJob())
				require.NoError(t, err)
				require.EqualValues(t, 7, res.Rows)
				require.Equal(t, 1, res.Attempt)
				require.Len(t, b.jobs, 1)
				require.Empty(t, b.faults)
			})
		})
	}
}

func TestLoad_NoAnswerEndsWithinItsDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		for range 100 {
			b.faults = append(b.faults, fault{on: "POST jobs", hang: true})
		}
		start := time.Now()
		_, err := b.client().Load(t.Context(), loadJob())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.False(t, isPermanent(err))
		require.Contains(t, batch.HintOf(err), "TIDEMARK_BIGQUERY_ENDPOINT")
		require.Less(t, time.Since(start), (maxResends+1)*time.Minute+time.Minute)
		require.Empty(t, b.jobs)
	})
}

func TestLoad_AttachesToJobThatRunsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.plans["tidemark_b_load-g1"] = plan{looks: 40}
		var g errgroup.Group
		for range 5 {
			c := b.client()
			g.Go(func() error {
				res, err := c.Load(t.Context(), loadJob())
				if err == nil && res.Rows != 7 {
					err = fmt.Errorf("%d rows", res.Rows)
				}
				return err
			})
		}
		require.NoError(t, g.Wait())
		require.Len(t, b.jobs, 1)
	})
}

// One call makes one attempt; the caller has the pauses. A failure that BigQuery calls passing is no other in that.
func TestLoad_AFailureIsReturnedAndTheNextCallMakesTheNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.failUpTo(2, plan{looks: 2, reason: "backendError", message: "Error encountered during execution. Retrying may solve the problem."})
		for i := 1; i <= 2; i++ {
			_, err := b.client().Load(t.Context(), loadJob())
			require.ErrorContains(t, err, fmt.Sprintf("tidemark_b_load-g%d: backendError", i))
			require.False(t, isPermanent(err))
			require.Zero(t, batch.RetryAfter(err))
			require.False(t, batch.Expected(err))
			require.Len(t, b.jobs, i)
		}
		res, err := b.client().Load(t.Context(), loadJob())
		require.NoError(t, err)
		require.Equal(t, "tidemark_b_load-g3", res.ID)
		require.Equal(t, 3, res.Attempt)
	})
}

// BigQuery asks for minutes after a quota is used up, and it is the failed job's end that they count from, not this process's
// start.
func TestLoad_QuotaIsWaitedForInMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.failUpTo(1, plan{reason: "quotaExceeded", message: "Quota exceeded: Your table exceeded quota for imports or query appends per table."})
		for _, left := range []time.Duration{quotaPause, quotaPause - 4*time.Minute} {
			_, err := b.client().Load(t.Context(), loadJob())
			require.Error(t, err)
			require.InDelta(t, left.Seconds(), batch.RetryAfter(err).Seconds(), 5)
			require.Len(t, b.jobs, 1)
			require.True(t, batch.Pause(t.Context(), 4*time.Minute))
		}
		require.True(t, batch.Pause(t.Context(), quotaPause-8*time.Minute))
		_, err := b.client().Load(t.Context(), loadJob())
		require.NoError(t, err)
		require.Len(t, b.jobs, 2)
	})
}

// Merges that exclude each other are nothing to worry about, and are told from what is.
func TestQuery_OneThatGivesWayIsExpectedToFail(t *testing.T) {
	for message, expected := range map[string]bool{
		"Transaction is aborted due to concurrent update against table proj:ds.tidemark_status.":                        true,
		"Resources exceeded during query execution: Too many DML statements outstanding against table proj:ds.persons":  true,
		"Quota exceeded: Your table exceeded quota for total number of dml jobs writing to a table, pending + running.": true,
		"Syntax error": false,
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBigQuery(t)
			b.plans["tidemark_b_apply-g1"] = plan{reason: "invalidQuery", message: message}
			_, err := b.client().Query(t.Context(), batch.QueryJob{JobRef: batch.JobRef{Project: "proj", Location: "EU", Base: "tidemark_b_apply"}, SQL: "MERGE …"})
			require.Error(t, err)
			require.Equal(t, expected, batch.Expected(fmt.Errorf("apply: %w", err)), message)
			require.False(t, batch.Expected(errors.Join(err, &Error{Message: "denied"})))
		})
	}
}

// The number of the next attempt comes from BigQuery: each call here is made by a process that knows nothing.
func TestLoad_PermanentFailureIsReturnedAndTheNextCallSubmitsTheNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.failUpTo(40, plan{looks: 1, reason: "accessDenied", message: "Access Denied: Table proj:ds.events: Permission bigquery.tables.updateData denied"})
		for i := 1; i <= 40; i++ {
			before := b.count("GET jobs")
			_, err := b.client().Load(t.Context(), loadJob())
			require.ErrorContains(t, err, fmt.Sprintf("-g%d:", i))
			require.True(t, isPermanent(err))
			require.Contains(t, batch.HintOf(err), "roles/bigquery.dataEditor")
			require.Len(t, b.jobs, i, "one more attempt each time")
			require.Less(t, b.count("GET jobs")-before, 16, "failed attempts are not walked one by one")
		}
		res, err := b.client().Load(t.Context(), loadJob())
		require.NoError(t, err)
		require.Equal(t, 41, res.Attempt)
	})
}

func TestLoad_RacingProcessesMakeOneSuccessfulAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.failUpTo(2, plan{looks: 3, reason: "backendError", message: "backend"})
		b.plans["tidemark_b_load-g3"] = plan{looks: 9}
		var g errgroup.Group
		for i := range 4 {
			c := b.client()
			g.Go(func() error {
				for wait := time.Duration(i) * 700 * time.Millisecond; pause(t.Context(), wait) == nil; wait = time.Second {
					res, err := c.Load(t.Context(), loadJob())
					if err == nil && res.Attempt != 3 {
						return fmt.Errorf("attempt %d", res.Attempt)
					}
					if err == nil {
						break
					}
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		require.Len(t, b.jobs, 3)
	})
}

func TestLoad_WrongLocationIsPermanentAndSubmitsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, job := newBigQuery(t), loadJob()
		job.Location = "US"
		_, err := b.client().Load(t.Context(), job)
		require.True(t, isPermanent(err))
		require.ErrorContains(t, err, "was not found in location US")
		require.Contains(t, batch.HintOf(err), "another location")
		require.Empty(t, b.jobs)

		job.Location = ""
		_, err = b.client().Load(t.Context(), job)
		require.ErrorContains(t, err, "lacks")
	})
}

func TestLoad_RefusesWhatCannotBeLoaded(t *testing.T) {
	b := newBigQuery(t)
	for want, change := range map[string]func(*batch.LoadJob){
		"type JSON":    func(j *batch.LoadJob) { j.Columns = []batch.Column{{Name: "properties", Type: batch.JSONType}} },
		"0 URIs":       func(j *batch.LoadJob) { j.URIs = nil },
		"10001 URIs":   func(j *batch.LoadJob) { j.URIs = make([]string, 10_001) },
		"is a pattern": func(j *batch.LoadJob) { j.URIs = []string{"gs://bucket/*"} },
		"no columns":   func(j *batch.LoadJob) { j.Columns = nil },
		"FLOAT64":      func(j *batch.LoadJob) { j.Columns = []batch.Column{{Name: "x", Type: "FLOAT64"}} },
	} {
		job := loadJob()
		change(&job)
		_, err := b.client().Load(t.Context(), job)
		require.ErrorContains(t, err, want)
	}
	require.Empty(t, b.calls)
}
