package bigquery

import (
	"net/http"
	"os"
	"strings"
	"testing"

	client "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
)

func async(c *Config) { c.Async = true }

// hold runs a query job until it has executed its statements, and keeps it from
// committing until release is called.
func (f *fixture) hold(id, sql string, params map[string]any) (job *client.Job, release func()) {
	f.t.Helper()
	held, open := make(chan struct{}, 1), make(chan struct{})
	rule := f.faults.OnJob(JobRule{JobID: id, Fault: JobFault{Held: held, HoldRunning: open}})
	job, err := f.submit(id, sql, params)
	require.NoError(f.t, err)
	select {
	case <-held:
	case <-f.ctx.Done():
		require.FailNow(f.t, "job is not held", id)
	}
	rule.Remove()
	f.requireState(id, client.Running)
	return job, func() { close(open) }
}

// requireConflict asks for the fate of a transaction.
func requireConflict(t *testing.T, err error, table string) {
	t.Helper()
	requireReason(t, err, 400, "invalidQuery")
	require.ErrorContains(t, err, "Transaction is aborted due to concurrent update against table my-project:analytics."+table)
}

const insertMerge = `MERGE analytics.persons p USING (SELECT 'x' AS id, (SELECT COUNT(*) FROM analytics.persons) AS n) s ON p.id = s.id
	WHEN MATCHED AND p.version < 0 THEN UPDATE SET version = 0
	WHEN NOT MATCHED THEN INSERT (id, version) VALUES (s.id, s.n)`

// docs.cloud.google.com/bigquery/docs/data-manipulation-language: "INSERT DML statements
// never conflict", and a MERGE that only inserts is one. Neither sees the other's row.
func TestMerge_OverlappingInsertsOfOneKeyMakeTwoRows(t *testing.T) {
	f := start(t, async)
	f.createPersons()
	job, release := f.hold("held", insertMerge, nil)
	require.EqualValues(t, 1, dmlStats(t, f.exec(insertMerge)).InsertedRowCount)
	require.EqualValues(t, 3, f.count("persons"), "that of the one which is held is not visible")
	release()
	require.EqualValues(t, 1, dmlStats(t, f.finish(job)).InsertedRowCount)
	require.Equal(t, [][]client.Value{{int64(2)}, {int64(2)}}, f.rows("SELECT version FROM analytics.persons WHERE id = 'x'"))
	require.Zero(t, dmlStats(t, f.exec(insertMerge)).InsertedRowCount, "it is there by now")
}

// The same of INSERT … WHERE NOT EXISTS, and of a query.
func TestQuery_ReadsTheStateAtItsBegin(t *testing.T) {
	f := start(t, async)
	f.createPersonTables()
	name := map[string]any{"table_name": "new"}
	count, releaseCount := f.hold("count", "SELECT COUNT(*) FROM analytics.tidemark_status", nil)
	insert, release := f.hold("insert", fenceInsert, name)
	f.execWith(fenceInsert, name)
	release()
	releaseCount()
	require.EqualValues(t, 1, dmlStats(t, f.finish(insert)).InsertedRowCount)
	require.EqualValues(t, 3, f.count("tidemark_status"))
	it, err := count.Read(f.ctx)
	require.NoError(t, err)
	rows, err := readAll(it)
	require.NoError(t, err)
	require.Equal(t, [][]client.Value{{int64(1)}}, rows)
}

// Transactions that only insert do not exclude each other: the fence is what does.
func TestPersons_WithoutTheFenceTwoScriptsInsertTwice(t *testing.T) {
	f := start(t, async)
	f.createPersonTables()
	f.fillStage(`(1, 'p1', NULL, 1, FALSE, '{}')`, `(1, 'p1', 'd1', 0, FALSE, NULL)`)
	script := strings.Replace(personsScript(2), fenceUpdate, "", 1)
	require.NotContains(t, script, "UPDATE `")
	job, release := f.hold("held", script, personsParams("one"))
	f.execWith(script, personsParams("two"))
	release()
	require.NoError(t, f.finish(job).Err())
	for _, table := range []string{"persons", "persons_person_state", "persons_distinct_id_state"} {
		require.EqualValues(t, 2, f.count(table), table)
	}
}

// docs.cloud.google.com/bigquery/docs/transactions#transaction_concurrency
func TestPersons_TheFenceCancelsOneOfTwoScripts(t *testing.T) {
	f := start(t, async)
	f.createPersonTables()
	f.createEvents("other")
	f.fillStage(`(1, 'p1', NULL, 1, FALSE, '{}')`, `(1, 'p1', 'd1', 0, FALSE, NULL)`)
	job, release := f.hold("held", personsScript(2), personsParams("one"))
	_, err := f.runWith("late", personsScript(2), personsParams("two"))
	requireConflict(t, err, "tidemark_status")
	require.Zero(t, f.count("persons"))
	require.NoError(t, f.load("load", "other", f.upload(events(0, 1))).Err())
	release()
	require.NoError(t, f.finish(job).Err())
	for _, table := range []string{"persons", "persons_person_state", "persons_distinct_id_state"} {
		require.EqualValues(t, 1, f.count(table), table)
	}
	require.Equal(t, [][]client.Value{{"one"}}, f.rows("SELECT last_batch FROM analytics.tidemark_status"))
	f.execWith(personsScript(2), personsParams("three"))
	require.EqualValues(t, 1, f.count("persons"))
}

