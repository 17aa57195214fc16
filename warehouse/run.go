package warehouse

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"cloud.google.com/go/bigquery"

	"tidemark/batch"
)

const (
	// maxAttempts is how many attempts one call makes before it hands the last error to its caller, who shows it and
	// calls again later. It bounds what a call can use up of the day's quota of load jobs, in which failed ones count.
	maxAttempts = 4
	// maxResends is how often one call submits one ID before it gives up with an unknown outcome. The next call submits
	// the same ID again.
	maxResends = 4
	// quotaPause is what BigQuery asks for after quotaExceeded: "wait 10 minutes or longer"
	// (cloud.google.com/bigquery/docs/troubleshoot-quotas, 2026-08-22).
	quotaPause = 10 * time.Minute
)

// run takes a job to its end by the rule in the package comment.
func (c *Client) run(ctx context.Context, j job) (batch.JobResult, error) {
	a, err := c.start(ctx, j)
	if err != nil {
		return batch.JobResult{}, err
	}
	for own := 1; ; {
		before := a.attached && a.done() // failed, if it failed, before this call had a part in it
		if err := c.wait(ctx, a); err != nil {
			return batch.JobResult{}, err
		}
		failure := a.failure(j.kind)
		c.metrics.ended(j.kind, a, before, failure)
		if failure == nil {
			return a.result(), nil
		}
		if !before && (failure.Permanent || own == maxAttempts) {
			return batch.JobResult{}, failure
		}
		if !before {
			own++
		}
		wait := pauseAfter(failure, own, a.ended(), time.Now())
		level := slog.LevelWarn
		if isConflict(failure.Message) {
			level = slog.LevelInfo // where several replicas merge one table, one commits at a time and the others come next
		}
		c.log.Log(ctx, level, "job failed; next attempt follows", "job_id", a.id, "attempt", a.n, "retry_in", wait, "err", failure)
		if err := pause(ctx, wait); err != nil {
			return batch.JobResult{}, err
		}
		if a, err = c.submit(ctx, j, a.n+1); err != nil {
			return batch.JobResult{}, err
		}
	}
}

// start returns the job's last attempt, which it submits if there is none. The first attempt is submitted without asking
// first: nearly always it is the only one, and if it is not, BigQuery says so.
func (c *Client) start(ctx context.Context, j job) (*attempt, error) {
	a, err := c.submit(ctx, j, 1)
	if err != nil || !a.attached {
		return a, err
	}
	return c.newest(ctx, a, j.JobRef)
}

// submit makes attempt n exist: submits it or attaches to the one that another call or process submitted.
func (c *Client) submit(ctx context.Context, j job, n int) (*attempt, error) {
	id := bigquery.JobIDConfig{JobID: attemptID(j.JobRef, n), Location: j.Location, ProjectID: j.Project}
	for resends := 0; ; resends++ {
		var inserted *bigquery.Job
		err := c.call(ctx, func(ctx context.Context) (err error) {
			inserted, err = j.submit(ctx, id)
			return err
		})
		switch outcomeOf(err) {
		case accepted:
			c.metrics.submitted(j.kind)
			c.log.Debug("job submitted", "job_id", id.JobID, "attempt", n)
			return &attempt{n: n, id: id.JobID, job: inserted}, nil
		case exists:
			return c.attach(ctx, j.JobRef, n)
		case refused:
			return nil, classify("submit "+j.kind+" job", id.JobID, err)
		}
		if resends == maxResends || ctx.Err() != nil {
			return nil, classify("submit "+j.kind+" job", id.JobID, err)
		}
		c.log.Warn("outcome of a job's submission is unknown; the same ID is submitted again", "job_id", id.JobID, "err", err)
		if err := pause(ctx, backoff(time.Second, resends, 16*time.Second)); err != nil {
			return nil, err
		}
	}
}

// attach reads an attempt that BigQuery said exists.
func (c *Client) attach(ctx context.Context, ref batch.JobRef, n int) (*attempt, error) {
	a, err := c.get(ctx, ref, n)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, fmt.Errorf("job %s in %s: BigQuery says both that it exists and that it does not", attemptID(ref, n), ref.Location)
	}
	a.attached = true
	return a, nil
}

// pauseAfter says how long to wait before the attempt that follows a failed one. It counts from the end of the failed
// attempt, as BigQuery reports it, so that a process that finds an old failure does not wait, and one that restarts in
// a loop does.
func pauseAfter(failure *Error, own int, ended, now time.Time) time.Duration {
	if failure.Permanent {
		return 0 // the caller of an earlier call has been told, and calls again after its own pause
	}
	full := backoff(2*time.Second, own-2, time.Minute)
	if failure.Reason == reasonQuota {
		full = quotaPause
	}
	return max(0, min(full, full-now.Sub(ended)))
}

// backoff doubles from first, n times, up to longest.
func backoff(first time.Duration, n int, longest time.Duration) time.Duration {
	for ; n > 0 && first < longest; n-- {
		first *= 2
	}
	return min(first, longest)
}
