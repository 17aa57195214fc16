package probe

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// P7: errors of jobs.
var (
	invalidID = question{
		ID:        "P7a",
		Assumes:   "an invalid query either leaves its job ID free or becomes a job that shows its error under it",
		Confirmed: "an attempt that was refused is found, or made again under the same ID",
		Different: "the ID is taken by a job that nobody can see: a batch would try again for ever. Report it with the file of --out",
		Unknown:   "both are handled",
	}
	byZero = question{
		ID:        "P7b",
		Assumes:   "a script that fails by a division shows reason invalidQuery, as its statement does",
		Confirmed: "the cause of a failed script is known",
		Different: "the cause of a failed script may be taken for another one; it is tried again every few minutes all the same",
		Unknown:   "failed scripts are tried again every few minutes whatever the reason",
	}
	noTable = question{
		ID:        "P7c",
		Assumes:   "a script that names a missing table shows reason notFound",
		Confirmed: "a missing table is named in the hint",
		Different: "a missing table may be taken for another cause; see the text",
		Unknown:   "failed scripts are tried again every few minutes whatever the reason",
	}
	cancelled = question{
		ID:        "P7d",
		Assumes:   "a script that was cancelled ends DONE with reason stopped, and has changed nothing",
		Confirmed: "a cancelled merge is done again",
		Different: "a cancelled job looks different from what tidemark knows, or had a part of its effect: report it with the file of --out",
		Unknown:   "do not cancel tidemark's jobs by hand",
	}
	withoutLocation = question{
		ID:        "P7e",
		Assumes:   "jobs.get finds a job by its location, and outside of US and EU not without it",
		Confirmed: "tidemark always names the location",
		Different: "a job is found in another way than expected, as found; tidemark always names the location",
		Unknown:   "tidemark always names the location",
	}
	billLimit = question{
		ID:        "P7f",
		Assumes:   "a query above its maximumBytesBilled fails with reason bytesBilledLimitExceeded, and is billed nothing",
		Confirmed: "a limit of the bytes billed is a fuse, and known for one",
		Different: "a limit of the bytes billed does not work as a fuse, or is taken for another cause: see what was found, and watch the bills",
		Unknown:   "set a quota of the project as well (QueryUsagePerDay)",
	}
)

func errorQuestions() []question {
	return []question{invalidID, byZero, noTable, cancelled, withoutLocation, billLimit}
}

// jobErrors asks P7.
func (r *run) jobErrors(ctx context.Context) error {
	if _, err := r.create(ctx, "errors", &bq.Table{Schema: columns("n INTEGER")}); err != nil {
		return err
	}
	insert := "INSERT INTO " + r.quoted("errors") + " (n) VALUES (1)"
	if _, err := r.must(ctx, query{name: "row", sql: insert, tables: 1}); err != nil {
		return err
	}
	for _, ask := range []struct {
		question question
		run      func(context.Context, question) error
	}{
		{invalidID, r.askInvalid}, {byZero, r.askFailing}, {noTable, r.askFailing}, {cancelled, r.askCancelled}, {withoutLocation, r.askLocation},
		{billLimit, r.askBillLimit},
	} {
		if err := r.try(ctx, ask.question, func() error { return ask.run(ctx, ask.question) }); err != nil {
			return err
		}
	}
	return nil
}

// askInvalid inserts one invalid query twice under one ID.
func (r *run) askInvalid(ctx context.Context, q question) error {
	id := r.jobID()
	first, err := r.insertOnce(ctx, q.ID+" first", id)
	if err != nil {
		return err
	}
	second, err := r.insertOnce(ctx, q.ID+" again", id)
	if err != nil {
		return err
	}
	var seen *bq.Job
	err = r.request(ctx, func(ctx context.Context) (err error) {
		seen, err = r.svc.BigQuery.Jobs.Get(r.cfg.Project, id).Location(r.location).Context(ctx).Do()
		return err
	})
	if err != nil && !isCode(err, http.StatusNotFound) {
		return err
	}
	visible, isFree := err == nil, second.code == first.code
	shown := "jobs.get finds no job"
	if visible {
		shown = "jobs.get finds a job that " + outcomeOf(seen)
		r.record(q.ID+" seen", "", seen, nil)
	}
	takenAndShown := second.code == http.StatusConflict && visible && seen.Status.ErrorResult != nil
	r.settle(q, takenAndShown || isFree && !visible, "the first request: %s; the same again: %s; %s", first, second, shown)
	return nil
}

// reply is how an inserted job was answered.
type reply struct {
	code int
	text string
}

func (a reply) String() string { return fmt.Sprintf("%d %s", a.code, a.text) }

// insertOnce sends one jobs.insert of an invalid query, in one attempt.
func (r *run) insertOnce(ctx context.Context, name, id string) (answer reply, err error) {
	ref := &bq.JobReference{ProjectId: r.cfg.Project, Location: r.location, JobId: id}
	config := &bq.JobConfiguration{Query: &bq.JobConfigurationQuery{Query: "SELECT FROM WHERE", UseLegacySql: new(bool)}}
	var job *bq.Job
	err = attempt(ctx, func(ctx context.Context) (err error) {
		job, err = r.svc.BigQuery.Jobs.Insert(r.cfg.Project, &bq.Job{JobReference: ref, Configuration: config}).Context(ctx).Do()
		return err
	})
	if refused := refusal(err); refused != nil {
		r.record(name, "", nil, err)
		return reply{refused.Code, refused.Message}, nil //nolint:nilerr // a refusal is the answer to the question
	}
	if err != nil {
		return answer, err
	}
	s := &started{name: name, job: job}
	if job, err = r.finish(ctx, s); err != nil {
		return answer, err
	}
	return reply{http.StatusOK, "the job " + outcomeOf(job)}, nil
}

