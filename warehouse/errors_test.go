package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"

	"cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/googleapi"
)

// tokenError has the methods of the auth library's Error.
type tokenError struct{ temporary bool }

func (tokenError) Error() string     { return "auth: cannot fetch token: 400" }
func (e tokenError) Temporary() bool { return e.temporary }

// The texts are BigQuery's own, as its documentation and public issues quote them.
func TestClassify(t *testing.T) {
	failed := func(reason, message string) error { return &bigquery.Error{Reason: reason, Message: message} }
	answer := func(code int, reason, message string) error {
		return &googleapi.Error{Code: code, Message: message, Errors: []googleapi.ErrorItem{{Reason: reason, Message: message}}}
	}
	for _, c := range []struct {
		op        string
		err       error
		permanent bool
		hint      string // a part of it
	}{
		{"load job", failed("backendError", "Error encountered during execution. Retrying may solve the problem."), false, ""},
		{"load job", failed("internalError", "An internal error occurred and the request could not be completed."), false, ""},
		{"load job", failed("jobBackendError", "The job failed. Retry with a new job ID."), false, ""},
		{"load job", failed("rateLimitExceeded", "Exceeded rate limits: too many table update operations for this table. For more information, see https://cloud.google.com/bigquery/docs/troubleshoot-quotas"), false, "heals by itself"},
		{"load job", failed("quotaExceeded", "Quota exceeded: Your table exceeded quota for imports or query appends per table. For more information, see https://cloud.google.com/bigquery/docs/troubleshoot-quotas"), false, "1,500 load jobs"},
		{"query job", failed("invalidQuery", "Query error: Transaction is aborted due to concurrent update against table acmeCo:dataset.flow_checkpoints_v1. Transaction ID: 61e30eea-0000-2dab-8e60-94eb2c1b1a92 at [24:9]"), false, ""},
		{"query job", failed("invalidQuery", "Could not serialize access to table xxxx.yyyyy due to concurrent update"), false, ""},
		{"query job", failed("invalidQuery", "Unrecognized name: uid at [3:5]"), true, "refuses the statement"},
		{"query job", failed("invalidQuery", "Unrecognized name: consumer_group at [1:17]"), true, "older tidemark"},
		{"query job", failed("resourcesExceeded", "Resources exceeded during query execution: Too many DML statements outstanding against table mlab-sandbox:tmp_ndt.ndt5, limit is 20"), false, ""},
		{"query job", failed("resourcesExceeded", "Resources exceeded during query execution: The query could not be executed in the allotted memory."), true, "smaller batches"},
		{"load job", failed("invalid", "Provided Schema does not match Table cluster-fuzz:afl_stats.TestcaseRun. Field seconds_executed has changed type from FLOAT to INTEGER"), true, "compare the column"},
		{"load job", failed("invalid", "Unsupported field type: JSON"), true, "compare"},
		{"load job", failed("duplicate", "Already Exists: Table proj:ds.stage"), true, "not empty"},
		{"load job", failed("notFound", "Not found: URI gs://bucket/tidemark/parts/x/00001.parquet"), true, "lifecycle"},
		{"load job", failed("notFound", "Not found: Table proj:ds.events was not found in location EU"), true, "the table is gone"},
		{"load job", failed("accessDenied", "Access Denied: File gs://bucket/x.parquet: Access Denied: sa@proj.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud Storage object."), true, "storage.objects.get"},
		{"query job", failed("quotaExceeded", "Quota exceeded: Your table exceeded quota for total number of dml jobs writing to a table, pending + running. For more information, see https://cloud.google.com/bigquery/docs/troubleshoot-quotas"), false, "one after the other"},
		{"query job", failed("timeout", "Job timed out after 7200000 ms"), false, "TIDEMARK_JOB_TIMEOUT"},
		{"query job", failed("stopped", "Job execution was cancelled: Job timed out after 7200 sec"), false, "TIDEMARK_JOB_TIMEOUT"},
		{"query job", failed("bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: 163595928. 164626432 or higher required."), true, "TIDEMARK_MAX_BYTES_BILLED"},
		{"load job", failed("stopped", "Job execution was cancelled: User requested cancellation"), true, "cancelled"},

		{"submit load job", answer(404, "notFound", "Not found: Dataset proj:ds was not found in location US"), true, "another location"},
		{"submit load job", answer(403, "accessDenied", "Access Denied: Project proj: User does not have bigquery.jobs.create permission in project proj."), true, "roles/bigquery.jobUser"},
		{"submit load job", answer(403, "quotaExceeded", "Quota exceeded: ..."), false, "quota"},
		{"submit load job", answer(403, "rateLimitExceeded", "Exceeded rate limits: too many api requests per user per method for this user_method."), false, "too often"},
		{"submit load job", answer(403, "billingNotEnabled", "BigQuery: Streaming insert is not allowed in the free tier"), true, "billing"},
		{"submit load job", answer(401, "authError", "Invalid Credentials"), true, "credentials"},
		{"submit load job", answer(503, "backendError", "Service is unavailable. Please retry."), false, ""},
		{"submit load job", answer(502, "", "Bad Gateway"), false, "did not answer"},
		{"submit load job", answer(429, "", "Too Many Requests"), false, ""},
		{opReadJob, answer(403, "accessDenied", "Access Denied: Job proj:EU.tidemark_b_load-g1: Permission bigquery.jobs.get denied on job proj:EU.tidemark_b_load-g1 (or it may not exist)."), true, "another account"},
		{opCreateTable, answer(403, "accessDenied", "Access Denied: Dataset proj:ds: Permission bigquery.tables.create denied on dataset proj:ds (or it may not exist)."), true, "dataEditor"},

		{"submit load job", &url.Error{Op: "Post", URL: "http://127.0.0.1:1", Err: io.EOF}, false, "network"},
		{"submit load job", &url.Error{Op: "Post", Err: fmt.Errorf("token: %w", tokenError{temporary: false})}, true, "usable Google credentials"},
		{"submit load job", &url.Error{Op: "Post", Err: tokenError{temporary: true}}, false, ""},
		{"submit load job", &url.Error{Op: "Post", Err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}}, false, "network"},
		{"submit load job", context.DeadlineExceeded, false, "did not answer"},
	} {
		e := classify(c.op, "proj.ds.events", c.err)
		require.Equal(t, c.permanent, e.Permanent, "%v", e)
		require.Equal(t, c.permanent, isPermanent(fmt.Errorf("apply: %w", e)))
		require.Contains(t, e.Hint(), c.hint, "%v", e)
		require.ErrorIs(t, e, c.err)
		require.NotContains(t, e.Error(), "Reason:", "the library's own wording is not repeated")
	}
	require.False(t, isPermanent(errors.New("other")))
}

