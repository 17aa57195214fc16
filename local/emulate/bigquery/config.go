package bigquery

import (
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// Config describes a server. The zero value keeps everything in memory on a free
// port, runs jobs as fast as it can and refuses load jobs, for want of Objects.
type Config struct {
	// Dir keeps datasets, tables, rows and jobs in a file that survives Close; it is
	// created when missing and belongs to one server at a time. Empty means memory.
	Dir string

	// Port is the loopback port; 0 means a free one.
	Port int

	// Objects is where load jobs read their sources from. The caller keeps it open
	// until Close has returned.
	Objects Objects

	// Faults decides what goes wrong; nil means nothing does.
	Faults Faults

	// Now is the clock of job statistics, expirations, the daily quota and
	// CURRENT_TIMESTAMP; nil means time.Now. How long a job waits is real time.
	Now func() time.Time

	// Async makes jobs.insert answer as soon as the job is accepted. Otherwise it
	// waits up to insertWait for the job, so that a small one is DONE in the reply
	// and spares the client its polling.
	Async bool

	// Pending and Running are how long every job stays in these states before it
	// takes effect. A Faults adds to them for single jobs.
	Pending, Running time.Duration

	// LoadsPerTable is how many load jobs a table's name may have within a day;
	// 0 means BigQuery's own limit.
	LoadsPerTable int

	// Limits are the other limits; the zero value means BigQuery's own.
	Limits Limits

	// ExpiredPartitions is for how long a partition that has expired counts as one of
	// the table's, although its rows are gone; 0 means 14 days, see expiredPartitions.
	ExpiredPartitions time.Duration

	// Dataset is what CreateDataset gives a new dataset beside its location: default
	// expirations and collation, case-insensitivity, billing, hours of time travel; nil
	// means nothing. datasets.insert and datasets.patch take the same properties.
	Dataset *bq.Dataset

	// Fixtures is a directory or file of BigQuery's own words, which replace those of
	// the directory fixtures beside this package, where their form is described.
	Fixtures string

	// MemoryLimit bounds DuckDB's memory, as "2GB"; beyond it DuckDB spills to
	// disk. Empty means 2GB.
	MemoryLimit string

	// Threads is how many DuckDB uses; 0 means one per core.
	Threads int
}

const (
	// insertWait is how long jobs.insert waits for the job unless Config.Async.
	insertWait = 500 * time.Millisecond

	// loadsPerTable is BigQuery's limit of load jobs per table and day, failed ones
	// included (docs.cloud.google.com/bigquery/quotas#load_jobs, 2026-08-22).
	loadsPerTable = 1500

	// expiredPartitions is as long as time travel and fail-safe keep a partition, until
	// the end of which it was seen to count
	// (github.com/mozilla/probe-scraper/pull/840, 2024-11; the documentation says
	// "several days", docs/managing-partitioned-tables#partition-expiration).
	expiredPartitions = 14 * 24 * time.Hour

	// defaultMemoryLimit leaves a small machine room for the rest of the process.
	defaultMemoryLimit = "2GB"
)

// withDefaults fills in what the zero value stands for.
func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Faults == nil {
		c.Faults = NewFaultScript()
	}
	if c.LoadsPerTable == 0 {
		c.LoadsPerTable = loadsPerTable
	}
	c.Limits = c.Limits.withDefaults()
	if c.ExpiredPartitions == 0 {
		c.ExpiredPartitions = expiredPartitions
	}
	if c.MemoryLimit == "" {
		c.MemoryLimit = defaultMemoryLimit
	}
	return c
}
