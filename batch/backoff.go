package batch

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is the pause between attempts: it doubles from Min up to Max, with jitter of a half to one and a half, so that
// those who failed together do not come again together. The zero value but for Min and Max is ready; it is not safe for
// concurrent use.
type Backoff struct {
	Min, Max time.Duration
	current  time.Duration
}

// Next returns how long to pause before the next attempt.
func (b *Backoff) Next() time.Duration {
	b.current = min(max(2*b.current, b.Min), b.Max)
	return b.current/2 + rand.N(b.current)
}

// Reset begins anew with Min.
func (b *Backoff) Reset() { b.current = 0 }

// Pause waits; false when ctx ended first.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
