package credentials

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// tokenError has the methods of the auth library's Error.
type tokenError struct{ temporary bool }

func (tokenError) Error() string     { return `auth: "invalid_grant" "Invalid grant: account not found"` }
func (e tokenError) Temporary() bool { return e.temporary }

// The bodies are those of public issues: google-github-actions/auth 340, fluent/fluent-bit 5410.
const (
	denied    = "{\n  \"error\": {\n    \"code\": 403,\n    \"message\": \"Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).\",\n    \"status\": \"PERMISSION_DENIED\"\n  }\n}\n"
	caller    = "{\n  \"error\": {\n    \"code\": 403,\n    \"message\": \"The caller does not have permission\",\n    \"status\": \"PERMISSION_DENIED\"\n  }\n}\n"
	exchanged = `{"error":"invalid_target","error_description":"The target service indicated by the \"audience\" parameters is invalid."}`
)

func TestA12_RefusedImpersonationIsRecognised(t *testing.T) {
	get := func(cause error) error {
		return &url.Error{Op: "Get", URL: "https://storage.googleapis.com/storage/v1/b/bucket", Err: cause}
	}
	for _, c := range []struct {
		err  error
		hint string // a part of it, empty if the error is no refusal
	}{
		{get(fmt.Errorf("impersonate: status code %d: %s", 403, denied)), "roles/iam.serviceAccountTokenCreator"},
		{get(fmt.Errorf("impersonate: status code %d: %s", 403, caller)), "act as the service account that it is to impersonate"},
		{get(fmt.Errorf("impersonate: status code %d: %s", 404, "Not found; Gaia id not found for email loader@acme.iam.gserviceaccount.com")), "act as loader@acme.iam.gserviceaccount.com:"},
		{get(fmt.Errorf("credentials: status code %d: %s", 403, denied)), "roles/iam.workloadIdentityUser"},
		{get(fmt.Errorf("credentials: status code %d: %s", 400, exchanged)), "the pool, the provider"},
		{get(fmt.Errorf("oauth2/google: status code %d: %s", 403, denied)), "roles/iam.serviceAccountTokenCreator"},
		{get(fmt.Errorf("oauth2/google/externalaccount: status code %d: %s", 404, "no such path")), "GOOGLE_APPLICATION_CREDENTIALS"},
		{get(fmt.Errorf("token: %w", tokenError{})), "no usable Google credentials"},

		{get(fmt.Errorf("impersonate: status code %d: %s", 503, "Service Unavailable")), ""},
		{get(fmt.Errorf("impersonate: status code %d: %s", 429, "Quota exceeded")), ""},
		{get(fmt.Errorf("credentials: status code %d: %s", 408, "")), ""},
		{get(fmt.Errorf("impersonate: unable to generate access token: %w", &net.OpError{Op: "dial", Err: errors.New("connection refused")})), ""},
		{get(tokenError{temporary: true}), ""},
		{get(&net.OpError{Op: "dial", Err: errors.New("connection refused")}), ""},
		{errors.New("EOF"), ""},
	} {
		hint, refused := Refused(c.err)
		require.Equal(t, c.hint != "", refused, "%v", c.err)
		require.Contains(t, hint, c.hint, "%v", c.err)
		require.NotContains(t, hint, "{")
	}
}

func TestFill_NamesWhatTheTextNames(t *testing.T) {
	const hint = "grant {account:the service account} {permission:the permission named} on it"
	require.Equal(t, "grant the service account the permission named on it", Fill(hint, "Access Denied, see https://cloud.google.com/bigquery/docs, bigquery.googleapis.com"))
	require.Equal(t, "grant beam-stage@moz-nonprod.iam.gserviceaccount.com bigquery.jobs.create on it",
		Fill(hint, "The user beam-stage@moz-nonprod.iam.gserviceaccount.com does not have bigquery.jobs.create permission in project moz."))
	require.Equal(t, "grant the service account bigquery.tables.updateData on it",
		Fill(hint, "Permission bigquery.tables.updateData denied on table p:d.t (or it may not exist)."))
}
