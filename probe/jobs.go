package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// query is a statement or script that a probe runs.
type query struct {
	name    string // of the case, in the records
	sql     string
	params  []*bq.QueryParameter
	tables  int    // that it reads or changes, each of which is billed a minimum
	refusal string // what its failure is called, if it fails for what the case is about
	limit   int64  // of the bytes billed, where the case is about that
	reads   int64  // bytes that it may read, where that is known better than a dry run may know it
}

// param is a named query parameter, a STRING.
func param(name, value string) *bq.QueryParameter {
	return &bq.QueryParameter{
		Name: name, ParameterType: &bq.QueryParameterType{Type: "STRING"},
		ParameterValue: &bq.QueryParameterValue{Value: value, ForceSendFields: []string{"Value"}},
	}
}

// started is a job that was accepted.
type started struct {
	name     string
	refusal  string // as of query
	job      *bq.Job
	reserved int64 // of the budget
}

// query runs a query to its end. An error means that it could not be run: a job that ran and failed is returned as it is.
func (r *run) query(ctx context.Context, q query) (*bq.Job, error) {
	s, err := r.start(ctx, q)
	if err != nil {
		return nil, err
	}
	return r.finish(ctx, s)
}

// must is query for what a probe needs before it can ask anything: a job that failed is an error, too.
func (r *run) must(ctx context.Context, q query) (*bq.Job, error) {
	job, err := r.query(ctx, q)
	if err == nil && job.Status.ErrorResult != nil {
		err = fmt.Errorf("%s: %s", q.name, outcomeOf(job))
	}
	return job, err
}

// start submits a query, if the cost cap allows it.
func (r *run) start(ctx context.Context, q query) (*started, error) {
	config := &bq.JobConfigurationQuery{Query: q.sql, UseLegacySql: new(bool), QueryParameters: q.params}
	if len(q.params) > 0 {
		config.ParameterMode = "NAMED"
	}
	var dry *bq.Job
	err := r.request(ctx, func(ctx context.Context) (err error) {
		dry, err = r.svc.BigQuery.Jobs.Insert(r.cfg.Project, &bq.Job{
			JobReference:  &bq.JobReference{ProjectId: r.cfg.Project, Location: r.location},
			Configuration: &bq.JobConfiguration{DryRun: true, Query: config},
		}).Context(ctx).Do()
		return err
	})
	if err != nil && refusal(err) == nil {
		return nil, fmt.Errorf("estimate the cost of %s: %w", q.name, err)
	}
	// A dry run that is refused estimates nothing; the statement itself is refused the same way, and is billed nothing then.
	bytes := max(estimate(dry, q.tables), estimate(nil, q.tables)+q.reads)
	if err := r.budget.reserve(bytes); err != nil {
		return nil, err
	}
	// Estimates are not exact: what clustering skips is not known before, and a script's dry run may not see all of it.
	config.MaximumBytesBilled = min(2*bytes+minBilled, bytes+max(r.budget.left(), 0))
	if q.limit > 0 {
		config.MaximumBytesBilled = q.limit
	}
	s, err := r.submit(ctx, q.name, r.jobID(), &bq.JobConfiguration{Query: config})
	if err != nil {
		r.budget.settle(bytes, 0)
		return nil, err
	}
	s.reserved, s.refusal = bytes, q.refusal
	return s, nil
}

// jobID is a new job's ID.
func (r *run) jobID() string {
	r.jobs++
	return fmt.Sprintf("%s%s_%s_%d", namePrefix, r.id, strings.ToLower(r.group), r.jobs)
}

