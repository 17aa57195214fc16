package batch

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// HintOf returns what an operator can do about err: of each error joined in it what the outermost one says that can say it,
// in their order, nothing twice. It is empty if none can.
func HintOf(err error) string {
	var hints []string
	outermost(err, func(e interface{ Hint() string }) {
		if h := e.Hint(); h != "" && !slices.Contains(hints, h) {
			hints = append(hints, h)
		}
	})
	return strings.Join(hints, "; ")
}

// WithHint puts what an operator can do about err behind its message, for the last line that a person sees. A nil error stays
// nil.
func WithHint(err error) error {
	if hint := HintOf(err); hint != "" {
		return fmt.Errorf("%w (%s)", err, hint)
	}
	return err
}

// RetryAfter returns how long nothing may be tried again after err: the longest that an error joined in it asks for.
func RetryAfter(err error) (wait time.Duration) {
	outermost(err, func(e interface{ RetryAfter() time.Duration }) { wait = max(wait, e.RetryAfter()) })
	return wait
}

// Expected says whether err is nothing to worry about, such as merges that exclude each other: every error joined in it says
// so.
func Expected(err error) bool {
	expected := false
	unexpected := false
	outermost(err, func(e interface{ Expected() bool }) {
		expected = true
		unexpected = unexpected || !e.Expected()
	})
	return expected && !unexpected
}

// outermost visits, of each error joined in err, the outermost one that is a T.
func outermost[T any](err error, visit func(T)) {
	if e, ok := err.(T); ok {
		visit(e)
		return
	}
	switch e := err.(type) { //nolint:errorlint // the walk through what is wrapped is this function
	case interface{ Unwrap() error }:
		outermost(e.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, joined := range e.Unwrap() {
			outermost(joined, visit)
		}
	}
}
