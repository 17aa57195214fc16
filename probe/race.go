package probe

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// end is how a job ended.
type end struct {
	name     string
	job      *bq.Job
	ok       bool
	children []*bq.JobListJobs
}

// aborted tells whether the job was a transaction that gave way to another, in the words by which tidemark knows one.
func (e end) aborted() bool {
	failure := e.job.Status.ErrorResult
	return failure != nil && failure.Reason == "invalidQuery" && strings.Contains(failure.Message, "due to concurrent update")
}

func (e end) String() string {
	billed, _ := billedOf(e.job)
	text := fmt.Sprintf("%s %s (ran for %s, %s billed", e.name, outcomeOf(e.job), ranFor(e.job), mebibytes(billed))
	var children []string
	for _, c := range e.children {
		kind, state := "statement", c.State
		if c.Statistics != nil && c.Statistics.Query != nil && c.Statistics.Query.StatementType != "" {
			kind = c.Statistics.Query.StatementType
		}
		if c.ErrorResult != nil {
			state = c.ErrorResult.Reason
		}
		children = append(children, kind+" "+state)
	}
	if len(children) > 0 {
		text += "; children: " + strings.Join(children, ", ")
	}
	return text + ")"
}

// outcome is what two jobs at the same time came to.
type outcome struct {
	first, second end
	keys          int // rows that hold the key
	counted       int // by how many the fence's number has grown
}

// committed counts those that succeeded.
func (o outcome) committed() (n int) {
	for _, e := range []end{o.first, o.second} {
		if e.ok {
			n++
		}
	}
	return n
}

// apart tells whether the second job began after the first one had ended, by BigQuery's own clock.
func (o outcome) apart() bool {
	return o.second.job != nil && o.second.job.Statistics.StartTime >= o.first.job.Statistics.EndTime
}

// nested tells whether the second job ran while the first one did.
func (o outcome) nested() bool {
	outer, inner := o.first.job.Statistics, o.second.job.Statistics
	return outer.StartTime < inner.StartTime && inner.EndTime < outer.EndTime
}

func (o outcome) String() string {
	if o.second.job == nil {
		return "nothing ran"
	}
	return fmt.Sprintf("%s; %s; rows of the key: %d; the fence was updated %d times", o.first, o.second, o.keys, o.counted)
}

// overlapTries is how often jobs are made to overlap until they do.
const overlapTries = 4

// overlapping tries until jobs have overlapped as wanted, each time measured anew and for twice as long. try says so, or how they ended instead.
func (r *run) overlapping(ctx context.Context, try func(n int) (instead string, done bool, err error)) error {
	usual := r.slow
	defer func() { r.slow = usual }()
	var last string
	for n := range overlapTries {
		instead, done, err := try(n)
		if err != nil || done {
			return err
		}
		last = instead
		// The service may be faster by now than when it was measured, and what was to be slow over before the second job came.
		r.slow = slowQuery{}
		if err := r.calibrate(ctx); err != nil {
			return err
		}
		r.slow = r.slow.times(float64(int(1) << (n + 1)))
	}
	return fmt.Errorf("the jobs did not overlap as wanted in %d attempts; try a longer --overlap; the last one: %s", overlapTries, last)
}

// keyOf is the key of an attempt.
func keyOf(q question, n int) string {
	if n == 0 {
		return q.ID
	}
	return fmt.Sprintf("%s attempt %d", q.ID, n+1)
}

// race starts the first query, waits until it is well under way, runs the second one to its end, and waits for the first.
func (r *run) race(ctx context.Context, first, second query, key string) (o outcome, err error) {
	before, err := r.fenceNumber(ctx)
	if err != nil {
		return o, err
	}
	a, err := r.start(ctx, first)
	if err != nil {
		return o, err
	}
	if err := r.underWay(ctx, a); err != nil {
		return o, err
	}
	b, err := r.start(ctx, second)
	if err != nil {
		return o, err
	}
	if o.second, err = r.ended(ctx, b); err != nil {
		return o, err
	}
	if o.first, err = r.ended(ctx, a); err != nil {
		return o, err
	}
	after, err := r.fenceNumber(ctx)
	if err != nil {
		return o, err
	}
	o.counted = after - before
	o.keys, err = r.keysOf(ctx, key)
	return o, err
}

// underWay waits until the job's slow part is what it does: until it is RUNNING, and for a quarter of the time that this takes.
// That its child job of a slow SELECT is RUNNING would say so more exactly, but not every service shows it before the end.
func (r *run) underWay(ctx context.Context, s *started) error {
	if err := r.await(ctx, s, stateRunning); err != nil {
		return err
	}
	return pause(ctx, r.slow.takes/4)
}

func (r *run) ended(ctx context.Context, s *started) (end, error) {
	job, err := r.finish(ctx, s)
	if err != nil {
		return end{}, err
	}
	children, err := r.children(ctx, job)
	for i, c := range children {
		r.recordChild(fmt.Sprintf("%s child %d", s.name, i+1), c)
	}
	return end{s.name, job, job.Status.ErrorResult == nil, children}, err
}

// fenceNumber is how often the fence has been updated.
func (r *run) fenceNumber(ctx context.Context) (int, error) {
	rows, err := r.rows(ctx, r.fenceName(), fenceSchema)
	if err != nil {
		return 0, err
	}
	if len(rows) != 1 {
		return 0, fmt.Errorf("the fence has %d rows; want one", len(rows))
	}
	text, _ := rows[0]["n"].(string)
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("the fence's number is %v: %w", rows[0]["n"], err)
	}
	return n, nil
}

// keysOf counts the rows that hold the key.
func (r *run) keysOf(ctx context.Context, key string) (n int, err error) {
	rows, err := r.rows(ctx, r.keysName(), keysSchema)
	for _, row := range rows {
		if row["id"] == key {
			n++
		}
	}
	return n, err
}
