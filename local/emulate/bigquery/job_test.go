package bigquery

import (
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	client "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
)

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: eventTime()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// tempFiles lists the files that load jobs have left.
func tempFiles(t *testing.T, s *Server) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.store.temp, "load-*"))
	require.NoError(t, err)
	return files
}

// docs.cloud.google.com/bigquery/docs/error-messages, "duplicate"; a failed job keeps
// its ID: "retry with a new jobId".
func TestJob_IDIsTakenForGood(t *testing.T) {
	dir := t.TempDir()
	onDisk := func(c *Config) { c.Dir = dir }
	f := start(t, onDisk)
	f.createEvents("events")
	uri := f.upload(events(0, 10))
	require.NoError(t, f.load("good", "events", uri).Err())
	requireJobReason(t, f.load("bad", "events", "gs://"+testBucket+"/nosuch"), "notFound")
	f.execAs("query", "INSERT INTO analytics.events (uuid) VALUES ('x')")
	taken := func() {
		t.Helper()
		for _, id := range []string{"good", "bad", "query"} {
			_, err := f.loader(id, "events", eventSchema(), uri).Run(f.ctx)
			requireReason(t, err, http.StatusConflict, "duplicate")
			_, err = f.run(id, "DROP TABLE analytics.events")
			requireReason(t, err, http.StatusConflict, "duplicate")
		}
		require.EqualValues(t, 11, f.count("events"))
	}
	taken()
	require.NoError(t, f.server.CreateDataset(f.ctx, testProject, "europe", "EU"))
	f.execAs("table", "CREATE TABLE analytics.t AS SELECT 1 AS one")
	before, err := f.table("events").Metadata(f.ctx)
	require.NoError(t, err)

	f.restart(onDisk)
	taken()
	after, err := f.table("events").Metadata(f.ctx)
	require.NoError(t, err)
	require.Equal(t, before, after)
	job, err := f.client.JobFromID(f.ctx, "bad")
	require.NoError(t, err)
	requireJobReason(t, job.LastStatus(), "notFound")
	job, err = f.client.JobFromID(f.ctx, "good")
	require.NoError(t, err)
	require.EqualValues(t, 10, job.LastStatus().Statistics.Details.(*client.LoadStatistics).OutputRows)
	f.execAs("after", "INSERT INTO analytics.t VALUES (2)")
	require.EqualValues(t, 2, f.count("t"))
}

// docs.cloud.google.com/bigquery/docs/reference/rest/v2/JobReference: an ID is unique
// within a project and location.
func TestJob_LocationIsPartOfTheID(t *testing.T) {
	f := start(t, nil)
	require.NoError(t, f.server.CreateDataset(f.ctx, testProject, "regional", "us-central1"))
	require.NoError(t, f.server.CreateDataset(f.ctx, testProject, "regional", "US-Central1"), "again")
	require.Error(t, f.server.CreateDataset(f.ctx, testProject, "regional", "EU"))
	regional := connect(t, f.server.Endpoint(), "us-central1")
	require.NoError(t, regional.Dataset("regional").Table("t").Create(f.ctx, &client.TableMetadata{Schema: eventSchema()}))
	q := regional.Query("INSERT INTO regional.t (uuid) VALUES ('x')")
	q.JobID = "same"
	job, err := q.Run(f.ctx)
	require.NoError(t, err)
	require.Equal(t, "us-central1", job.Location())
	f.execAs("same", "SELECT 1")

	nowhere := connect(t, f.server.Endpoint()+"/", "")
	job, err = nowhere.JobFromID(f.ctx, "same")
	require.NoError(t, err)
	require.Equal(t, "US", job.Location(), "without a location only those in the US are found")
	_, err = nowhere.JobFromIDLocation(f.ctx, "same", "EU")
	requireReason(t, err, http.StatusNotFound, "notFound")

	q = nowhere.Query("INSERT INTO regional.t (uuid) VALUES ('y')")
	q.JobID = "elsewhere"
	job, err = q.Run(f.ctx)
	require.NoError(t, err, "the location is that of the dataset")
	require.Equal(t, "us-central1", job.Location())
	_, err = nowhere.JobFromID(f.ctx, "elsewhere")
	requireReason(t, err, http.StatusNotFound, "notFound")

	q = nowhere.Query("SELECT * FROM nosuch.t")
	q.JobID = "failing"
	job, err = q.Run(f.ctx)
	require.NoError(t, err)
	require.Equal(t, "US", job.Location())
	requireJobReason(t, f.finish(job), "notFound")

	_, err = f.run("wrong", "SELECT * FROM regional.t")
	requireReason(t, err, http.StatusNotFound, "notFound")
	_, err = f.tryRows("SELECT 1 FROM regional.t, analytics.t")
	requireReason(t, err, http.StatusNotFound, "notFound")
}

