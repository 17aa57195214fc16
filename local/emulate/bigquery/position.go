package bigquery

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// place is where a statement of a script begins, counted from 1 in lines and
// characters; the zero value is that of a statement that is a query of its own.
type place struct{ line, column int }

// placeOf finds the place of an offset in a script.
func placeOf(sql string, offset int) place {
	before := sql[:offset]
	line := strings.LastIndexByte(before, '\n') + 1
	return place{line: 1 + strings.Count(before, "\n"), column: 1 + utf8.RuneCountInString(before[line:])}
}

// tell says of an error of a statement where it is, as BigQuery does for scripts:
// "Query error: … at [24:9]" (estuary/connectors#111); what is not found has no such
// prefix. Errors that are not the statement's own stay as they are.
func (p place) tell(err error) error {
	var known *apiError
	if p == (place{}) || !errors.As(err, &known) {
		return err
	}
	told := *known
	switch known.reason {
	case "notImplemented", "stopped", "timeout":
		return err
	case "notFound", "accessDenied", "quotaExceeded":
	default:
		told.message = "Query error: " + told.message
	}
	told.message += fmt.Sprintf(" at [%d:%d]", p.line, p.column)
	return &told
}
