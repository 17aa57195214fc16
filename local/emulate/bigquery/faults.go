package bigquery

import (
	"context"
	"time"
)

// Faults decides what goes wrong. It is called concurrently and must not block:
// waiting is what Delay and Hold are for.
type Faults interface {
	// Request is asked twice about every request: Before it has its effect, when a
	// Status or Drop means that it has none, and After, when they mean that the
	// reply is lost although the effect is there.
	Request(Phase, Call) Fault

	// Job is asked once about every job, when it starts to be PENDING, and again if
	// a job that was accepted but not finished is run anew on reopening.
	Job(JobCall) JobFault
}

// Phase tells on which side of a request's effect a fault is.
type Phase int

// The phases of a request.
const (
	Before Phase = iota
	After
)

// Call is a request as faults see it.
type Call struct {
	// Op is BigQuery's name of the method: jobs.insert, jobs.get, jobs.cancel,
	// jobs.list, jobs.query, jobs.getQueryResults, tables.insert, tables.get,
	// tables.list, tables.patch, tables.delete, tables.testIamPermissions,
	// tabledata.list, or datasets.insert, .get, .list, .patch and .delete.
	Op string

	// Path is that of the URL.
	Path string

	// Table is the table of a tables or tabledata method, or the destination of an
	// inserted load job.
	Table string

	// JobID is the job of a jobs method, if the request names one.
	JobID string
}

// JobCall is a job as faults see it.
type JobCall struct {
	Project, Location, JobID string

	// Kind is "load" or "query".
	Kind string

	// Tables are the names, without dataset, of the tables the job writes, sorted.
	Tables []string
}

// Fault is what happens to a request. The zero value is nothing.
type Fault struct {
	// Delay passes first.
	Delay time.Duration

	// Hold, if not nil, must then be closed.
	Hold <-chan struct{}

	// Status answers with this HTTP status; 0 is the true answer. 500 to 504 make
	// the client try again with backoff until its context ends.
	Status int

	// Reason is that of the reply; empty is one that goes with Status.
	Reason string

	// Case answers in BigQuery's own words, if not empty: one of the cases in the
	// directory fixtures, such as "access_denied", with the status of its reason.
	Case string

	// Drop closes the connection instead of answering, which the client does not
	// try again.
	Drop bool
}

// breaks tells whether the request's true answer is withheld.
func (f Fault) breaks() bool { return f.Status != 0 || f.Case != "" || f.Drop }

// JobFault is what happens to a job. The zero value is nothing.
type JobFault struct {
	// Pending and Running are added to the time spent in these states.
	Pending, Running time.Duration

	// HoldPending and HoldRunning, if not nil, keep the job in these states until
	// they are closed or the job is cancelled.
	HoldPending, HoldRunning <-chan struct{}

	// Held, if not nil, is sent to, unless that would block, when Running and
	// HoldRunning begin. A query job has executed its statements by then and only
	// has to commit.
	Held chan<- struct{}

	// Reason makes the job fail with this reason without having done anything, with
	// Message or one that says it was injected.
	Reason, Message string

	// Case does the same in BigQuery's own words: one of the cases in the directory
	// fixtures, told of the first table that the job writes.
	Case string
}

// fails tells whether the job is to fail.
func (f JobFault) fails() bool { return f.Reason != "" || f.Case != "" }

// pause waits for the duration and then for hold, and returns the context's cause
// if that ends first.
func pause(ctx context.Context, d time.Duration, hold <-chan struct{}) error {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
