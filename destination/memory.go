package destination

import (
	"context"
	"fmt"
	"time"

	"tidemark/batch"
)

// Memory knows the tables that were filled before, by when BigQuery made them: a table that was deleted and made again has the
// same name and none of the rows.
type Memory interface {
	// Known says whether the table that was made at an instant is one that is filled. The first of a name that is asked for is,
	// from then on, and with it its columns that are filled are remembered; so it is asked before rows are applied.
	Known(ctx context.Context, table string, created time.Time, columns []batch.Column) (bool, error)
	// Creations are the instants at which tables of the name were made that were filled, in ascending order.
	Creations(ctx context.Context, table string) ([]time.Time, error)
	// Columns are those that were filled of the last table of the name; none if it was never filled.
	Columns(ctx context.Context, table string) ([]batch.Column, error)
	// Took says whether the table that was made at an instant is known to have taken rows.
	Took(ctx context.Context, table string, created time.Time) (bool, error)
}

// Lost means that a table that was filled is no more: going on would claim rows that are not there.
type Lost struct {
	Table string // project.dataset.table
	// Filled is when the table was made that was filled last, Found when the one was made that is there now; zero if none is.
	Filled, Found time.Time
}

// Error says what was found.
func (e *Lost) Error() string {
	filled := e.Filled.UTC().Format(time.RFC3339)
	if e.Found.IsZero() {
		return fmt.Sprintf("table %s is gone, and the one made at %s was filled: it was deleted, or has expired", e.Table, filled)
	}
	return fmt.Sprintf("table %s was made at %s, and the one that was filled at %s: it was made again, without the rows", e.Table, e.Found.UTC().Format(time.RFC3339), filled)
}

// Hint says what an operator can do.
func (e *Lost) Hint() string {
	return "bring the rows back (`bq cp TABLE@MILLISECONDS TABLE`, within the dataset's time travel window), or fill the table again from PostHog; then `tidemark tables accept TABLE` goes on with what is there. Nothing is written to it until then, and complete_through stands still"
}

// Check says whether a table that is there, or is not, is the one that was filled. Its error is a [*Lost], or that of the memory.
func Check(ctx context.Context, m Memory, table string, created time.Time, there bool, columns []batch.Column) error {
	if there {
		if known, err := m.Known(ctx, table, created, columns); err != nil || known {
			return err
		}
	}
	filled, err := m.Creations(ctx, table)
	if err != nil || len(filled) == 0 {
		return err
	}
	lost := &Lost{Table: table, Filled: filled[len(filled)-1]}
	if there {
		lost.Found = created
	}
	return lost
}
