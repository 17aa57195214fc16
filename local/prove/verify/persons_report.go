package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// PersonsReport is the outcome. The first five counts tell right from wrong.
type PersonsReport struct {
	Rows       int64 // in the table
	Missing    int64 // keys (team_id and distinct_id) that should have a row and have none
	Wrong      int64 // rows whose values are not the latest ones
	Unexpected int64 // keys with a row that should have none
	Duplicated int64 // rows beyond the first of a key

	// WrongColumns counts the rows in which a column is wrong.
	WrongColumns map[string]int64

	Rejected    int64 // messages that had to be refused
	Conflicting int64 // messages that contradict another one of the same version
	Newer       int64 // messages produced since the verification began, not looked at

	// FirstDifference says what is wrong at the lowest key. It names columns and the
	// person, no other values.
	FirstDifference string
}

// OK tells whether the table is what the topics say.
func (r PersonsReport) OK() bool {
	return r.Missing == 0 && r.Wrong == 0 && r.Unexpected == 0 && r.Duplicated == 0
}

// String returns "persons verified: N rows, 0 missing, 0 wrong, 0 unexpected, 0
// duplicated" and what else there is to know.
func (r PersonsReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "persons verified: %d rows, %d missing, %d wrong, %d unexpected, %d duplicated",
		r.Rows, r.Missing, r.Wrong, r.Unexpected, r.Duplicated)
	if len(r.WrongColumns) > 0 {
		b.WriteString("; wrong are")
		for i, name := range slices.Sorted(maps.Keys(r.WrongColumns)) {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, " %s (%d)", name, r.WrongColumns[name])
		}
	}
	if r.Conflicting > 0 {
		fmt.Fprintf(&b, "; %d messages contradict others of the same version", r.Conflicting)
	}
	if r.Newer > 0 {
		fmt.Fprintf(&b, "; %d messages are newer than the check", r.Newer)
	}
	if r.FirstDifference != "" {
		fmt.Fprintf(&b, "; first: %s", r.FirstDifference)
	}
	return b.String()
}
