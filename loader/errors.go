package loader

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"

	"tidemark/credentials"
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
	// doubtful says that it looks permanent and has been seen to pass, so it is repeated a few times before it counts.
	doubtful bool
	hint     string
	err      error
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
		return &StorageError{Permanent: true, hint: hintConflict, err: err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &StorageError{err: err}
	case errors.Is(err, storage.ErrObjectNotExist): // it was there a moment before
		return &StorageError{err: err}
	case errors.Is(err, storage.ErrBucketNotExist):
		return &StorageError{Permanent: true, hint: hintBucket, err: err}
	}
	var api *googleapi.Error
	if errors.As(err, &api) {
		e := classifyAnswer(api)
		e.err = err
		return e
	}
	// No request was made. A right to impersonate, too, takes a moment to hold everywhere.
	hint, refused := credentials.Refused(err)
	return &StorageError{doubtful: refused, hint: hint, err: err}
}

const (
	hintConflict  = "another installation uses this bucket and prefix, or the object was edited by hand; object names hold random batch IDs and are never reused"
	hintBucket    = "TIDEMARK_BUCKET names no bucket, or it was deleted"
	hintRights    = "grant {account:the service account} {permission:what the message asks for} on the bucket: tidemark needs storage.objects.create, get and list and storage.buckets.get (roles/storage.objectUser and roles/storage.legacyBucketReader)"
	hintDelete    = "Cloud Storage wants storage.objects.delete for a name that is taken, and there is no such object: grant {account:the service account} storage.objects.delete on the bucket (roles/storage.objectUser has it)"
	hintToken     = "Cloud Storage does not take the process's credentials: check the service account, workload identity or GOOGLE_APPLICATION_CREDENTIALS"
	hintPerimeter = "a VPC Service Controls perimeter refuses the request: with the identifier in the message an administrator finds the denial in the audit log; {account:the service account}, this network and the bucket's project have to be allowed by the perimeter's ingress and egress rules"
	hintBilling   = "the project of the bucket has no billing account that is open: link one"
	hintKey       = "the bucket's encryption key cannot be used: grant Cloud Storage's own service account (gcloud storage service-agent) roles/cloudkms.cryptoKeyEncrypterDecrypter on the key, and check that it is enabled and in the bucket's location"
	hintPays      = "the bucket makes its readers pay (requester pays), which tidemark does not do: switch that off or use another bucket"
)

// causes are refusals that are told by their text, whatever their status. The texts are looked for in message and body, in
// lower case, since the client does not parse the body of a failed read; where they were seen is in the test.
var causes = []struct {
	text     string
	doubtful bool
	transit  bool // passes by itself
	hint     string
}{
	// Quotas are 429 here, but other Google APIs and proxies report them as 403 with such a reason.
	{text: `ratelimitexceeded"`, transit: true},
	{text: "prohibited by organization's policy", hint: hintPerimeter},
	{text: "billing account", hint: hintBilling},
	{text: "not configured billing", hint: hintBilling},
	{text: `"cloudkms`, hint: hintKey}, // the beginning of several reasons
	{text: "cloud kms key", hint: hintKey},
	{text: "requester pays", hint: hintPays},
	{text: deletePermission, doubtful: true, hint: hintDelete},
}

// classifyAnswer follows https://cloud.google.com/storage/docs/json_api/v1/status-codes, 2026-09.
//
// A 400 may be an upload that did not arrive as it was sent (its CRC32C), and a 401 a token that was just replaced: both are
// doubtful.
func classifyAnswer(e *googleapi.Error) *StorageError {
	text := e.Message + e.Body
	if e.Code >= http.StatusInternalServerError || e.Code == http.StatusRequestTimeout || e.Code == http.StatusTooManyRequests {
		return &StorageError{}
	}
	for _, c := range causes {
		if strings.Contains(strings.ToLower(text), c.text) {
			return &StorageError{Permanent: !c.transit && !c.doubtful, doubtful: c.doubtful, hint: credentials.Fill(c.hint, text)}
		}
	}
	switch e.Code {
	case http.StatusBadRequest:
		return &StorageError{doubtful: true}
	case http.StatusUnauthorized:
		return &StorageError{doubtful: true, hint: hintToken}
	case http.StatusForbidden:
		return &StorageError{Permanent: true, hint: credentials.Fill(hintRights, text)}
	case http.StatusNotFound: // of an upload or a listing; a missing object is ErrNotExist
		return &StorageError{Permanent: true, hint: hintBucket}
	}
	return &StorageError{Permanent: true}
}

// deletePermission is what an account needs to replace an object.
const deletePermission = "storage.objects.delete"

// isTaken says whether an upload was refused because the name is taken: with 412, as its precondition asks for, or with 403 for
// want of the permission to replace the object, which this upload never would. The documentation does not say which of the
// two is looked at first (cloud.google.com/storage/docs/json_api/v1/objects/insert).
func isTaken(err error) bool {
	var api *googleapi.Error
	return errors.As(err, &api) && (api.Code == http.StatusPreconditionFailed || lacksDelete(err))
}

func lacksDelete(err error) bool {
	var api *googleapi.Error
	return errors.As(err, &api) && api.Code == http.StatusForbidden && strings.Contains(api.Message+api.Body, deletePermission)
}
