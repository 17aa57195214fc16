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

// What looks permanent and may pass is tried so many times, with pauses from doubtMin on, before it counts: some 8 s.
const (
	doubtTries = 5
	doubtMin   = 500 * time.Millisecond
)

// request names an operation in errors and logs, and bounds each of its attempts.
type request struct {
	op, object string
	timeout    time.Duration
}

// retry repeats attempt until it succeeds, fails for good, or ctx ends. Each attempt gets its own deadline: a
// connection that hangs must not use up the caller's time. The error names the request once.
func retry(ctx context.Context, log *slog.Logger, r request, attempt func(context.Context) error) error {
	backoff, doubts := batch.Backoff{Min: retryMin, Max: retryMax}, doubt{Backoff: batch.Backoff{Min: doubtMin, Max: retryMax}}
	for n := 1; ; n++ {
		err := doubts.judge(once(ctx, r.timeout, attempt))
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s %q attempt %d: %w", r.op, r.object, n, errors.Join(context.Cause(ctx), err))
		case errors.Is(err, ErrNotExist), isPermanent(err):
			return fmt.Errorf("%s %q: %w", r.op, r.object, err)
		}
		pause := backoff.Next()
		if isDoubtful(err) {
			pause = doubts.Next()
		}
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

// doubt counts answers in a row that may be permanent, and has the pauses after them.
type doubt struct {
	batch.Backoff
	seen int
}

// judge makes the last of so many doubtful errors permanent.
func (d *doubt) judge(err error) error {
	if !isDoubtful(err) {
		d.seen = 0
		d.Reset()
		return err
	}
	var e *StorageError
	errors.As(err, &e) // isDoubtful has found it
	if d.seen++; d.seen < doubtTries {
		return err
	}
	return &StorageError{Permanent: true, hint: e.hint, err: fmt.Errorf("refused %d times: %w", d.seen, e.err)}
}

func isDoubtful(err error) bool {
	var e *StorageError
	return errors.As(err, &e) && e.doubtful
}
