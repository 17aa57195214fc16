package bigquery

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	client "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
)

// jobError is a failed job's errorResult; it checks that the job has an end time.
func (f *fixture) jobError(status *client.JobStatus) *client.Error {
	f.t.Helper()
	var failure *client.Error
	require.ErrorAs(f.t, status.Err(), &failure)
	require.False(f.t, status.Statistics.EndTime.IsZero(), "DONE without an end time")
	return failure
}

// await runs a query to its end and returns its status, failed or not.
func (f *fixture) await(id, sql string, configure func(*client.Query)) *client.JobStatus {
	f.t.Helper()
	q := f.client.Query(sql)
	q.JobID = id
	if configure != nil {
		configure(q)
	}
	job, err := q.Run(f.ctx)
	require.NoError(f.t, err)
	return f.finish(job)
}

// B: estuary/connectors#111: "Query error: … Transaction ID: … at [24:9]".
func TestB_ErrorsOfScriptsSayWhere(t *testing.T) {
	f := start(t, async)
	f.createPersons()
	job, release := f.hold("first", "BEGIN TRANSACTION; "+increment+"; COMMIT TRANSACTION", nil)
	second := f.await("second", "BEGIN TRANSACTION;\n\n  "+increment+";\nCOMMIT TRANSACTION", nil)
	release()
	require.NoError(t, f.finish(job).Err())
	failure := f.jobError(second)
	require.Equal(t, "invalidQuery", failure.Reason)
	require.Equal(t, "query", failure.Location)
	require.Regexp(t, regexp.MustCompile(`^Query error: Transaction is aborted due to concurrent update against table my-project:analytics\.persons\. Transaction ID: [0-9a-f-]{36} at \[3:3\]$`), failure.Message)

	for id, c := range map[string]struct{ sql, want string }{
		"assert":  {"SELECT 'é', 1; ASSERT FALSE AS 'no'", "Query error: no at [1:16]"},
		"divides": {"BEGIN TRANSACTION;\nSELECT DIV(1, 0);\nCOMMIT TRANSACTION", "at [2:1]"},
		"missing": {"SELECT 1;\n SELECT * FROM analytics.nosuch", "Not found: Table my-project:analytics.nosuch at [2:2]"},
		"single":  {"ASSERT FALSE AS 'no'", "no"},
	} {
		failure := f.jobError(f.await(id, c.sql, nil))
		if id == "divides" {
			require.Contains(t, failure.Message, c.want)
			continue
		}
		require.Equal(t, c.want, failure.Message)
	}
}

// C6: docs.cloud.google.com/bigquery/docs/best-practices-costs#restrict-bytes-billed
func TestC6_MaximumBytesBilled(t *testing.T) {
	f := start(t, func(c *Config) { c.Async = true })
	f.createEvents("events")
	f.createEvents("stage")
	limited := func(max int64) func(*client.Query) { return func(q *client.Query) { q.MaxBytesBilled = max } }
	const table = 10 << 20
	for id, c := range map[string]struct {
		sql    string
		tables int64
	}{
		"select":       {"SELECT uuid FROM analytics.events", 1},
		"join":         {"SELECT e.uuid FROM analytics.events e JOIN analytics.stage s ON e.uuid = s.uuid", 2},
		"constant":     {"SELECT 1", 0},
		"values":       {"INSERT INTO analytics.events (uuid) VALUES ('x')", 0},
		"insert":       {"INSERT INTO analytics.events SELECT * FROM analytics.stage", 1},
		"merge":        {"MERGE analytics.events e USING analytics.stage s ON e.uuid = s.uuid WHEN MATCHED THEN DELETE", 2},
		"script":       {"SELECT uuid FROM analytics.events; SELECT uuid FROM analytics.stage", 2},
		"create":       {"CREATE OR REPLACE TABLE analytics.copy AS SELECT * FROM analytics.stage", 1},
		"update":       {"UPDATE analytics.events SET uuid = 'y' WHERE uuid = 'x'", 1},
		"transactions": {"BEGIN TRANSACTION; DELETE FROM analytics.events WHERE uuid = 'x'; COMMIT TRANSACTION", 1},
	} {
		require.NoError(t, f.await(id+"-enough", c.sql, limited(max(c.tables*table, 1))).Err(), id)
		if c.tables == 0 {
			continue
		}
		failure := f.jobError(f.await(id+"-less", c.sql, limited(c.tables*table-1)))
		require.Equal(t, "bytesBilledLimitExceeded", failure.Reason)
		require.Regexp(t, `^Query exceeded limit for bytes billed: \d+\. \d+ or higher required\.$`, failure.Message)
	}
	failure := f.jobError(f.await("text", "SELECT uuid FROM analytics.events", limited(1000000)))
	require.Equal(t, "Query exceeded limit for bytes billed: 1000000. 10485760 or higher required.", failure.Message, "the example of the documentation")

	const rows = 900_000
	require.NoError(t, f.load("load", "events", f.upload(events(0, rows))).Err())
	rounded := func(bytes int64) int64 { return (bytes + 1<<20 - 1) >> 20 << 20 }
	require.NoError(t, f.await("column", "SELECT uuid FROM analytics.events", limited(rounded(rows*13))).Err()) // 2 + "uuid-000000"
	require.Error(t, f.await("all", "SELECT * FROM analytics.events", limited(rounded(rows*13))).Err())
	require.Error(t, f.await("whole", "DELETE FROM analytics.events WHERE uuid = 'x'", limited(rounded(rows*13))).Err(), "all columns of a table that is changed")
}