func TestOutcomeOf(t *testing.T) {
	answer := func(code int) error { return &googleapi.Error{Code: code} }
	require.Equal(t, accepted, outcomeOf(nil))
	require.Equal(t, exists, outcomeOf(answer(409)))
	for _, code := range []int{400, 401, 403, 404, 501 - 100} {
		require.Equal(t, refused, outcomeOf(answer(code)), code)
	}
	for _, err := range []error{answer(500), answer(503), answer(408), answer(429), io.EOF, io.ErrUnexpectedEOF, context.DeadlineExceeded} {
		require.Equal(t, unknown, outcomeOf(err), err)
	}
}

func TestConfig_ValidateNamesEveryFault(t *testing.T) {
	good := Config{Project: "proj", BigQueryCallTimeout: 60e9, BigQueryPollMax: 5e9}
	require.NoError(t, good.Validate())
	good.BigQueryEndpoint = "http://127.0.0.1:9050"
	require.NoError(t, good.Validate())
	err := Config{BigQueryEndpoint: "localhost:9050/x"}.Validate()
	for _, want := range []string{"TIDEMARK_PROJECT is empty", `TIDEMARK_BIGQUERY_ENDPOINT is "localhost:9050/x"`,
		"TIDEMARK_BIGQUERY_CALL_TIMEOUT is 0s; want 1s to 10m0s", "TIDEMARK_BIGQUERY_POLL_MAX is 0s; want 500ms to 1m0s"} {
		require.ErrorContains(t, err, want)
	}
}

func TestCleanLabels(t *testing.T) {
	got := cleanLabels(map[string]string{"Batch": "ABC", "1": "é/ü", "": "", "long": string(make([]byte, 100))})
	require.Equal(t, "abc", got["batch"])
	require.Equal(t, "---", got["l1"])
	require.Equal(t, "", got["l"])
	require.Len(t, got["long"], 63)
}

// isPermanent says whether err is BigQuery's and permanent.
func isPermanent(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Permanent
}
