package bigquery

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The client repeats a 503 with the same job ID, so that the caller of a job that
// was accepted sees a 409; it does not repeat a dropped connection. Either way the
// job is there to attach to.
func TestFaults_LostReplyAfterExecution(t *testing.T) {
	for name, fault := range map[string]Fault{"status": {Status: http.StatusServiceUnavailable}, "dropped": {Drop: true}} {
		t.Run(name, func(t *testing.T) {
			f := start(t, nil)
			f.createEvents("events")
			rule := f.faults.OnRequest(RequestRule{Op: "jobs.insert", Table: "events", JobID: "load", Phase: After, Fault: fault})
			_, err := f.loader("load-g1", "events", eventSchema(), f.upload(events(0, 10))).Run(f.ctx)
			if fault.Drop {
				require.ErrorIs(t, err, io.EOF)
			} else {
				requireReason(t, err, http.StatusConflict, "duplicate")
			}
			require.Equal(t, 1, rule.Hits())
			job, err := f.client.JobFromIDLocation(f.ctx, "load-g1", "US")
			require.NoError(t, err)
			require.NoError(t, f.finish(job).Err())
			require.EqualValues(t, 10, f.count("events"))
		})
	}
}

func TestFaults_LostReplyBeforeExecution(t *testing.T) {
	for name, fault := range map[string]Fault{"status": {Status: http.StatusServiceUnavailable}, "dropped": {Drop: true}} {
		t.Run(name, func(t *testing.T) {
			f := start(t, nil)
			f.createEvents("events")
			f.faults.OnRequest(RequestRule{Op: "jobs.insert", Phase: Before, Fault: fault})
			loader := f.loader("load-g1", "events", eventSchema(), f.upload(events(0, 10)))
			job, err := loader.Run(f.ctx)
			if fault.Drop {
				require.ErrorIs(t, err, io.EOF)
				_, err = f.client.JobFromIDLocation(f.ctx, "load-g1", "US")
				requireReason(t, err, http.StatusNotFound, "notFound")
				job, err = loader.Run(f.ctx)
			}
			require.NoError(t, err, "the same ID is free")
			require.NoError(t, f.finish(job).Err())
			require.EqualValues(t, 10, f.count("events"))
		})
	}
}

func TestFaults_ForcedJobErrorDoesNothing(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	uri := f.upload(events(0, 10))
	rule := f.faults.OnJob(JobRule{Kind: "load", JobID: "load", Skip: 1, Count: 2, Fault: JobFault{Reason: "backendError"}})
	require.NoError(t, f.load("load-g0", "events", uri).Err())
	requireJobReason(t, f.load("load-g1", "events", uri), "backendError")
	requireJobReason(t, f.load("load-g2", "events", uri), "backendError")
	require.NoError(t, f.load("load-g3", "events", uri).Err())
	require.Equal(t, 2, rule.Hits())
	require.EqualValues(t, 20, f.count("events"))
	_, err := f.loader("load-g1", "events", eventSchema(), uri).Run(f.ctx)
	requireReason(t, err, http.StatusConflict, "duplicate")
}

func TestFaults_StormEndsWithSuccess(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	storm := f.faults.OnRequest(RequestRule{Op: "tables.get", Path: "/" + testDataset + "/", Count: 2, Fault: Fault{Status: http.StatusInternalServerError}})
	forbidden := f.faults.OnRequest(RequestRule{Op: "tables.delete", Count: -1, Fault: Fault{Status: http.StatusForbidden}})
	requireReason(t, f.table("events").Delete(f.ctx), http.StatusForbidden, "accessDenied")
	forbidden.Remove()
	_, err := f.table("events").Metadata(f.ctx)
	require.NoError(t, err)
	require.Equal(t, 2, storm.Hits())
	require.NoError(t, f.table("events").Delete(f.ctx))
}

func TestFaults_DelayAndHoldSlowAReply(t *testing.T) {
	f := start(t, nil)
	const delay = 20 * time.Millisecond
	f.faults.OnRequest(RequestRule{Op: "datasets.get", Fault: Fault{Delay: delay}})
	begin := time.Now()
	_, err := f.client.Dataset(testDataset).Metadata(f.ctx)
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(begin), delay)

	release := make(chan struct{})
	rule := f.faults.OnRequest(RequestRule{Op: "datasets.get", Phase: After, Fault: Fault{Hold: release}})
	hit, done := rule.Hit(), make(chan error, 1)
	go func() {
		_, err := f.client.Dataset(testDataset).Metadata(f.ctx)
		done <- err
	}()
	<-hit
	close(release)
	require.NoError(t, <-done)
}

// The fast path of queries has no job ID to attach to; its requestId makes the
// client's repetition safe
// (docs.cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query, "requestId").
func TestFaults_RepeatedQueryRequestRunsOnce(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	rule := f.faults.OnRequest(RequestRule{Op: "jobs.query", Phase: After, Fault: Fault{Status: http.StatusServiceUnavailable}})
	_, err := f.client.Query("INSERT INTO analytics.events (uuid) VALUES ('x')").Read(f.ctx)
	require.NoError(t, err)
	require.Equal(t, 1, rule.Hits())
	require.EqualValues(t, 1, f.count("events"))
}

func TestJob_FailureOfAQueryIsTheErrorOfWait(t *testing.T) {
	f := start(t, nil)
	q := f.client.Query("SELECT * FROM analytics.nosuch")
	q.JobID = "query"
	job, err := q.Run(f.ctx)
	require.NoError(t, err)
	_, err = job.Wait(f.ctx)
	requireReason(t, err, http.StatusNotFound, "notFound")
	status, err := job.Status(f.ctx)
	require.NoError(t, err)
	requireJobReason(t, status, "notFound")
}

func TestFaults_RulesMayLookAtTheWholeCall(t *testing.T) {
	script := NewFaultScript()
	merge := script.OnJob(JobRule{Count: -1, When: func(c JobCall) bool { return strings.Contains(c.JobID, "_merge-g") }, Fault: JobFault{Reason: "backendError"}})
	stage := script.OnRequest(RequestRule{Op: "tables.insert", Count: -1, When: func(c Call) bool { return strings.HasPrefix(c.Table, "stage_") }, Fault: Fault{Drop: true}})
	for id, want := range map[string]string{"a_load-g1": "", "a_merge-g1": "backendError"} {
		require.Equal(t, want, script.Job(JobCall{JobID: id}).Reason, id)
	}
	require.True(t, script.Request(Before, Call{Op: "tables.insert", Table: "stage_1"}).Drop)
	require.False(t, script.Request(Before, Call{Op: "tables.insert", Table: "events"}).Drop)
	require.False(t, script.Request(Before, Call{Op: "tables.delete", Table: "stage_1"}).Drop)
	require.Equal(t, 1, merge.Hits())
	require.Equal(t, 1, stage.Hits())
}
