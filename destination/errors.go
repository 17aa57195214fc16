package destination

import "strings"

// Error says that a table cannot take rows as it is. Trying again changes nothing until somebody changes the table or
// the configuration.
type Error struct {
	Table    string // project.dataset.table
	Variable string // that names it
	Faults   []string
}

// Error lists all faults.
func (e *Error) Error() string { return "table " + e.Table + ": " + strings.Join(e.Faults, "; ") }

// Hint says what an operator can do.
func (e *Error) Hint() string {
	return "change what is named, or name another table in " + e.Variable + "; a table that does not exist is created as it should be"
}
