package bigquery

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	client "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
)

const increment = "UPDATE analytics.persons SET version = version + 1 WHERE id = 'a'"

// docs.cloud.google.com/bigquery/docs/data-manipulation-language, "DML statement
// conflicts": the statement is run again, on what the other one has left.
func TestUpdate_RunsAgainAfterTheOther(t *testing.T) {
	f := start(t, async)
	f.createPersons()
	for _, other := range []string{increment, "BEGIN TRANSACTION; " + increment + "; COMMIT TRANSACTION"} {
		job, release := f.hold("held-"+other[:1], other, nil)
		late, err := f.submit("late-"+other[:1], increment, nil)
		require.NoError(t, err)
		f.awaitMeeting(late)
		release()
		require.NoError(t, f.finish(job).Err())
		require.EqualValues(t, 1, dmlStats(t, f.finish(late)).UpdatedRowCount)
	}
	require.Equal(t, [][]client.Value{{int64(6)}}, f.rows("SELECT version FROM analytics.persons WHERE id = 'a'"))
}

// awaitMeeting waits until the job has met another that is in its way, as a rule.
func (f *fixture) awaitMeeting(job *client.Job) {
	f.t.Helper()
	f.awaitRunning(job)
	for range 20 {
		f.requireState(job.ID(), client.Running)
	}
}

// occupy has others change rows of the table persons without a gap while more is
// true.
func (f *fixture) occupy(transactions bool, more func() bool) {
	f.t.Helper()
	persons := []tableRef{{testProject, testDataset, "persons"}}
	claim := func() *snapshot {
		other := f.server.conflicts.snapshot(persons, transactions)
		other.take()
		require.NoError(f.t, other.claim(persons[0]))
		return other
	}
	other := claim()
	for more() {
		release, err := f.server.locks.acquire(f.ctx, persons) // a statement does not come in between
		require.NoError(f.t, err)
		other.end(true)
		other = claim()
		release()
	}
	other.end(true)
}

// The fourth time is the last, but waiting for transactions does not count.
func TestUpdate_GivesUpAfterThreeReruns(t *testing.T) {
	var looks atomic.Int64 // at the clock: at least one, and not more than four, per run
	f := start(t, func(c *Config) {
		c.Async = true
		c.Now = func() time.Time { looks.Add(1); return time.Now() }
	})
	f.createPersons()
	var job *client.Job
	submit := func(id string) {
		var err error
		job, err = f.submit(id, increment, nil)
		require.NoError(t, err)
	}
	state := func(id string) string {
		return f.server.jobs.find(jobKey{testProject, "US", id}).snapshot().Status.State
	}
	f.occupy(true, func() bool {
		if job == nil {
			submit("patient")
			looks.Store(0)
		}
		return state("patient") != stateDone && looks.Load() < 40
	})
	require.NoError(t, f.finish(job).Err())
	f.occupy(false, func() bool {
		if job.ID() != "loser" {
			submit("loser")
		}
		return state("loser") != stateDone
	})
	status, err := job.Status(f.ctx)
	require.NoError(t, err)
	requireJobReason(t, status, "invalidQuery")
	require.ErrorContains(t, status.Err(), "Could not serialize access to table my-project:analytics.persons due to concurrent update")
	require.Equal(t, [][]client.Value{{int64(3)}}, f.rows("SELECT version FROM analytics.persons WHERE id = 'a'"))
}