func TestJob_GoesThroughItsStates(t *testing.T) {
	f := start(t, func(c *Config) { c.Async = true })
	f.createEvents("events")
	pending, running := make(chan struct{}), make(chan struct{})
	f.faults.OnJob(JobRule{Kind: "load", Table: "events", Fault: JobFault{HoldPending: pending, HoldRunning: running}})
	job, err := f.loader("load", "events", eventSchema(), f.upload(events(0, 10))).Run(f.ctx)
	require.NoError(t, err)
	require.Equal(t, client.Pending, job.LastStatus().State)
	f.requireState("load", client.Pending)
	_, err = f.loader("load", "events", eventSchema(), f.upload(events(0, 10))).Run(f.ctx)
	requireReason(t, err, http.StatusConflict, "duplicate")
	close(pending)
	f.awaitRunning(job)
	require.Zero(t, f.count("events"), "no effect before the end")
	close(running)
	require.NoError(t, f.finish(job).Err())
	require.EqualValues(t, 10, f.count("events"))
}

func TestJob_TakesTheConfiguredTime(t *testing.T) {
	const state = 20 * time.Millisecond
	f := start(t, func(c *Config) { c.Pending, c.Running = state, state })
	f.createEvents("events")
	begin := time.Now()
	require.NoError(t, f.load("load", "events", f.upload(events(0, 10))).Err())
	require.GreaterOrEqual(t, time.Since(begin), 2*state)
}

// docs.cloud.google.com/bigquery/docs/reference/rest/v2/jobs/cancel
func TestJob_CancelledJobDoesNothing(t *testing.T) {
	f := start(t, func(c *Config) { c.Async = true })
	f.createEvents("events")
	f.faults.OnJob(JobRule{JobID: "held", Fault: JobFault{HoldPending: make(chan struct{})}})
	job, err := f.loader("held", "events", eventSchema(), f.upload(events(0, 10))).Run(f.ctx)
	require.NoError(t, err)
	require.NoError(t, job.Cancel(f.ctx))
	requireJobReason(t, f.finish(job), "stopped")
	require.NoError(t, job.Cancel(f.ctx), "no effect")
	require.Zero(t, f.count("events"))
	requireReason(t, func() error { _, err := f.run("held", "SELECT 1"); return err }(), http.StatusConflict, "duplicate")
}

// A running statement is interrupted, and its connection serves the next job.
func TestJob_CancelInterruptsAStatement(t *testing.T) {
	f := start(t, func(c *Config) { c.Async = true })
	q := f.client.Query("SELECT COUNT(*) FROM UNNEST(@p) a, UNNEST(@p) b, UNNEST(@p) c, UNNEST(@p) d, UNNEST(@p) e WHERE MOD(a + b * c + d * e, 7) = 8")
	q.Parameters = []client.QueryParameter{{Name: "p", Value: make([]int64, 1000)}}
	q.JobID = "long"
	job, err := q.Run(f.ctx)
	require.NoError(t, err)
	f.awaitRunning(job)
	require.NoError(t, job.Cancel(f.ctx))
	requireJobReason(t, f.finish(job), "stopped")
	require.Len(t, f.rows("SELECT 1"), 1)
}

func TestJob_TimeoutEndsTheJob(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	f.faults.OnJob(JobRule{Fault: JobFault{HoldRunning: make(chan struct{})}})
	loader := f.loader("late", "events", eventSchema(), f.upload(events(0, 1)))
	loader.JobTimeout = 5 * time.Millisecond
	requireJobReason(t, f.runLoad(loader), "timeout")
	require.Zero(t, f.count("events"))
}

