package bigquery

import (
	"errors"
	"fmt"
	"net/http"

	bq "google.golang.org/api/bigquery/v2"
)

// apiError is a refusal in BigQuery's terms: what the HTTP reply or the job's
// errorResult says. Clients are expected to look at code and reason; only some
// messages are BigQuery's own words.
type apiError struct {
	code     int // of the HTTP reply
	reason   string
	location string // in BigQuery's sense: "query", or the name of a quota
	message  string
	cause    error // of DuckDB's, if it is one
}

func (e *apiError) Unwrap() error { return e.cause }

func (e *apiError) Error() string { return e.reason + ": " + e.message }

// proto is the error as a job's status reports it.
func (e *apiError) proto() *bq.ErrorProto {
	return &bq.ErrorProto{Reason: e.reason, Location: e.location, Message: e.message}
}

// newError makes an error whose HTTP code follows from its reason.
func newError(reason, format string, args ...any) *apiError {
	return &apiError{code: reasonCode(reason), reason: reason, message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) *apiError {
	return newError("notFound", "Not found: "+format, args...)
}

func invalid(format string, args ...any) *apiError {
	return newError("invalid", format, args...)
}

func invalidQuery(format string, args ...any) *apiError {
	e := newError("invalidQuery", format, args...)
	e.location = "query"
	return e
}

// notImplemented refuses what BigQuery may well do and this package does not. The
// client does not retry a 501.
func notImplemented(format string, args ...any) *apiError {
	return newError("notImplemented", "embedded BigQuery does not cover "+format, args...)
}

// reasonCode is the HTTP code that goes with a reason; the table is that of
// docs.cloud.google.com/bigquery/docs/error-messages, for an unknown reason 400.
func reasonCode(reason string) int {
	switch reason {
	case "accessDenied", "billingNotEnabled", "blocked", "quotaExceeded", "rateLimitExceeded", "responseTooLarge":
		return http.StatusForbidden
	case "notFound":
		return http.StatusNotFound
	case "duplicate":
		return http.StatusConflict
	case "conditionNotMet":
		return http.StatusPreconditionFailed
	case "internalError":
		return http.StatusInternalServerError
	case "notImplemented":
		return http.StatusNotImplemented
	case "backendError":
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// statusReason is the reason that an injected reply has unless it says another.
func statusReason(status int) string {
	switch status {
	case http.StatusForbidden:
		return "accessDenied"
	case http.StatusNotFound:
		return "notFound"
	case http.StatusConflict:
		return "duplicate"
	case http.StatusPreconditionFailed:
		return "conditionNotMet"
	case http.StatusTooManyRequests:
		return "rateLimitExceeded"
	case http.StatusBadRequest:
		return "invalid"
	}
	return "backendError"
}

// asAPIError makes any error one in BigQuery's terms. What is not one already is
// a fault of this package, and is told as a job-level internal error with 400,
// because clients repeat a 500 until their context ends.
func asAPIError(err error) *apiError {
	var known *apiError
	if errors.As(err, &known) {
		return known
	}
	return &apiError{code: http.StatusBadRequest, reason: "jobInternalError", message: err.Error()}
}