// A15: docs.cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfiguration.FIELDS.job_timeout_ms:
// a job that waits or runs for longer is stopped, wherever it waits.
func TestA15_JobTimeoutStopsWhatWaitsAndRuns(t *testing.T) {
	f := start(t, async)
	f.createPersons()
	f.createEvents("events")
	uri := f.upload(events(0, 1))
	open := make(chan struct{})
	defer close(open)
	const limit = 20 * time.Millisecond
	timed := func(q *client.Query) { q.JobTimeout = limit }
	f.faults.OnJob(JobRule{JobID: "pending", Count: -1, Fault: JobFault{HoldPending: open}})
	f.faults.OnJob(JobRule{JobID: "running", Count: -1, Fault: JobFault{HoldRunning: open}})
	check := func(status *client.JobStatus) {
		t.Helper()
		require.Equal(t, "timeout", f.jobError(status).Reason)
	}
	check(f.await("pending-query", increment, timed))
	check(f.await("running-query", increment, timed))
	for _, id := range []string{"pending-load", "running-load"} {
		loader := f.loader(id, "events", eventSchema(), uri)
		loader.JobTimeout = limit
		check(f.runLoad(loader))
	}
	var held []*client.Job
	for i := range 2 {
		job, err := f.submit("running-"+string(rune('a'+i)), insertMerge, nil)
		require.NoError(t, err)
		f.awaitRunning(job)
		held = append(held, job)
	}
	check(f.await("queued", increment, timed))
	for _, job := range held {
		require.NoError(t, job.Cancel(f.ctx))
		requireJobReason(t, f.finish(job), "stopped")
	}
	require.NoError(t, f.await("late", increment, func(q *client.Query) { q.JobTimeout = time.Hour }).Err())
	require.Zero(t, f.count("events"))
}