// askFailing runs a script whose transaction changes a row and then fails.
func (r *run) askFailing(ctx context.Context, q question) error {
	failing, want, called := "SELECT DIV(1, n - n) FROM "+r.quoted("errors"), "invalidQuery", ""
	if q.ID == noTable.ID {
		failing, want, called = "SELECT COUNT(*) FROM "+r.quoted("missing"), "notFound", fixtureNoTable
	}
	sql := strings.Join([]string{"BEGIN TRANSACTION", "UPDATE " + r.quoted("errors") + " SET n = n + 1 WHERE TRUE", failing, "COMMIT TRANSACTION"}, ";\n") + ";\n"
	job, err := r.query(ctx, query{name: q.ID, sql: sql, tables: 2, refusal: called})
	if err != nil {
		return err
	}
	failure := job.Status.ErrorResult
	r.settle(q, failure != nil && failure.Reason == want, "the script %s; child jobs: %d", outcomeOf(job), job.Statistics.NumChildJobs)
	return nil
}

// askCancelled cancels a script that has updated a row and is busy.
func (r *run) askCancelled(ctx context.Context, q question) error {
	if err := r.calibrate(ctx); err != nil {
		return err
	}
	return r.overlapping(ctx, func(n int) (string, bool, error) {
		job, err := r.cancelBusy(ctx, keyOf(q, n))
		if err != nil {
			return "", false, err
		}
		rows, err := r.rows(ctx, "errors", columns("n INTEGER"))
		if err != nil {
			return "", false, err
		}
		failure := job.Status.ErrorResult
		if failure == nil {
			return "the script ended before it could be cancelled", false, nil
		}
		unchanged := len(rows) == 1 && rows[0]["n"] == strconv.Itoa(1+n*busyUpdates)
		r.settle(q, failure.Reason == "stopped" && unchanged, "the script %s; child jobs: %d; the row is unchanged: %t", outcomeOf(job), job.Statistics.NumChildJobs, unchanged)
		return "", true, nil
	})
}

// busyUpdates is by how much the script that is to be cancelled changes the number.
const busyUpdates = 100

// cancelBusy starts a script, and cancels it while it is busy.
func (r *run) cancelBusy(ctx context.Context, name string) (*bq.Job, error) {
	update := fmt.Sprintf("UPDATE %s SET n = n + %d WHERE TRUE", r.quoted("errors"), busyUpdates)
	sql := strings.Join([]string{"BEGIN TRANSACTION", update, "SELECT " + r.slow.expression(), "COMMIT TRANSACTION"}, ";\n") + ";\n"
	s, err := r.start(ctx, query{name: name, sql: sql, tables: 1})
	if err != nil {
		return nil, err
	}
	if err := r.underWay(ctx, s); err != nil {
		return nil, err
	}
	err = r.request(ctx, func(ctx context.Context) error {
		_, err := r.svc.BigQuery.Jobs.Cancel(r.cfg.Project, s.job.JobReference.JobId).Location(r.location).Context(ctx).Do()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cancel the script: %w", err)
	}
	return r.finish(ctx, s)
}

// askBillLimit reads a table, for which 10 MiB are billed, under a limit of one byte.
func (r *run) askBillLimit(ctx context.Context, q question) error {
	job, err := r.query(ctx, query{
		name: q.ID, sql: "SELECT MAX(n) AS n FROM " + r.quoted("errors"), tables: 1, limit: 1, refusal: fixtureBytesBilled,
	})
	if err != nil {
		return err
	}
	billed, _ := billedOf(job)
	failure := job.Status.ErrorResult
	r.settle(q, failure != nil && failure.Reason == "bytesBilledLimitExceeded" && billed == 0, "the query %s; billed: %d bytes", outcomeOf(job), billed)
	return nil
}

// askLocation reads a job with and without its location.
func (r *run) askLocation(ctx context.Context, q question) error {
	job, err := r.must(ctx, query{name: q.ID, sql: "SELECT 1"})
	if err != nil {
		return err
	}
	get := func(location string) (bool, error) {
		call := r.svc.BigQuery.Jobs.Get(r.cfg.Project, job.JobReference.JobId)
		if location != "" {
			call = call.Location(location)
		}
		err := r.request(ctx, func(ctx context.Context) error {
			_, err := call.Context(ctx).Do()
			return err
		})
		if isCode(err, http.StatusNotFound) {
			return false, nil
		}
		return err == nil, err
	}
	with, err := get(r.location)
	if err != nil {
		return err
	}
	without, err := get("")
	if err != nil {
		return err
	}
	expected := strings.EqualFold(r.location, "US")
	either := strings.EqualFold(r.location, "EU") // the reference says found, others have measured the opposite
	r.settle(q, with && (without == expected || either), "a job in %s is found with its location: %t; without: %t", r.location, with, without)
	return nil
}
