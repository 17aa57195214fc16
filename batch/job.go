package batch

import "time"

// JobRef names a BigQuery job up to its attempt: the jobs are Base-g1, Base-g2, … in the project and location. An
// attempt is started only after the one before it was seen DONE with an error, so at most one of them has an effect.
type JobRef struct {
	Project  string
	Location string
	Base     string
}

// LoadJob loads Parquet objects into a table by column name. The table must exist; it is appended to, or, with Empty,
// the job fails unless the table is empty.
type LoadJob struct {
	JobRef
	Dataset string
	Table   string
	URIs    []string // exact gs:// URIs, at most 10,000
	Columns []Column // the explicit schema
	Empty   bool
	Labels  map[string]string
}

// QueryJob runs one GoogleSQL statement or script.
type QueryJob struct {
	JobRef
	SQL    string
	Params []Param
	Labels map[string]string
}

// Param is the value of @Name in a statement: an int64, a string or a time.Time. Values of records are passed so, for
// the text of a statement is shown in many places.
type Param struct {
	Name  string
	Value any
}

// JobResult is what a job that is DONE without error says of itself.
type JobResult struct {
	ID      string
	Attempt int   // the N of -gN
	Rows    int64 // rows loaded, or affected by DML
	Created time.Time
	Ended   time.Time
	Billed  int64 // bytes billed; 0 for load jobs
}
