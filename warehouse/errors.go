package warehouse

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/googleapi"
)

// Error is a request that BigQuery refused, a job that failed, or a request without an answer.
type Error struct {
	Op   string // what was tried: "load job", "create table", …
	Name string // the job's ID, or project.dataset.table
	// Reason is BigQuery's own word (cloud.google.com/bigquery/docs/error-messages), empty when nothing answered.
	Reason string
	// Message is BigQuery's own text.
	Message string
	// Permanent means that trying again changes nothing until somebody changes something: a permission, a table, a query.
	Permanent bool
	// Err is the library's error.
	Err error

	wait time.Duration // before which nothing may be tried again
}

// RetryAfter is how long BigQuery wants nothing tried again.
func (e *Error) RetryAfter() time.Duration { return e.wait }

// Expected says that the job gave way to another one, or waits behind others, and is nothing to worry about.
func (e *Error) Expected() bool { return isConflict(e.Message) || isQueueFull(e.Message) }

// Error names the operation, its subject and BigQuery's reason and text.
func (e *Error) Error() string {
	s := e.Op + " " + e.Name + ": "
	if e.Reason != "" {
		s += e.Reason + ": "
	}
	return s + e.Message
}

// Unwrap returns the library's error.
func (e *Error) Unwrap() error { return e.Err }

// Reasons that need more than to be compared.
const (
	reasonQuota    = "quotaExceeded"
	reasonDenied   = "accessDenied"
	reasonNotFound = "notFound"
	reasonToken    = "credentials" // ours, there is no answer of BigQuery's
)

// classify wraps an error of the library. err must not be nil.
func classify(op, name string, err error) *Error {
	e := &Error{Op: op, Name: name, Message: err.Error(), Err: err}
	var refused *googleapi.Error
	var failed *bigquery.Error
	switch {
	case errors.As(err, &refused):
		e.Reason, e.Message = reasonOf(refused), refused.Message
		e.Permanent = refused.Code < 500 && refused.Code != http.StatusTooManyRequests &&
			refused.Code != http.StatusRequestTimeout && !isTransient(e.Reason, e.Message)
	case errors.As(err, &failed):
		e.Reason, e.Message = failed.Reason, failed.Message
		e.Permanent = !isTransient(e.Reason, e.Message)
	case isTokenRefused(err):
		e.Reason, e.Permanent = reasonToken, true
	}
	// Anything else never reached BigQuery or lost its answer: connection refused or reset, a deadline. These may heal.
	return e
}

// isTokenRefused says whether no request was made because the credentials are no longer good: a deleted service account,
// a revoked key, no right to impersonate. The auth library's error (cloud.google.com/go/auth, type Error) says itself
// whether it may pass; so do errors of the network, which the HTTP client wraps both in.
func isTokenRefused(err error) bool {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var answer interface{ Temporary() bool }
	var network net.Error
	return errors.As(err, &answer) && !errors.As(err, &network) && !answer.Temporary()
}

func reasonOf(e *googleapi.Error) string {
	if len(e.Errors) > 0 {
		return e.Errors[0].Reason
	}
	return ""
}

// isTransient says whether the same work may succeed under a new job ID, or the same request a little later, with nothing
// changed by anybody. The list is BigQuery's (cloud.google.com/bigquery/docs/error-messages, 2026-08-22) and, below it,
// texts that were seen.
func isTransient(reason, message string) bool {
	switch reason {
	case "backendError", "internalError", "jobBackendError", "jobInternalError", // "retry with a new job ID"
		"rateLimitExceeded", "jobRateLimitExceeded", // too many requests, or updates of one table, at a time
		"tableUnavailable", // storage of the table is not available at the moment
		"timeout",          // not finished in BigQuery's own time limit of a request
		reasonQuota:        // a longer limit, for example load jobs per table and day; BigQuery asks for minutes
		return true
	case "invalidQuery":
		return isConflict(message)
	case "resourcesExceeded":
		return isQueueFull(message) // with any other text the query itself is too large
	case "stopped":
		return isTimeout(reason, message)
	}
	return false
}

// isConflict says whether two scripts wanted to change one table at a time, and this is the one that was cancelled
// (estuary/connectors issue 111, dlt-hub/dlt issue 2892). Outside transactions the text begins "Could not serialize access
// to table" (confluentinc/kafka-connect-bigquery issue 279).
func isConflict(message string) bool { return strings.Contains(message, "due to concurrent update") }

