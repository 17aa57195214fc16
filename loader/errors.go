package loader

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
)

var (
	// ErrNotExist means that the bucket has no object of that name.
	ErrNotExist = errors.New("object does not exist")
	// ErrConflict means that an object exists with other content than ours. It is permanent.
	ErrConflict = errors.New("object exists with other content")
)

// StorageError is an error of Cloud Storage with what tidemark makes of it.
type StorageError struct {
	// Permanent says that repeating the request cannot help; somebody has to change something.
	Permanent bool
	hint      string
	err       error
}

// Error implements error.
func (e *StorageError) Error() string { return e.err.Error() }

// Unwrap returns the client's error.
func (e *StorageError) Unwrap() error { return e.err }

// Hint says what an operator can do; empty if there is nothing particular.
func (e *StorageError) Hint() string { return e.hint }

// isPermanent says whether err is one of Cloud Storage that repeating cannot mend.
func isPermanent(err error) bool {
	var e *StorageError
	return errors.As(err, &e) && e.Permanent
}

// classify is the only place that decides what an error of the client means. Unknown errors are transient: most are the
// network's, and a request that is repeated for nothing is logged at every attempt.
func classify(err error) error {
	switch {
	case errors.Is(err, ErrNotExist):
		return err // an answer, not a failure
	case errors.Is(err, ErrConflict):
		return &StorageError{true, "another installation uses this bucket and prefix, or the object was edited by hand; object names hold random batch IDs and are never reused", err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &StorageError{false, "", err}
	case errors.Is(err, storage.ErrObjectNotExist): // it was there a moment before
		return &StorageError{false, "", err}
	case errors.Is(err, storage.ErrBucketNotExist):
		return &StorageError{true, hintBucket, err}
	}
	var api *googleapi.Error
	if errors.As(err, &api) {
		permanent, hint := classifyStatus(api)
		return &StorageError{permanent, hint, err}
	}
	return classifyToken(err)
}

const (
	hintBucket = "TIDEMARK_BUCKET names no bucket, or it was deleted"
	hintRights = "grant the service account storage.objects.create, get and list and storage.buckets.get on the bucket (roles/storage.objectUser and roles/storage.legacyBucketReader)"
	hintToken  = "the process has no usable Google credentials: check the service account, workload identity or GOOGLE_APPLICATION_CREDENTIALS"
)

// classifyStatus follows https://cloud.google.com/storage/docs/json_api/v1/status-codes, 2026-09.
func classifyStatus(e *googleapi.Error) (permanent bool, hint string) {
	switch e.Code {
	case http.StatusForbidden:
		// Quotas are 429 here, but other Google APIs and proxies report them as 403 with such a reason.
		// The reason is read from the body, since the client does not parse that of a failed read.
		limited := strings.Contains(strings.ToLower(e.Body), `ratelimitexceeded"`)
		return !limited, hintRights
	case http.StatusUnauthorized:
		return true, hintToken
	case http.StatusNotFound: // of an upload or a listing; a missing object is ErrNotExist
		return true, hintBucket
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false, ""
	}
	return e.Code < http.StatusInternalServerError, ""
}

// classifyToken tells a refused token request (wrong key, deleted service account, no permission to impersonate) from
// the network. The auth library's error says itself whether it may pass; net errors have the same method and may.
func classifyToken(err error) error {
	cause := err
	var request *url.Error // has the method as well, and says yes to everything
	if errors.As(err, &request) {
		cause = request.Err
	}
	var refused interface{ Temporary() bool }
	var network net.Error
	if errors.As(cause, &refused) && !errors.As(cause, &network) && !refused.Temporary() {
		return &StorageError{true, hintToken, err}
	}
	return &StorageError{false, "", err}
}
