package bigquery

import (
	"testing"

	client "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/googleapi"
)

// requireReason checks the code and reason of a refusal.
func requireReason(t testing.TB, err error, code int, reason string) {
	t.Helper()
	var refusal *googleapi.Error
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, code, refusal.Code, refusal.Message)
	require.NotEmpty(t, refusal.Errors)
	require.Equal(t, reason, refusal.Errors[0].Reason, refusal.Message)
}

// requireJobReason checks why a job that is DONE has failed.
func requireJobReason(t testing.TB, status *client.JobStatus, reason string) {
	t.Helper()
	var failure *client.Error
	require.ErrorAs(t, status.Err(), &failure)
	require.Equal(t, reason, failure.Reason, failure.Message)
}