// Hint says what an operator can do, in words that stand by themselves on a status page.
func (e *Error) Hint() string {
	switch {
	case e.Expected():
		return hintGivesWay
	case isTimeout(e.Reason, e.Message):
		return hintTimeout
	case e.Reason == reasonBilled:
		return hintBilled(e.Message)
	}
	switch e.Reason {
	case reasonToken:
		return "the process has no usable Google credentials: check the service account, workload identity or GOOGLE_APPLICATION_CREDENTIALS"
	case reasonDenied, "forbidden", "required", "authError":
		return hintDenied(e)
	case reasonNotFound:
		return hintNotFound(e)
	case reasonQuota:
		return "a quota is used up; BigQuery allows 1,500 load jobs per table and day, failed ones included, which cannot be raised: lengthen TIDEMARK_PERIOD or run fewer replicas, and see which quota the message names"
	case "rateLimitExceeded", "jobRateLimitExceeded":
		return "BigQuery is asked too often; this heals by itself unless another program writes to the same table or project"
	case "invalid":
		return "the load job does not fit the table: compare the column named with the table's schema; the next batch uses the table as it is then"
	case "invalidQuery":
		if strings.Contains(e.Message, "consumer_group") { // a column of the status table that it has not always had
			return "the status table was made by an older tidemark: drop it, and it is made again"
		}
		return "BigQuery refuses the statement: compare the column or table named with the dataset"
	case "duplicate":
		return "the table was not empty or exists already; another program may be writing to it"
	case "billingNotEnabled", "billingTierLimitExceeded":
		return "enable billing for the project in TIDEMARK_PROJECT"
	case "stopped":
		return "somebody cancelled the job; it is run again"
	case "resourcesExceeded":
		return "the query needs more than BigQuery grants: smaller batches (a shorter TIDEMARK_PERIOD) or a reservation help"
	case "":
		return "BigQuery did not answer; check the network and, if it is set, TIDEMARK_BIGQUERY_ENDPOINT"
	}
	return ""
}

// hintDenied tells the places apart where a permission can be missing. "required" and "authError" are the reasons of 401.
func hintDenied(e *Error) string {
	switch {
	case strings.Contains(e.Message, "storage."):
		return "grant the service account storage.objects.get and storage.buckets.get on the bucket (roles/storage.objectViewer and roles/storage.legacyBucketReader): load jobs read the parts as the account that runs the job"
	case strings.Contains(e.Message, "bigquery.jobs.create"):
		return "grant the service account bigquery.jobs.create on the project in TIDEMARK_PROJECT (roles/bigquery.jobUser)"
	case e.Op == opReadJob:
		return "the job was submitted by another account; run tidemark with the account that sealed the batch until its batches are committed, or grant bigquery.jobs.get (roles/bigquery.admin has it)"
	case e.Reason == reasonDenied:
		return "grant the service account roles/bigquery.dataEditor on the dataset and roles/bigquery.jobUser on the project"
	}
	return "check the service account's credentials and its access to the project"
}

// hintNotFound tells apart the many things that may be missing; the text names them:
// "Not found: Dataset my-project:my_dataset was not found in location US", "Not found: Table …", "Not found: URI gs://…".
func hintNotFound(e *Error) string {
	switch {
	case strings.Contains(e.Message, "URI gs://"):
		return "a part of the batch is gone from the bucket: check its lifecycle rules, which must keep objects for longer than the longest outage; restore the object if it can be (soft delete)"
	case strings.Contains(e.Message, "Not found: Dataset"):
		return "create the dataset, or, if it exists, check that it was not re-created in another location: batches sealed before look for it in the old one"
	case strings.Contains(e.Message, "Not found: Table"):
		return "the table is gone; it is created again when the next batch is opened, or create it by hand"
	}
	return "what the message names does not exist, or the service account may not see it"
}

// outcome is what is known about a submission after its reply.
type outcome uint8

const (
	unknown  outcome = iota // the job may exist or may come to exist
	accepted                // by this very request
	exists                  // submitted earlier, by whomever
	refused                 // nothing was submitted by this request
)

// outcomeOf judges the reply to jobs.insert. The library repeats some requests by itself, so "exists" may well be our
// own job whose first reply was lost. 408 and 429 are answers of front ends and leave it open.
func outcomeOf(err error) outcome {
	if err == nil {
		return accepted
	}
	var e *googleapi.Error
	switch {
	case !errors.As(err, &e), e.Code >= 500, e.Code == http.StatusRequestTimeout, e.Code == http.StatusTooManyRequests:
		return unknown
	case e.Code == http.StatusConflict:
		return exists
	}
	return refused
}

// isNotFound says whether BigQuery answered that there is no such thing.
func isNotFound(err error) bool { return hasCode(err, http.StatusNotFound) }

func hasCode(err error, code int) bool {
	var e *googleapi.Error
	return errors.As(err, &e) && e.Code == code
}
