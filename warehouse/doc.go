// Package warehouse is the only user of the BigQuery client library. It runs a job once per name, reads, creates and
// drops tables, and classifies BigQuery's errors (errors.go) by what causes them (causes.go).
//
// # A job runs once
//
// BigQuery accepts a job ID once in a project and location, remembers it for six months, and a job is atomic: it has all
// its effect or, failed, none. So a [batch.JobRef] names an effect, and its attempts are the jobs Base-g1, Base-g2, … .
// Attempt N+1 is submitted only after attempt N was seen DONE with an error, and which N is the last is asked of
// BigQuery each time, never remembered: a process that crashed, and one that runs elsewhere at this moment, compute the
// same next ID, and BigQuery lets one of them in. The other gets 409 and attaches to that job.
//
// The same rule covers lost replies. When the outcome of a submission is unknown (5xx, dropped connection, timeout) the
// same ID is submitted again; a 409 then means that the first try had succeeded.
//
// # Traps of the client library
//
// Job.Wait is not used: on a query job it polls getQueryResults and takes a job that failed for backendError or
// rateLimitExceeded for a request that failed, so it can spin until the context ends; on a load job it polls up to 30 s
// apart. Query.Read is not used: without a job ID it takes a path where the server makes one up. The library retries 5xx
// until the context ends, so every call here has a deadline of its own. The location is always set: jobs.get without one
// finds jobs of the US only.
package warehouse
