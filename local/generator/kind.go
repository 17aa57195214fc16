package generator

import "fmt"

// Kind says what is special about a message.
type Kind int

const (
	// Normal is an event as it should be.
	Normal Kind = iota
	// Late is a valid event whose timestamp is hours or days before its capture.
	Late
	// Duplicate repeats key and value of a recent Normal or Late message.
	Duplicate
	// Oversized is a valid event with a value above Config.MaxBytes.
	Oversized
	// Malformed is a message that is no event.
	Malformed

	numKinds = iota
)

// Rejected tells whether a consumer must refuse messages of this kind.
func (k Kind) Rejected() bool { return k == Oversized || k == Malformed }

// String returns the kind in lower case, as in reports.
func (k Kind) String() string {
	switch k {
	case Normal:
		return "normal"
	case Late:
		return "late"
	case Duplicate:
		return "duplicate"
	case Oversized:
		return "oversized"
	case Malformed:
		return "malformed"
	}
	return fmt.Sprintf("kind %d", int(k))
}

// Kinds returns all kinds, for tables of counts.
func Kinds() []Kind {
	kinds := make([]Kind, numKinds)
	for k := range kinds {
		kinds[k] = Kind(k)
	}
	return kinds
}
