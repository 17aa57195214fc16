package probe

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"google.golang.org/api/googleapi"
)

const (
	// requestTimeout bounds one attempt of a request.
	requestTimeout = time.Minute
	// requestTries is how often a request is made that does not reach the service, or that it could not serve.
	requestTries = 4
	// notCovered is the HTTP status with which the embedded BigQuery refuses what it does not cover. BigQuery never answers it.
	notCovered = http.StatusNotImplemented
)

// request makes a request that may be repeated, again a few times where the cause may pass. Its error is the last one.
func (r *run) request(ctx context.Context, do func(context.Context) error) error {
	wait := time.Second / 2
	for n := 1; ; n++ {
		err := attempt(ctx, do)
		if err == nil || n == requestTries || !mayPass(err) {
			return err
		}
		if pause(ctx, wait) != nil {
			return err
		}
		wait *= 2
	}
}

func attempt(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return do(ctx)
}

// mayPass tells what may go better at the next attempt: an error without an answer, and one that the service names as its own.
func mayPass(err error) bool {
	refused := refusal(err)
	switch {
	case refused != nil:
		return refused.Code == http.StatusTooManyRequests || refused.Code >= 500 && refused.Code != notCovered
	case strings.Contains(err.Error(), "status code 4"): // the identity is refused: cloud.google.com/go/auth
		return false
	}
	return !errors.Is(err, context.Canceled)
}

// refusal is the service's answer; nil if there was none.
func refusal(err error) *googleapi.Error {
	var refused *googleapi.Error
	errors.As(err, &refused)
	return refused
}

// isCode tells whether the service answered with the HTTP status.
func isCode(err error, code int) bool {
	refused := refusal(err)
	return refused != nil && refused.Code == code
}

// pause waits; an error means that ctx ended first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
