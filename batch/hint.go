package batch

import (
	"slices"
	"strings"
)

// HintOf returns what an operator can do about err: of each error joined in it what the outermost one says that can say it,
// in their order, nothing twice. It is empty if none can.
func HintOf(err error) string { return strings.Join(hints(err, nil), "; ") }

func hints(err error, found []string) []string {
	switch e := err.(type) {
	case interface{ Hint() string }:
		if h := e.Hint(); h != "" && !slices.Contains(found, h) {
			found = append(found, h)
		}
	case interface{ Unwrap() error }:
		return hints(e.Unwrap(), found)
	case interface{ Unwrap() []error }:
		for _, joined := range e.Unwrap() {
			found = hints(joined, found)
		}
	}
	return found
}
