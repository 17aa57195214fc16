package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/api/googleapi"
)

// What reached BigQuery is judged by its cause (causes_test.go); what did not, here.
func TestClassify_WithoutAnAnswer(t *testing.T) {
	for _, c := range []struct {
		err       error
		permanent bool
		hint      string // a part of it
	}{
		{&url.Error{Op: "Post", URL: "http://127.0.0.1:1", Err: io.EOF}, false, "network"},
		{&url.Error{Op: "Post", Err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}}, false, "network"},
		{context.DeadlineExceeded, false, "did not answer"},
		{&url.Error{Op: "Post", Err: errors.New("impersonate: status code 503: Service Unavailable")}, false, "did not answer"},
	} {
		e := classify("submit load job", "proj.ds.events", c.err)
		require.Equal(t, c.permanent, e.Permanent, "%v", e)
		require.Contains(t, e.Hint(), c.hint, "%v", e)
		require.ErrorIs(t, e, c.err)
	}
	require.False(t, isPermanent(errors.New("other")))
}

// A right to impersonate that is revoked arrives as a plain text of the auth library inside the HTTP client's error.
func TestA12_RefusedImpersonationIsPermanent(t *testing.T) {
	err := &url.Error{Op: "Post", URL: "https://bigquery.googleapis.com/bigquery/v2/projects/proj/jobs",
		Err: fmt.Errorf("impersonate: status code %d: %s", 403, `{"error": {"message": "Permission 'iam.serviceAccounts.getAccessToken' denied on loader@acme.iam.gserviceaccount.com"}}`)}
	e := classify("submit load job", "proj.ds.events", err)
	require.True(t, e.Permanent)
	require.Equal(t, "submit load job proj.ds.events: credentials: "+err.Error(), e.Error())
	require.Contains(t, e.Hint(), "act as loader@acme.iam.gserviceaccount.com")
	require.Contains(t, e.Hint(), "roles/iam.serviceAccountTokenCreator")
	require.NotContains(t, e.Hint(), "network")
}

func TestOutcomeOf(t *testing.T) {
	answer := func(code int) error { return &googleapi.Error{Code: code} }
	require.Equal(t, accepted, outcomeOf(nil))
	require.Equal(t, exists, outcomeOf(answer(409)))
	for _, code := range []int{400, 401, 403, 404, 501 - 100} {
		require.Equal(t, refused, outcomeOf(answer(code)), code)
	}
	for _, text := range []string{"impersonate: status code 403: denied", "oauth2/google: status code 401: unknown client"} { // no request was made
		require.Equal(t, refused, outcomeOf(&url.Error{Op: "Post", Err: errors.New(text)}), text)
	}
	require.Equal(t, unknown, outcomeOf(&url.Error{Op: "Post", Err: errors.New("impersonate: status code 503: Service Unavailable")}))
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
