package bigquery

import (
	"strings"
	"testing"

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
		f.awaitRunning(late)
		for range 20 { // time enough to meet the other one, as a rule
			f.requireState(late.ID(), client.Running)
		}
		release()
		require.NoError(t, f.finish(job).Err())
		require.EqualValues(t, 1, dmlStats(t, f.finish(late)).UpdatedRowCount)
	}
	require.Equal(t, [][]client.Value{{int64(6)}}, f.rows("SELECT version FROM analytics.persons WHERE id = 'a'"))
}

// The fourth time is the last.
func TestUpdate_GivesUpAfterThreeReruns(t *testing.T) {
	f := start(t, async)
	f.createPersons()
	persons := []tableRef{{testProject, testDataset, "persons"}}
	claim := func() *snapshot {
		other := f.server.conflicts.snapshot(persons, false)
		other.take()
		require.NoError(t, other.claim(persons[0]))
		return other
	}
	other := claim()
	job, err := f.submit("loser", increment, nil)
	require.NoError(t, err)
	for f.server.jobs.find(jobKey{testProject, "US", "loser"}).snapshot().Status.State != stateDone {
		release, err := f.server.locks.acquire(f.ctx, persons) // the statement does not come in between
		require.NoError(t, err)
		other.end(true)
		other = claim()
		release()
	}
	other.end(false)
	status, err := job.Status(f.ctx)
	require.NoError(t, err)
	requireJobReason(t, status, "invalidQuery")
	require.ErrorContains(t, status.Err(), "Could not serialize access to table my-project:analytics.persons due to concurrent update")
	require.Equal(t, [][]client.Value{{int64(2)}}, f.rows("SELECT version FROM analytics.persons WHERE id = 'a'"))
	f.exec(increment)
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
	for range maxMutating {
		f.awaitRunning(submit())
	}
	for range maxQueued {
		submit()
	}
	f.awaitQueued(maxQueued)
	for _, job := range jobs[maxMutating:] {
		f.requireState(job.ID(), client.Pending)
	}
	full := f.finish(submit())
	requireJobReason(t, full, "resourcesExceeded")
	require.ErrorContains(t, full.Err(),
		"Resources exceeded during query execution: Too many DML statements outstanding against table my-project:analytics.persons, limit is 20.")
	f.exec("INSERT INTO analytics.persons (id) VALUES ('y')")
	f.exec("BEGIN TRANSACTION; " + increment + "; COMMIT TRANSACTION")

	require.NoError(t, jobs[maxMutating].Cancel(f.ctx))
	requireJobReason(t, f.finish(jobs[maxMutating]), "stopped")
	submit()
	f.awaitQueued(maxQueued)
	close(open)
	for i, job := range jobs {
		if status := f.finish(job); i != maxMutating && i != maxMutating+maxQueued {
			require.EqualValues(t, 1, dmlStats(t, status).InsertedRowCount)
		}
	}
	f.server.queue.mu.Lock()
	defer f.server.queue.mu.Unlock()
	require.Zero(t, f.server.queue.tables[tableRef{testProject, testDataset, "persons"}].running)
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
	releaseDeleting()
	require.NoError(t, f.finish(altering).Err())
	require.EqualValues(t, 1, dmlStats(t, f.finish(deleting)).DeletedRowCount)

	dropped, releaseDropped := f.hold("dropped", "INSERT INTO analytics.persons (id) VALUES ('y')", nil)
	f.exec("DROP TABLE analytics.persons")
	releaseDropped()
	requireJobReason(t, f.finish(dropped), "notFound")
}
