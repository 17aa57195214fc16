package warehouse

import (
	"context"

	"cloud.google.com/go/bigquery"

	"tidemark/batch"
)

// voidLabel marks a job that does nothing and only uses up its ID.
const voidLabel = "tidemark_void"

// voided says whether the attempt is such a job.
func (a *attempt) voided() bool {
	config, err := a.job.Config()
	if err != nil {
		return false // a kind of job that tidemark does not make
	}
	query, ok := config.(*bigquery.QueryConfig)
	return ok && query.Labels[voidLabel] != ""
}

// evidence describes the newest attempt.
func (a *attempt) evidence() batch.Evidence {
	e := batch.Evidence{State: batch.Succeeded, JobID: a.id, Attempts: a.n}
	switch {
	case !a.done():
		e.State = batch.Running
	case a.failed():
		e.State, e.Error = batch.Failed, a.job.LastStatus().Err().Error()
	case a.voided():
		e.State = batch.Voided
	default:
		e.Rows = a.result().Rows
	}
	return e
}

// Look says how far a job has come: of its attempts the newest one counts. It submits nothing and does not wait.
func (c *Client) Look(ctx context.Context, ref batch.JobRef) (batch.Evidence, error) {
	a, err := c.look(ctx, ref)
	switch {
	case err != nil:
		return batch.Evidence{}, err
	case a == nil:
		return batch.Evidence{State: batch.NoJob}, nil
	}
	return a.evidence(), nil
}

// look reads a job's newest attempt; nil if there is none.
func (c *Client) look(ctx context.Context, ref batch.JobRef) (*attempt, error) {
	if err := checkRef(ref); err != nil {
		return nil, err
	}
	a, err := c.get(ctx, ref, 1)
	if err != nil || a == nil {
		return nil, err
	}
	return c.newest(ctx, a, ref)
}

// Void uses up a job's next ID by a statement that does nothing, so that nobody can run the job any more: whoever submits it
// later attaches to this one. A job that runs or has succeeded is left alone, and the evidence says so. It is safe to repeat.
// Unlike an attempt to run the job it does not wait after a used-up quota, which a statement without a table has no part in.
func (c *Client) Void(ctx context.Context, ref batch.JobRef) (batch.Evidence, error) {
	a, err := c.look(ctx, ref)
	if err != nil {
		return batch.Evidence{}, err
	}
	n := 1
	if a != nil {
		if !a.failed() {
			return a.evidence(), nil
		}
		n = a.n + 1
	}
	j, err := c.queryJob(ctx, batch.QueryJob{JobRef: ref, SQL: "SELECT 1", Labels: map[string]string{voidLabel: "true"}})
	if err != nil {
		return batch.Evidence{}, err
	}
	if a, err = c.submit(ctx, j, n); err != nil {
		return batch.Evidence{}, err
	}
	if a.attached { // somebody else has had the ID; a load that they began may take hours
		return a.evidence(), nil
	}
	err = c.wait(ctx, a)
	return a.evidence(), err
}