// A transaction is cancelled, too, if the other one has committed since its snapshot,
// whether it changed the same row or another one of the table.
func TestTransaction_IsCancelledForACommitAfterItsSnapshot(t *testing.T) {
	for _, row := range []string{"a", "b"} {
		f := start(t, async)
		f.createPersons()
		f.exec("CREATE TABLE analytics.first (n INT64)")
		f.exec("CREATE TABLE analytics.gate (n INT64)")
		f.exec("INSERT INTO analytics.first VALUES (0)")
		first, gate := tableRef{testProject, testDataset, "first"}, tableRef{testProject, testDataset, "gate"}
		open, err := f.server.locks.acquire(f.ctx, []tableRef{gate})
		require.NoError(t, err)
		job, err := f.submit("late", `BEGIN TRANSACTION; UPDATE analytics.first SET n = 1 WHERE TRUE; INSERT INTO analytics.gate VALUES (1);
			UPDATE analytics.persons SET version = version + 1 WHERE id = 'a'; COMMIT TRANSACTION`, nil)
		require.NoError(t, err)
		for f.server.conflicts.changing([]tableRef{first}) == nil {
			f.requireState("late", client.Running)
		}
		f.exec("UPDATE analytics.persons SET version = version + 1 WHERE id = '" + row + "'")
		open()
		_, err = job.Wait(f.ctx)
		requireConflict(t, err, "persons")
		require.Zero(t, f.count("gate"))
		require.Equal(t, [][]client.Value{{int64(0)}}, f.rows("SELECT n FROM analytics.first"))
		require.Equal(t, [][]client.Value{{int64(5)}}, f.rows("SELECT SUM(version) FROM analytics.persons"))
	}
}

// Nothing was updated, so nothing is excluded: the row of a fence must be there.
func TestTransaction_UpdateOfNoRowExcludesNobody(t *testing.T) {
	f := start(t, async)
	f.createPersons()
	const script = "BEGIN TRANSACTION; UPDATE analytics.persons SET version = 9 WHERE id = 'nosuch'; INSERT INTO analytics.persons (id) VALUES ('x'); COMMIT TRANSACTION"
	job, release := f.hold("held", script, nil)
	f.exec(script)
	release()
	require.NoError(t, f.finish(job).Err())
	require.EqualValues(t, 4, f.count("persons"))
}

// Rows are added to a table that a transaction changes; a transaction that is rolled
// back is out of the way.
func TestTransaction_InsertsAndLoadsGoOnBesideIt(t *testing.T) {
	f := start(t, async)
	f.createPersons()
	f.exec("BEGIN TRANSACTION; " + increment + "; ROLLBACK TRANSACTION")
	f.exec("BEGIN TRANSACTION; " + increment) // no COMMIT
	job, release := f.hold("held", "BEGIN TRANSACTION; "+increment+"; COMMIT TRANSACTION", nil)
	f.exec("INSERT INTO analytics.persons (id) VALUES ('y')")
	require.EqualValues(t, 1, dmlStats(t, f.exec(insertMerge)).InsertedRowCount)
	release()
	require.NoError(t, f.finish(job).Err())
	require.Equal(t, [][]client.Value{{int64(4), int64(3)}}, f.rows("SELECT COUNT(*), MAX(version) FROM analytics.persons"))
}

// That a table exists is said at once, whoever is changing its rows: replicas that make
// sure of their tables must not wait for each other's scripts.
func TestTransaction_CreatingItsTableAgainIsRefusedAtOnce(t *testing.T) {
	f := start(t, async)
	f.createPersons()
	job, release := f.hold("held", "BEGIN TRANSACTION; "+increment+"; COMMIT TRANSACTION", nil)
	requireReason(t, f.table("persons").Create(f.ctx, nil), http.StatusConflict, "duplicate")
	f.requireState("held", client.Running)
	release()
	require.NoError(t, f.finish(job).Err())
}

// The rows of a job that has executed and not committed do not survive a crash, and
// the job, which was accepted, is run once.
func TestPersons_ScriptSurvivesACrash(t *testing.T) {
	dir, crashed := t.TempDir(), t.TempDir()
	f := start(t, func(c *Config) { c.Dir, c.Async = dir, true })
	f.createPersonTables()
	f.fillStage(`(1, 'p1', NULL, 1, FALSE, '{}')`, `(1, 'p1', 'd1', 0, FALSE, NULL)`)
	f.hold("held", strings.Replace(personsScript(2), "last_batch_rows = @rows", "last_batch_rows = IFNULL(last_batch_rows, 0) + @rows", 1), personsParams("one"))
	require.NoError(t, os.CopyFS(crashed, os.DirFS(dir)))
	require.NoError(t, f.server.Close())

	f.restart(func(c *Config) { c.Dir = crashed })
	f.done("held")
	require.EqualValues(t, 1, f.count("persons"))
	require.Equal(t, [][]client.Value{{int64(4)}}, f.rows("SELECT last_batch_rows FROM analytics.tidemark_status"))
	_, err := f.runWith("held", personsScript(2), personsParams("two"))
	requireReason(t, err, 409, "duplicate")
}

// As TestJob_RecordAndRowsAreOneTransaction, for a script.
func TestPersons_RecordAndRowsAreOneTransaction(t *testing.T) {
	f := start(t, nil)
	f.createPersonTables()
	f.fillStage(`(1, 'p1', NULL, 1, FALSE, '{}')`)
	// The record of the start fits, that of the end does not.
	for _, sql := range []string{`DELETE FROM "$catalog".jobs`, `CREATE UNIQUE INDEX one ON "$catalog".jobs (seq)`} {
		_, err := f.server.store.db.ExecContext(f.ctx, sql)
		require.NoError(t, err)
	}
	_, err := f.runWith("once", personsScript(1), personsParams("one"))
	requireReason(t, err, 400, "jobInternalError")
	md, err := f.table("persons_person_state").Metadata(f.ctx)
	require.NoError(t, err)
	require.Zero(t, md.NumRows)
	require.Nil(t, f.server.conflicts.changing([]tableRef{{testProject, testDataset, "tidemark_status"}}))
}
