package verify

import (
	"fmt"
	"strings"
)

// Report is the outcome. The first five counts tell right from wrong.
type Report struct {
	Events     int64 // rows in the table
	Missing    int64 // events of which no row exists
	Duplicated int64 // rows beyond the first of a (topic, partition, offset)
	Different  int64 // rows whose values are not those of their message
	Extra      int64 // rows without a message, or of one that had to be refused

	Repeated int64 // messages without a row of their own, dropped as repeats
	Rejected int64 // messages that had to be refused
	Skipped  int64 // messages that Options.Skip excludes

	// Expired and Newer are rows that cannot be checked: Kafka has deleted their
	// messages, or they were produced after the verification began.
	Expired, Newer int64

	// FirstDifference says what is wrong at the lowest partition and offset. It
	// names columns, never values.
	FirstDifference string
}

// OK tells whether the table holds the topic exactly once.
func (r Report) OK() bool {
	return r.Missing == 0 && r.Duplicated == 0 && r.Different == 0 && r.Extra == 0
}

// String returns "verified: N events, 0 missing, 0 duplicated" and whatever else
// is wrong or unchecked.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "verified: %d events, %d missing, %d duplicated", r.Events, r.Missing, r.Duplicated)
	for _, more := range []struct {
		n    int64
		what string
	}{{r.Different, "different"}, {r.Extra, "extra"}, {r.Expired, "expired in Kafka"}, {r.Newer, "newer than the check"}} {
		if more.n != 0 {
			fmt.Fprintf(&b, ", %d %s", more.n, more.what)
		}
	}
	if r.FirstDifference != "" {
		fmt.Fprintf(&b, "; first: %s", r.FirstDifference)
	}
	return b.String()
}
