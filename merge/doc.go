// Package merge moves rows that cannot be loaded straight into their table. It is the only place that builds SQL.
//
// [Inserter] serves tables of events with JSON columns, which BigQuery cannot load Parquet into: one INSERT … SELECT moves
// the rows with PARSE_JSON. [Merger] serves persons: one script, a transaction, merges changes by version into two side
// tables and their join into the persons table. Both go the same way to that last job (staged.go): the parts are loaded
// into a stage table, which is named after the batch, used once, and expires by itself. Loads are free of charge and count
// against the stage's own name in the quota of load jobs per table and day; the last job is billed.
//
// Whoever applies a batch may have been preceded by somebody who got any part of the way, and may be accompanied by
// somebody on the same way. So it looks from the end backwards: if the last job is done, nothing before it matters; if the
// stage's load is done, the stage is not made again.
//
// [StatusTable] keeps the table that says how far the others are complete.
//
//	staged.go, stage.go                          the common way: stage, load, last job
//	inserter.go, sql.go                          rows into JSON columns
//	merger.go, personsql.go, personjoin.go       the merge of persons, its script, and the join in it
//	bounds.go                                    what of the tables is read
//	doubled.go                                   the look for keys that are in a table twice
//	fence.go                                     the row that merges of one table conflict on
//	side.go, statesql.go, seed.go                side tables, what keeps them, what fills new ones from the persons table
//	view.go                                      persons as a view over the side tables
//	status.go                                    the status table
package merge
