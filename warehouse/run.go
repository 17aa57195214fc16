package warehouse

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/bigquery"

	"tidemark/batch"
)

const (
	// maxResends is how often one call submits one ID before it gives up with an unknown outcome. The next call submits
	// the same ID again.
	maxResends = 4
	// quotaPause is what BigQuery asks for after quotaExceeded: "wait 10 minutes or longer"
	// (cloud.google.com/bigquery/docs/troubleshoot-quotas, 2026-08-22).
	quotaPause = 10 * time.Minute
	// billedPause is for a query that TIDEMARK_MAX_BYTES_BILLED refuses. The statements of a script that ran before the one that
	// was refused are billed at every attempt, so that a fuse with short pauses would itself cost what it is to save.
	billedPause = time.Hour
)

// run takes a job one attempt further, by the rule in the package comment: it attaches to the newest attempt, or submits the
// first one, or the next one where the newest had failed before this call. What fails during the call is its error; trying
// again is the caller's business, in one place for everything that BigQuery refuses.
func (c *Client) run(ctx context.Context, j job) (batch.JobResult, error) {
	a, err := c.start(ctx, j)
	if err != nil {
		return batch.JobResult{}, err
	}
	before := a.attached && a.done()
	if failure := a.failure(j.kind, c.cfg.MaxBytesBilled); before && failure != nil {
		c.metrics.ended(j.kind, a, before, failure)
		if failure.wait > 0 { // counted from the attempt's end, so that a process that restarts in a loop waits, too
			return batch.JobResult{}, failure
		}
		if a, err = c.submit(ctx, j, a.n+1); err != nil {
			return batch.JobResult{}, err
		}
		before = false
	}
	if err := c.wait(ctx, a); err != nil {
		return batch.JobResult{}, err
	}
	failure := a.failure(j.kind, c.cfg.MaxBytesBilled)
	c.metrics.ended(j.kind, a, before, failure)
	switch {
	case failure != nil:
		failure.Ran = !before
		return batch.JobResult{}, failure
	case a.voided():
		return batch.JobResult{}, fmt.Errorf("%s job %s: %w", j.kind, a.id, batch.ErrVoided)
	}
	return a.result(), nil
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
	backoff := batch.Backoff{Min: time.Second, Max: 16 * time.Second}
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
		case unknown: // the same ID is submitted again, below
		}
		if resends == maxResends || ctx.Err() != nil {
			return nil, classify("submit "+j.kind+" job", id.JobID, err)
		}
		c.log.Warn("outcome of a job's submission is unknown; the same ID is submitted again", "job_id", id.JobID, "err", err)
		if err := pause(ctx, backoff.Next()); err != nil {
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