// fixtures/README.md: a file that a run against the real service has written replaces
// the words that are embedded, without being edited.
func TestFixtures_RecordedWordsReplaceEmbeddedOnes(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content any) {
		encoded, err := json.Marshal(content)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), encoded, 0o600))
	}
	failed := func(reason, message string) map[string]any {
		return map[string]any{
			"status":     map[string]any{"state": "DONE", "errorResult": map[string]any{"reason": reason, "location": "here", "message": message}},
			"statistics": map[string]any{"query": map[string]any{"referencedTables": []any{map[string]any{"projectId": "real", "datasetId": "scratch", "tableId": "fence"}}}},
		}
	}
	write("list.json", []any{
		map[string]any{"probe": "P1", "case": caseConcurrentUpdate, "source": "a run", "job": failed("aborted", "real:scratch.fence: Transaction ID: 61e30eea-0000-2dab-8e60-94eb2c1b1a92 lost at [7:1], `real.scratch.fence`")},
		map[string]any{"probe": "P7", "case": "something else", "job": failed("x", "y")},
		map[string]any{"probe": "P7", "case": caseBytesBilled, "job": map[string]any{"status": map[string]any{"state": "DONE"}}},
	})
	write("map.json", map[string]any{caseBytesBilled: map[string]any{"probe": "P6", "job": failed("tooExpensive", "Needs more than 1000: at least 20971520 bytes")},
		caseNoTable: map[string]any{"error": map[string]any{"code": 404, "message": "No real:scratch.x", "errors": []any{map[string]any{"reason": "notFound"}}}, "values": map[string]any{"table": "real:scratch.x"}}})
	f := start(t, func(c *Config) { c.Async, c.Fixtures = true, dir })
	f.createPersons()
	job, release := f.hold("first", "BEGIN TRANSACTION; "+increment+"; COMMIT TRANSACTION", nil)
	failure := f.jobError(f.await("second", "BEGIN TRANSACTION; "+increment+"; COMMIT TRANSACTION", nil))
	release()
	require.NoError(t, f.finish(job).Err())
	require.Equal(t, "aborted", failure.Reason)
	require.Equal(t, "here", failure.Location)
	require.Regexp(t, "^my-project:analytics.persons: Transaction ID: [0-9a-f-]{36} lost at \\[1:20\\], `my-project.analytics.persons`$", failure.Message)
	failure = f.jobError(f.await("bytes", "SELECT id FROM analytics.persons", func(q *client.Query) { q.MaxBytesBilled = 7 }))
	require.Equal(t, "tooExpensive", failure.Reason)
	require.Equal(t, "Needs more than 7: at least 10485760 bytes", failure.Message)
	failure = f.jobError(f.await("missing", "SELECT id FROM analytics.nosuch", nil))
	require.Equal(t, "No my-project:analytics.nosuch", failure.Message)

	_, err := Start(f.ctx, Config{Fixtures: filepath.Join(dir, "nosuch")})
	require.ErrorContains(t, err, "fixtures")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bad.json"), []byte("7"), 0o600))
	_, err = Start(f.ctx, Config{Fixtures: dir})
	require.ErrorContains(t, err, "neither a list nor a map")
}

// Each case has words, a source, and nothing of the occasion that they were seen on.
func TestFixtures_EmbeddedOnesAreComplete(t *testing.T) {
	encoded, err := embedded.ReadFile("fixtures/documented.json")
	require.NoError(t, err)
	var all []recording
	require.NoError(t, json.Unmarshal(encoded, &all))
	p, err := loadPhrases("")
	require.NoError(t, err)
	for _, r := range all {
		require.NotEmpty(t, r.Source, r.Case)
		require.NotEmpty(t, p[r.Case].message, r.Case)
		for name, value := range r.Values {
			require.Contains(t, p[r.Case].message, "{"+name+"}", "%s: %s", r.Case, value)
		}
		for _, name := range r.Numbers {
			require.Contains(t, p[r.Case].message, "{"+name+"}", r.Case)
		}
	}
	for _, name := range []string{caseConcurrentUpdate, caseDMLQueue, caseDMLRate, caseQueryPartitions, caseLoadPartitions, caseTablePartitions, casePartitionFilter,
		caseBytesBilled, caseLocation, caseLoadQuota, casePartitionQuota, caseIngestionQuota, caseAccessDenied, caseNoTable, caseNoDataset, caseRowTooLarge,
		caseTimeRange, caseCollation, caseTimeout} {
		require.Contains(t, p, name)
	}
}

// Faults may speak in BigQuery's words, too.
func TestFixtures_FaultsOfACase(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	f.faults.OnJob(JobRule{Kind: "load", Fault: JobFault{Case: caseAccessDenied}})
	status := f.load("load", "events", f.upload(events(0, 1)))
	requireJobReason(t, status, "accessDenied")
	require.ErrorContains(t, status.Err(), "Access Denied: Table my-project:analytics.events: Permission bigquery.tables.getData denied on table my-project:analytics.events (or it may not exist).")
	f.faults.OnRequest(RequestRule{Op: "tables.get", Fault: Fault{Case: caseAccessDenied}})
	_, err := f.table("events").Metadata(f.ctx)
	requireReason(t, err, http.StatusForbidden, "accessDenied")
	f.faults.OnJob(JobRule{Fault: JobFault{Case: "nosuch"}})
	requireJobReason(t, f.load("load-2", "events", f.upload(events(0, 1))), "notImplemented")
}