// A job that was accepted is not forgotten: it is run by the next server, once.
func TestJob_AcceptedJobRunsAfterRestart(t *testing.T) {
	dir := t.TempDir()
	onDisk := func(c *Config) { c.Dir, c.Async = dir, true }
	f := start(t, onDisk)
	f.createEvents("events")
	rule := f.faults.OnJob(JobRule{Count: -1, Fault: JobFault{HoldRunning: make(chan struct{})}})
	uri := f.upload(events(0, 10))
	_, err := f.loader("held", "events", eventSchema(), uri).Run(f.ctx)
	require.NoError(t, err)
	q := f.client.Query("INSERT INTO analytics.events (uuid) VALUES (@p), (@null)")
	q.JobID, q.Parameters = "query", []client.QueryParameter{{Name: "p", Value: ""}, {Name: "null", Value: client.NullString{}}}
	_, err = q.Run(f.ctx)
	require.NoError(t, err)
	require.NoError(t, f.server.Close())
	rule.Remove()

	f.restart(onDisk)
	f.done("held")
	f.done("query")
	_, err = f.loader("held", "events", eventSchema(), uri).Run(f.ctx)
	requireReason(t, err, http.StatusConflict, "duplicate")
	require.Equal(t, [][]client.Value{{int64(12), int64(11)}}, f.rows("SELECT COUNT(*), COUNT(uuid) FROM analytics.events"))
	f.restart(onDisk)
	require.EqualValues(t, 12, f.count("events"))
}

// What has been answered survives a crash: here a copy of the files of a server that
// was not closed, with one job DONE and one under way.
func TestJob_SurvivesACrash(t *testing.T) {
	dir, crashed := t.TempDir(), t.TempDir()
	f := start(t, func(c *Config) { c.Dir, c.Async = dir, true })
	f.createEvents("events")
	uri := f.upload(events(0, 10))
	require.NoError(t, f.load("done", "events", uri).Err())
	rule := f.faults.OnJob(JobRule{Count: -1, Fault: JobFault{HoldRunning: make(chan struct{})}})
	loader := f.loader("held", "events", eventSchema(), uri)
	loader.Labels = map[string]string{"team": "1"}
	_, err := loader.Run(f.ctx)
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(crashed, os.DirFS(dir)))
	require.NoError(t, f.server.Close())
	rule.Remove()

	f.restart(func(c *Config) { c.Dir = crashed })
	f.done("held")
	job, err := f.client.JobFromID(f.ctx, "held")
	require.NoError(t, err)
	require.NoError(t, job.LastStatus().Err())
	config, err := job.Config()
	require.NoError(t, err)
	require.Equal(t, loader.Labels, config.(*client.LoadConfig).Labels)
	_, err = f.loader("done", "events", eventSchema(), uri).Run(f.ctx)
	requireReason(t, err, http.StatusConflict, "duplicate")
	require.EqualValues(t, 20, f.count("events"))
}

// A commit that fails must leave neither rows nor a successful job.
func TestJob_RecordAndRowsAreOneTransaction(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	// The record of the start fits, that of the end does not.
	_, err := f.server.store.db.ExecContext(f.ctx, `CREATE UNIQUE INDEX one ON "$catalog".jobs (seq)`)
	require.NoError(t, err)
	status := f.load("load", "events", f.upload(events(0, 10)))
	requireJobReason(t, status, "jobInternalError")
	require.Len(t, status.Errors, 2, "its end could not be recorded either")
	md, err := f.table("events").Metadata(f.ctx)
	require.NoError(t, err)
	require.Zero(t, md.NumRows)
}

func TestJob_ListIsLatestFirst(t *testing.T) {
	f := start(t, nil)
	for _, id := range []string{"a", "b", "c"} {
		_, err := f.run(id, "SELECT 1")
		require.NoError(t, err)
	}
	it := f.client.Jobs(f.ctx)
	it.PageInfo().MaxSize = 2
	it.State = client.Done
	var ids []string
	for range 3 {
		job, err := it.Next()
		require.NoError(t, err)
		ids = append(ids, job.ID())
	}
	require.Equal(t, []string{"c", "b", "a"}, ids)
}

func TestServer_CloseRemovesTemporaryFilesAndEndsHeldJobs(t *testing.T) {
	f := start(t, func(c *Config) { c.Async = true })
	f.createEvents("events")
	f.faults.OnJob(JobRule{Count: -1, Fault: JobFault{HoldRunning: make(chan struct{})}})
	_, err := f.loader("held", "events", eventSchema(), f.upload(events(0, 1))).Run(f.ctx)
	require.NoError(t, err)
	require.NoError(t, f.server.Close())
	require.NoDirExists(t, f.server.store.temp)
	_, err = os.Stat(f.server.store.temp)
	require.ErrorIs(t, err, os.ErrNotExist)
}