// docs.cloud.google.com/bigquery/quotas#data-manipulation-language-statements
func TestUpdate_QueueOfATableIsLimited(t *testing.T) {
	f := start(t, async)
	f.createPersons()
	open := make(chan struct{})
	f.faults.OnJob(JobRule{JobID: "dml", Count: -1, Fault: JobFault{HoldRunning: open}})
	var jobs []*client.Job
	submit := func() *client.Job {
		job, err := f.submit("dml"+string(rune('A'+len(jobs))), strings.Replace(insertMerge, "'x' AS id", "GENERATE_UUID() AS id", 1), nil)
		require.NoError(t, err)
		jobs = append(jobs, job)
		return job
	}
	for range 2 {
		f.awaitRunning(submit())
	}
	for range 20 {
		submit()
	}
	f.awaitQueued(20)
	for _, job := range jobs[2:] {
		f.requireState(job.ID(), client.Pending)
	}
	full := f.finish(submit())
	requireJobReason(t, full, "resourcesExceeded")
	require.ErrorContains(t, full.Err(),
		"Resources exceeded during query execution: Too many DML statements outstanding against table my-project:analytics.persons, limit is 20.")
	f.exec("INSERT INTO analytics.persons (id) VALUES ('y')")
	f.exec("BEGIN TRANSACTION; " + increment + "; COMMIT TRANSACTION")

	require.NoError(t, jobs[2].Cancel(f.ctx))
	requireJobReason(t, f.finish(jobs[2]), "stopped")
	submit()
	f.awaitQueued(20)
	close(open)
	for i, job := range jobs {
		if status := f.finish(job); i != 2 && i != 22 {
			require.EqualValues(t, 1, dmlStats(t, status).InsertedRowCount)
		}
	}
	f.server.queue.mu.Lock()
	defer f.server.queue.mu.Unlock()
	require.Zero(t, f.server.queue.tables[tableRef{testProject, testDataset, "persons"}].running)
}

// A7: the same page: 25 DML statements of a table within ten seconds, INSERT included.
func TestA7_RateOfDMLIsLimited(t *testing.T) {
	clock := newClock()
	f := start(t, func(c *Config) { c.Now, c.Limits.DMLPerTenSeconds = clock.now, 3 })
	f.createPersons()
	f.exec("CREATE TABLE analytics.other (id STRING)")
	clock.advance(dmlWindow)
	f.exec("INSERT INTO analytics.persons (id) VALUES ('x')")
	f.exec("BEGIN TRANSACTION; " + increment + "; " + increment + "; COMMIT TRANSACTION")
	requireJobReason(t, f.await("fourth", increment, nil), "rateLimitExceeded") // the client's own wait would ask for ever
	f.exec("INSERT INTO analytics.other VALUES ('x')")
	f.exec("SELECT * FROM analytics.persons")
	clock.advance(dmlWindow)
	f.exec(increment)
}

// awaitQueued waits until that many statements are queued for the table persons.
func (f *fixture) awaitQueued(n int) {
	f.t.Helper()
	queued := func() int {
		f.server.queue.mu.Lock()
		defer f.server.queue.mu.Unlock()
		return len(f.server.queue.tables[tableRef{testProject, testDataset, "persons"}].waiting)
	}
	for queued() != n {
		require.NoError(f.t, f.ctx.Err())
		f.requireState("dmlA", client.Running)
	}
}

// A table may be altered or dropped under a job that adds rows; the job starts over.
func TestInsert_StartsOverWhenItsTableIsAltered(t *testing.T) {
	f := start(t, async)
	f.createPersons()
	altered, releaseAltered := f.hold("altered", "INSERT INTO analytics.persons (id) VALUES ('x')", nil)
	f.exec("ALTER TABLE analytics.persons ADD COLUMN extra STRING")
	releaseAltered()
	require.EqualValues(t, 1, dmlStats(t, f.finish(altered)).InsertedRowCount)
	require.Equal(t, [][]client.Value{{int64(3), int64(0)}}, f.rows("SELECT COUNT(*), COUNT(extra) FROM analytics.persons"))

	deleting, releaseDeleting := f.hold("deleting", "DELETE FROM analytics.persons WHERE id = 'x'", nil)
	altering, err := f.submit("altering", "ALTER TABLE analytics.persons ADD COLUMN more STRING", nil)
	require.NoError(t, err)
	f.awaitMeeting(altering)
	releaseDeleting()
	require.NoError(t, f.finish(altering).Err())
	require.EqualValues(t, 1, dmlStats(t, f.finish(deleting)).DeletedRowCount)

	dropped, releaseDropped := f.hold("dropped", "INSERT INTO analytics.persons (id) VALUES ('y')", nil)
	f.exec("DROP TABLE analytics.persons")
	releaseDropped()
	requireJobReason(t, f.finish(dropped), "notFound")
}
