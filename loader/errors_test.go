package loader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/api/googleapi"

	"tidemark/batch"
)

// The fate of a refused request.
const (
	stops    = "stops"
	passes   = "passes" // repeated until it succeeds
	doubtful = "doubtful"
)

// storageRefusals are texts that Cloud Storage has given, and where they were seen.
var storageRefusals = []struct {
	code         int
	reason, text string
	source       string
	fate         string
	hint         string // a part of it; empty if there is none
}{
	{400, "invalid", `Provided CRC32C "AAAAAA==" doesn't match calculated CRC32C "2HvlZg==".`, "googleapis/python-storage#1541", doubtful, ""},
	{401, "authError", "Invalid Credentials", "storage/docs/json_api/v1/status-codes", doubtful, "credentials"},
	{401, "required", "Login Required", "storage/docs/json_api/v1/status-codes", doubtful, "credentials"},
	{403, "forbidden", "Forbidden", "storage/docs/json_api/v1/status-codes", stops, "storage.objects.create, get and list"},
	{403, "forbidden", "loader@acme.iam.gserviceaccount.com does not have storage.objects.create access to the Google Cloud Storage object. Permission 'storage.objects.create' denied on resource (or it may not exist).",
		"seen in public projects", stops, "grant loader@acme.iam.gserviceaccount.com storage.objects.create"},
	{403, "forbidden", "Caller does not have storage.objects.delete access to the Google Cloud Storage object.", "google-github-actions/upload-cloud-storage#388", doubtful, "storage.objects.delete"},
	{403, "forbidden", "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: 12345", "seen in public projects", stops, "VPC Service Controls"},
	{403, "accountDisabled", "The billing account for the owning project is disabled in state absent", "googleapis/python-storage#1456", stops, "billing account"},
	{403, "accountDisabled", "The project to be billed has not configured billing.", "forseti-security/forseti-security#1465", stops, "billing account"},
	{403, "forbidden", "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to use this key.", "storage/docs/encryption/using-customer-managed-keys", stops, "encryption key"},
	{400, "cloudKmsDisabledKey", "Cloud KMS key is disabled, destroyed, or scheduled to be destroyed.", "storage/docs/json_api/v1/status-codes", stops, "encryption key"},
	{400, "required", "Bucket is a requester pays bucket but no user project provided.", "storage/docs/requester-pays", stops, "requester pays"},
	{403, "userRateLimitExceeded", "Rate Limit Exceeded", "storage/docs/json_api/v1/status-codes", passes, ""},
	{404, "notFound", "The specified bucket does not exist.", "storage/docs/json_api/v1/status-codes", stops, "TIDEMARK_BUCKET"},
	{429, "rateLimitExceeded", "The rate of requests to the bucket is too high", "storage/docs/json_api/v1/status-codes", passes, ""},
	{503, "backendError", "We encountered an internal error. Please try again.", "storage/docs/json_api/v1/status-codes", passes, ""},
	{418, "new", "Something that nobody has seen", "unknown", stops, ""},
}

func TestClassify_RealTexts(t *testing.T) {
	for _, c := range storageRefusals {
		body := fmt.Sprintf(`{"error":{"code":%d,"message":%q,"errors":[{"reason":%q}]}}`, c.code, c.text, c.reason)
		for _, answer := range []*googleapi.Error{{Code: c.code, Message: c.text, Body: body}, {Code: c.code, Body: body}} { // the second is a read's
			err := classify(fmt.Errorf("attempt: %w", answer))
			require.Equal(t, c.fate == stops, isPermanent(err), "%s (%s)", c.text, c.source)
			require.Equal(t, c.fate == doubtful, isDoubtful(err), c.text)
			require.ErrorIs(t, err, answer)
			hint := batch.HintOf(err)
			require.Equal(t, c.hint == "", hint == "", "%s: %s", c.text, hint)
			require.Contains(t, hint, c.hint, c.text)
			require.NotContains(t, hint, "{")
		}
	}
}

// always runs a request that is answered in the same way again and again, in virtual time.
func always(t *testing.T, answers ...error) (attempts int, took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	start := time.Now()
	err = retry(ctx, slog.New(slog.DiscardHandler), request{"upload", "a", time.Minute}, func(context.Context) error {
		attempts++
		return answers[min(attempts, len(answers))-1]
	})
	return attempts, time.Since(start), err
}

