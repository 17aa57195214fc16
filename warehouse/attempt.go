package warehouse

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/bigquery"

	"tidemark/batch"
)

const (
	// pollMin is the first pause between two looks at a job; small jobs are done in a second or two.
	pollMin = 500 * time.Millisecond
	// pollErrors is how many looks in a row may fail before the caller is told.
	pollErrors = 5
	// patience is how long a job runs before the log mentions it, again and again: load jobs run in a shared pool without
	// guarantees and may be PENDING for hours.
	patience = 10 * time.Minute
)

// attempt is the n-th job of a [batch.JobRef] as BigQuery last showed it.
type attempt struct {
	n        int
	id       string
	job      *bigquery.Job
	attached bool // submitted by somebody else, or by a try whose reply was lost
}

// attemptID is the ID of a job's n-th attempt, from 1. Changing it is a breaking change for batches in flight.
func attemptID(ref batch.JobRef, n int) string { return fmt.Sprintf("%s-g%d", ref.Base, n) }

// done is false also while BigQuery has not said anything about the job's state. A job is done when it has an end: only then
// are its effect and its error final.
func (a *attempt) done() bool {
	s := a.job.LastStatus()
	return s != nil && s.Done() && !a.ended().IsZero()
}

// pending says whether the job has not even started.
func (a *attempt) pending() bool {
	s := a.job.LastStatus()
	return s == nil || s.State == bigquery.Pending
}

// failed says whether an attempt that is done had an error. Only errorResult counts: a job that succeeded may list
// errors too.
func (a *attempt) failed() bool { return a.done() && a.job.LastStatus().Err() != nil }

func (a *attempt) ended() time.Time {
	if s := a.job.LastStatus().Statistics; s != nil {
		return s.EndTime
	}
	return time.Time{}
}

// failure returns the error of an attempt that is done, nil if it succeeded. limit is what a query may be billed for now: the
// refusal of one with another limit says nothing of the next attempt.
func (a *attempt) failure(kind string, limit Limit) *Error {
	if !a.failed() {
		return nil
	}
	e := classify(kind+" job", a.id, a.job.LastStatus().Err())
	if pause := e.cause.pause; e.Reason != reasonBilled || a.maxBilled() == int64(limit) {
		e.wait = max(0, pause-time.Since(a.ended()))
	}
	return e
}

// maxBilled is the limit that a query was submitted with.
func (a *attempt) maxBilled() int64 {
	config, err := a.job.Config()
	if err != nil {
		return 0 // a kind of job that tidemark does not make
	}
	if query, ok := config.(*bigquery.QueryConfig); ok {
		return query.MaxBytesBilled
	}
	return 0
}

// result describes an attempt that succeeded.
func (a *attempt) result() batch.JobResult {
	r := batch.JobResult{ID: a.id, Attempt: a.n}
	s := a.job.LastStatus().Statistics
	if s == nil {
		return r
	}
	r.Created, r.Ended = s.CreationTime, s.EndTime
	switch details := s.Details.(type) {
	case *bigquery.LoadStatistics:
		r.Rows = details.OutputRows
	case *bigquery.QueryStatistics:
		r.Rows, r.Billed = details.NumDMLAffectedRows, details.TotalBytesBilled
	}
	return r
}

// Find returns the outcome of a job without submitting anything. found means that an attempt succeeded. While the last
// attempt is running Find waits for it: until then the answer is not known, and not even a cancelled context makes it
// "no". Without an attempt, or with one that failed, found is false.
func (c *Client) Find(ctx context.Context, ref batch.JobRef) (res batch.JobResult, found bool, err error) {
	if err := checkRef(ref); err != nil {
		return res, false, err
	}
	a, err := c.get(ctx, ref, 1)
	if err != nil || a == nil {
		return res, false, err
	}
	if a, err = c.newest(ctx, a, ref); err != nil {
		return res, false, err
	}
	if err := c.wait(ctx, a); err != nil || a.failed() {
		return res, false, err
	}
	if a.voided() {
		return res, false, fmt.Errorf("job %s: %w", a.id, batch.ErrVoided)
	}
	return a.result(), true, nil
}

// newest returns the last attempt, given one that exists. Attempts have no holes, and only the last one can be running
// or have succeeded, so the end of a long row of failures is found by doubling the step and halving it again.
func (c *Client) newest(ctx context.Context, last *attempt, ref batch.JobRef) (*attempt, error) {
	step, missing := 1, 0 // missing: the lowest number known not to exist, 0 while unknown
	for last.failed() && last.n+1 != missing {
		n := last.n + step
		if missing > 0 {
			n = (last.n + missing) / 2
		}
		a, err := c.get(ctx, ref, n)
		switch {
		case err != nil:
			return nil, err
		case a == nil:
			missing = n
		default:
			last, step = a, 2*step
		}
	}
	last.attached = true
	return last, nil
}

// get reads attempt n; nil if BigQuery knows none.
func (c *Client) get(ctx context.Context, ref batch.JobRef, n int) (*attempt, error) {
	p, err := c.project(ctx, ref.Project)
	if err != nil {
		return nil, err
	}
	a := &attempt{n: n, id: attemptID(ref, n)}
	err = c.call(ctx, func(ctx context.Context) (err error) {
		a.job, err = p.JobFromProject(ctx, ref.Project, a.id, ref.Location)
		return err
	})
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(opReadJob, a.id, err)
	}
	return a, nil
}

// wait polls the attempt until it is done. There is no limit on how long a job may take: as long as it can still
// succeed nothing else may be submitted in its place, and giving up would only mean attaching again.
func (c *Client) wait(ctx context.Context, a *attempt) error {
	started, mentioned, failures := time.Now(), patience, 0
	for every := pollMin; !a.done(); every = min(every*3/2, c.cfg.BigQueryPollMax) {
		if err := pause(ctx, every); err != nil {
			return fmt.Errorf("wait for job %s: %w", a.id, err)
		}
		err := c.call(ctx, func(ctx context.Context) error {
			_, err := a.job.Status(ctx)
			return err
		})
		waited := time.Since(started).Round(time.Second)
		if waited >= mentioned {
			mentioned = waited + patience
			c.log.Warn("job is still not done", "job_id", a.id, "pending", a.pending(), "waited", waited)
		}
		if err == nil {
			failures = 0
			continue
		}
		failed := classify(opReadJob, a.id, err)
		if failures++; failed.Permanent || failures == pollErrors {
			return failed
		}
		c.log.Warn("state of a job not read", "job_id", a.id, "waited", waited, "err", failed)
	}
	return nil
}

// pause waits; an error means that ctx ended first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