// submit inserts a job. A 409 to a repeated request means that the first one had its effect, since nobody else has the ID.
func (r *run) submit(ctx context.Context, name, id string, config *bq.JobConfiguration) (*started, error) {
	ref := &bq.JobReference{ProjectId: r.cfg.Project, Location: r.location, JobId: id}
	config.Labels = map[string]string{"tidemark": "probe"}
	r.unfinished[id] = true
	var job *bq.Job
	err := r.request(ctx, func(ctx context.Context) (err error) {
		job, err = r.svc.BigQuery.Jobs.Insert(r.cfg.Project, &bq.Job{JobReference: ref, Configuration: config}).Context(ctx).Do()
		if isCode(err, http.StatusConflict) {
			job, err = r.svc.BigQuery.Jobs.Get(r.cfg.Project, id).Location(r.location).Context(ctx).Do()
		}
		return err
	})
	if err != nil {
		if refusal(err) != nil {
			delete(r.unfinished, id)
		}
		r.record(name, "", nil, err)
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &started{name: name, job: job}, nil
}

const (
	pollMin = 50 * time.Millisecond
	pollMax = 2 * time.Second
	// jobLimit is how long a job of a probe is waited for. The longest takes minutes.
	jobLimit = 20 * time.Minute
)

// look reads the job's state.
func (r *run) look(ctx context.Context, s *started) error {
	return r.request(ctx, func(ctx context.Context) error {
		job, err := r.svc.BigQuery.Jobs.Get(r.cfg.Project, s.job.JobReference.JobId).Location(r.location).Context(ctx).Do()
		if err == nil {
			s.job = job
		}
		return err
	})
}

// await looks until the job's state is one of those wanted, or DONE.
func (r *run) await(ctx context.Context, s *started, state string) error {
	begin := time.Now()
	for every := pollMin; !done(s.job) && (state == stateDone || s.job.Status.State != state); every = min(every*3/2, pollMax) {
		if time.Since(begin) > jobLimit {
			return fmt.Errorf("%s is still %s after %s", s.name, s.job.Status.State, jobLimit)
		}
		if err := pause(ctx, every); err != nil {
			return err
		}
		if err := r.look(ctx, s); err != nil {
			return fmt.Errorf("look at %s: %w", s.name, err)
		}
	}
	return nil
}

// States of a job.
const (
	stateRunning = "RUNNING"
	stateDone    = "DONE"
)

// done tells whether the job has ended. One that is said to have succeeded and has no end time may still become something else.
func done(job *bq.Job) bool {
	ended := job.Statistics != nil && job.Statistics.EndTime > 0
	return job.Status.State == stateDone && (ended || job.Status.ErrorResult != nil)
}

// finish waits for the job's end, records it, and books what it is billed.
func (r *run) finish(ctx context.Context, s *started) (*bq.Job, error) {
	err := r.await(ctx, s, stateDone)
	billed, _ := billedOf(s.job)
	if err != nil { // it is cancelled at the end, and billed for what it has read by then
		billed = s.reserved
	}
	r.budget.settle(s.reserved, billed)
	s.reserved = 0
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	delete(r.unfinished, s.job.JobReference.JobId)
	r.record(s.name, s.refusal, s.job, nil)
	return s.job, nil
}

// children lists the child jobs of a script, first to last.
func (r *run) children(ctx context.Context, parent *bq.Job) (list []*bq.JobListJobs, err error) {
	err = r.request(ctx, func(ctx context.Context) error {
		page, err := r.svc.BigQuery.Jobs.List(r.cfg.Project).ParentJobId(parent.JobReference.JobId).Projection("full").MaxResults(100).Context(ctx).Do()
		if err == nil {
			list = page.Jobs
		}
		return err
	})
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 { // the service lists the last one first
		list[i], list[j] = list[j], list[i]
	}
	return list, err
}

// record keeps a raw job, or a refusal, without the identity that asked.
func (r *run) record(what, refusedAs string, job *bq.Job, refused error) {
	rec := Record{Probe: r.group, Case: what, What: what, Source: "tidemark probe, run " + r.id}
	if job != nil {
		if e := job.Status.ErrorResult; e != nil {
			rec.Case = caseOf(what, refusedAs, e.Reason)
		}
		plain := *job
		plain.UserEmail, plain.PrincipalSubject, plain.SelfLink, plain.Etag = "", "", "", ""
		rec.Job = encoded(&plain)
	}
	if e := refusal(refused); e != nil {
		if len(e.Errors) > 0 {
			rec.Case = caseOf(what, refusedAs, e.Errors[0].Reason)
		}
		rec.Error = encoded(map[string]any{"code": e.Code, "message": e.Message, "errors": e.Errors})
	} else if refused != nil {
		return // nobody answered
	}
	r.report.Records = append(r.report.Records, rec)
}

// recordChild keeps a child job as the list of jobs shows it.
func (r *run) recordChild(what string, child *bq.JobListJobs) {
	plain := *child
	plain.UserEmail, plain.PrincipalSubject = "", ""
	r.report.Records = append(r.report.Records, Record{Probe: r.group, Case: what, What: what, Source: "tidemark probe, run " + r.id, Job: encoded(&plain)})
}

// encoded is v as JSON; what is encoded here always can be.
func encoded(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage(fmt.Sprintf("%q", errors.Join(errors.New("not encoded"), err)))
	}
	return b
}

// outcomeOf is a job's end in words.
func outcomeOf(job *bq.Job) string {
	if e := job.Status.ErrorResult; e != nil {
		return fmt.Sprintf("failed with reason %s: %s", e.Reason, e.Message)
	}
	return "succeeded"
}
