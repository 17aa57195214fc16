package loader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tidemark/batch"
)

// Bounds of the pause between two attempts, which doubles. A Cloud Storage incident is over in minutes or hours, and
// its own clients use the same bounds.
const (
	retryMin = 100 * time.Millisecond
	retryMax = 30 * time.Second
)

// request names an operation in errors and logs, and bounds each of its attempts.
type request struct {
	op, object string
	timeout    time.Duration
}

// retry repeats attempt until it succeeds, fails for good, or ctx ends. Each attempt gets its own deadline: a
// connection that hangs must not use up the caller's time. The error names the request once.
func retry(ctx context.Context, log *slog.Logger, r request, attempt func(context.Context) error) error {
	backoff := batch.Backoff{Min: retryMin, Max: retryMax}
	for n := 1; ; n++ {
		err := once(ctx, r.timeout, attempt)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s %q attempt %d: %w", r.op, r.object, n, errors.Join(context.Cause(ctx), err))
		case errors.Is(err, ErrNotExist), isPermanent(err):
			return fmt.Errorf("%s %q: %w", r.op, r.object, err)
		}
		pause := backoff.Next()
		log.Warn("cloud storage request is repeated", "op", r.op, "object", r.object, "attempt", n, "retry_in", pause, "err", err)
		if !batch.Pause(ctx, pause) {
			return fmt.Errorf("%s %q attempt %d: %w", r.op, r.object, n, errors.Join(context.Cause(ctx), err))
		}
	}
}

// once makes one attempt and classifies its error.
func once(ctx context.Context, timeout time.Duration, attempt func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := attempt(ctx); err != nil {
		return classify(err)
	}
	return nil
}
