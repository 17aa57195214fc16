// Package credentials says what an error of Google's client libraries tells about identity: whether no request was made at
// all because a token was refused, and which account and permission a text names. Both adapters to Google use it, so that one
// cause has one hint.
package credentials

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// What an operator can do about a refused token, to be filled by [Fill].
const (
	hintImpersonate = "Google does not let this process act as {account:the service account that it is to impersonate}: grant the process's own identity roles/iam.serviceAccountTokenCreator on that account (for workload identity roles/iam.workloadIdentityUser), and check that the account exists and is enabled; a new grant takes some minutes to hold"
	hintExchange    = "Google does not exchange this process's identity for a token: check the pool, the provider and its conditions in the file that GOOGLE_APPLICATION_CREDENTIALS names, and the clock of the machine"
	hintUnusable    = "the process has no usable Google credentials: check the service account, workload identity or GOOGLE_APPLICATION_CREDENTIALS"
)

// status is how the libraries report an answer of the token services, as a plain text: cloud.google.com/go/auth v0.24
// (credentials/impersonate, credentials/internal/impersonate and stsexchange) and golang.org/x/oauth2 v0.37 (google).
var status = regexp.MustCompile(`(impersonate|credentials|oauth2/google[a-z/]*): status code (\d{3})`)

// Refused says whether no request was made because a token was refused for good: a deleted service account, a revoked key, no
// right to impersonate; and what an operator can do about it. An answer that may pass (408, 429, 5xx) and an error of the
// network are none. err must not be an answer of the service that was to be called: its text could be anything.
func Refused(err error) (hint string, refused bool) {
	text := err.Error()
	if m := status.FindStringSubmatch(text); m != nil {
		code, _ := strconv.Atoi(m[2]) // three digits
		if code >= http.StatusInternalServerError || code == http.StatusRequestTimeout || code == http.StatusTooManyRequests {
			return "", false
		}
		if m[1] == "impersonate" || strings.Contains(text, "iam.serviceAccounts.getAccessToken") {
			return Fill(hintImpersonate, text), true
		}
		return hintExchange, true
	}
	// The auth library's error (type Error) says itself whether it may pass. An error of the network has the same method, and
	// so has the HTTP client's wrapper, which says yes to everything.
	cause := err
	var request *url.Error
	if errors.As(err, &request) {
		cause = request.Err
	}
	var answer interface{ Temporary() bool }
	var network net.Error
	if errors.As(cause, &answer) && !errors.As(cause, &network) && !answer.Temporary() {
		return hintUnusable, true
	}
	return "", false
}

var (
	blank      = regexp.MustCompile(`\{(account|permission):([^}]*)\}`)
	account    = regexp.MustCompile(`[a-z0-9][a-z0-9._-]*@[a-z0-9.-]+\.gserviceaccount\.com`)
	permission = regexp.MustCompile(`\b(?:bigquery\.(?:datasets|jobs|reservations|rowAccessPolicies|tables)|storage\.(?:buckets|objects))\.[a-zA-Z]+`)
)

// Fill puts the service account and the permission that text names into the blanks of a hint, {account:words} and
// {permission:words}. Where the text names none, the words stay.
func Fill(hint, text string) string {
	return blank.ReplaceAllStringFunc(hint, func(s string) string {
		m := blank.FindStringSubmatch(s)
		named := account
		if m[1] == "permission" {
			named = permission
		}
		if found := named.FindString(text); found != "" {
			return found
		}
		return m[2]
	})
}