func TestA18_DoubtfulAnswersAreRepeatedAFewTimes(t *testing.T) {
	for name, answer := range map[string]error{
		"400":                   &googleapi.Error{Code: http.StatusBadRequest, Message: `Provided CRC32C "AAAAAA==" doesn't match calculated CRC32C "2HvlZg==".`},
		"401":                   &googleapi.Error{Code: http.StatusUnauthorized, Message: "Invalid Credentials"},
		"refused impersonation": &url.Error{Op: "Post", Err: errors.New("impersonate: status code 403: The caller does not have permission")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts, took, err := always(t, answer)
				require.True(t, isPermanent(err))
				require.ErrorIs(t, err, answer)
				require.ErrorContains(t, err, "refused 5 times")
				require.Equal(t, doubtTries, attempts)
				require.GreaterOrEqual(t, took, 7500*time.Millisecond/2, "with pauses that grow")
				require.Less(t, took, 20*time.Second, "a look at start-up has so long")

				attempts, _, err = always(t, answer, answer, answer, answer, nil)
				require.NoError(t, err)
				require.Equal(t, doubtTries, attempts)

				down := &googleapi.Error{Code: http.StatusServiceUnavailable}
				_, _, err = always(t, answer, answer, answer, answer, down, answer, answer, answer, answer, nil)
				require.NoError(t, err, "only answers in a row count")
			})
		})
	}
}

// A12: the error that the process ends with says who may not do what.
func TestA12_RefusedImpersonationHasItsHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, err := always(t, &url.Error{Op: "Post", URL: "https://storage.googleapis.com/upload/storage/v1/b/bucket/o",
			Err: fmt.Errorf("impersonate: status code %d: %s", 403, "Permission 'iam.serviceAccounts.getAccessToken' denied on loader@acme.iam.gserviceaccount.com")})
		require.Contains(t, batch.HintOf(err), "act as loader@acme.iam.gserviceaccount.com: grant the process's own identity roles/iam.serviceAccountTokenCreator")
	})
}

// The same over the wire: one doubtful answer to each kind of request does not end anything.
func TestA18_OneDoubtfulAnswerIsNoFailure(t *testing.T) {
	for name, f := range map[string]fault{"400": {status: 400, reason: "invalid"}, "401": {status: 401, reason: "authError"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			g := s.store(t)
			for _, f.op = range []string{"upload", "read", "list", "bucket"} {
				s.inject(f)
			}
			require.NoError(t, g.Put(t.Context(), "a", []byte("x"), nil))
			require.Equal(t, 2, s.count("upload"))
			_, err := g.Get(t.Context(), "a")
			require.NoError(t, err)
			_, err = g.List(t.Context(), "", "")
			require.NoError(t, err)
			_, err = g.Location(t.Context())
			require.NoError(t, err)
		})
	}
}

// A9: without storage.objects.delete, Cloud Storage may answer 403 where the name is taken.
func TestA9_ForbiddenBecauseTheNameIsTaken(t *testing.T) {
	lost := fault{op: "upload", status: 503, apply: true}
	forbidden := fault{op: "upload", status: 403, reason: "forbidden", text: "loader@acme.iam.gserviceaccount.com does not have storage.objects.delete access to the Google Cloud Storage object."}
	t.Run("same content", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		g := s.store(t)
		s.inject(lost)
		s.inject(forbidden)
		require.NoError(t, g.Put(t.Context(), "a", []byte("mine"), nil))
		require.Equal(t, "mine", string(s.object("a")))
		require.Equal(t, 2, s.count("upload"))
		require.Equal(t, 1, s.count("attrs"))
	})
	t.Run("other content", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		g := s.store(t)
		require.NoError(t, g.Put(t.Context(), "a", []byte("theirs"), nil))
		s.inject(forbidden)
		err := g.Put(t.Context(), "a", []byte("mine"), nil)
		require.ErrorIs(t, err, ErrConflict)
		require.True(t, isPermanent(err))
		require.Equal(t, "theirs", string(s.object("a")))
	})
	t.Run("no such object", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		g := s.store(t)
		refusal := &googleapi.Error{Code: forbidden.status, Message: forbidden.text}
		require.ErrorIs(t, g.compare(t.Context(), "a", 4, 0, refusal), refusal, "it was about a permission after all, and counts as that")
		s.inject(forbidden)
		require.NoError(t, g.Put(t.Context(), "a", []byte("mine"), nil))
		require.Equal(t, 2, s.count("upload"))
		require.Equal(t, 2, s.count("attrs"))
	})
}
