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
	text := fmt.Sprintf("%s %s (%s billed", e.name, outcomeOf(e.job), mebibytes(billed))
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

func (o outcome) String() string {
	return fmt.Sprintf("%s; %s; rows of the key: %d; the fence was updated %d times", o.first, o.second, o.keys, o.counted)
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
	if err := r.await(ctx, s, "RUNNING"); err != nil {
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
