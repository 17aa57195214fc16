package warehouse

import (
	"errors"
	"net/http"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/googleapi"

	"tidemark/credentials"
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

	// Ran means that the error is that of a job which BigQuery took and which ended during the call: it counts in quotas.
	Ran bool

	cause cause
	wait  time.Duration // before which nothing may be tried again
}

// RetryAfter is how long BigQuery wants nothing tried again.
func (e *Error) RetryAfter() time.Duration { return e.wait }

// Expected says that the job gave way to another one, or waits behind others, and is nothing to worry about.
func (e *Error) Expected() bool { return e.cause.class == nextAttempt }

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

// Hint says what an operator can do, in words that stand by themselves on a status page. It is chosen by the reason and the
// text together (causes.go).
func (e *Error) Hint() string {
	if e.Reason == reasonBilled {
		return hintBilled(e.Message)
	}
	return credentials.Fill(e.cause.hint, e.Message)
}

// Reasons that need more than to be compared.
const (
	reasonQuota    = "quotaExceeded"
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
		e.cause = causeOf(op, e.Reason, e.Message)
		e.Permanent = e.cause.class == permanent && !mayHeal(refused.Code)
	case errors.As(err, &failed):
		e.Reason, e.Message = failed.Reason, failed.Message
		e.cause = causeOf(op, e.Reason, e.Message+"\n"+failed.Location)
		e.Permanent = e.cause.class == permanent
	default:
		if hint, refused := credentials.Refused(err); refused {
			e.Reason, e.Permanent, e.cause = reasonToken, true, cause{hint: hint}
			break
		}
		// Anything else never reached BigQuery or lost its answer: connection refused or reset, a deadline. These may heal.
		e.cause = causeOf(op, "", "")
	}
	return e
}

// mayHeal says whether a status is an answer of a front end, or of a server that is not well, whatever the reason is.
func mayHeal(code int) bool {
	return code >= http.StatusInternalServerError || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout
}

func reasonOf(e *googleapi.Error) string {
	if len(e.Errors) > 0 {
		return e.Errors[0].Reason
	}
	return ""
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
// own job whose first reply was lost. 408 and 429 are answers of front ends and leave it open. Without a token
// nothing is sent.
func outcomeOf(err error) outcome {
	if err == nil {
		return accepted
	}
	var e *googleapi.Error
	if !errors.As(err, &e) {
		if _, tokenless := credentials.Refused(err); tokenless {
			return refused
		}
		return unknown
	}
	switch {
	case mayHeal(e.Code):
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
