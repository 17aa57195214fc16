// Package destination decides where rows go: which table, and which of its columns are filled.
//
// The table leads. Only columns that it has are loaded, matched by name; a known column that is missing is left out, and
// one that a person adds later is filled from the next batch on; a column tidemark does not know stays NULL. The
// outcome is recorded in the batch's manifest, so whoever finishes a batch uses the table as it was resolved when the
// batch was opened. A table that does not exist is created with the documented columns.
package destination
