// Package bigquery runs BigQuery inside the process: a REST server on loopback that
// the unmodified Go client speaks to, and that runs the jobs on DuckDB.
//
//	server, err := bigquery.Start(ctx, bigquery.Config{Objects: bigquery.NewStorageObjects(gcs)})
//	client, err := bigquery.NewClient(ctx, project,
//		option.WithEndpoint(server.Endpoint()), // with and without /bigquery/v2/ behind it
//		option.WithoutAuthentication())
//
// It exists to find faults in programs that use BigQuery, so it refuses rather than
// approximates: an option, type, statement or function that is not covered is answered
// with 501 and its name. Every project exists, and everybody may do everything.
//
// # Covered
//
// Datasets and tables: insert, get, list, patch with If-Match, delete; clustering,
// labels, descriptions, location, rows of a table with paging. Names of tables are
// case-sensitive unless the dataset is not, those of columns are not. Projects may be
// in a domain (example.com:project). The test of permissions grants all.
//
// Partitions: by HOUR, DAY, MONTH or YEAR of a column or of the time of arrival
// (_PARTITIONTIME), and by ranges of integers; numPartitions. A job modifies 4,000 at
// most, and a table has 10,000; loads modify 30,000 of a table within a day, 11,000 by
// time of arrival. Only times outside of 1960 to 2159 have no partition of their own.
// A required filter must be in the WHERE clause of the very SELECT, in the ON clause of
// an inner join, or in the clauses of UPDATE, DELETE and MERGE.
//
// Expirations, by Config.Now: of tables (an expired one is not found, and is swept away
// when the next one is created) and of partitions (rows are gone at once, the partition
// counts for Config.ExpiredPartitions), and the dataset's defaults for both, which a
// table gets when it is created unless it has its own.
//
// Collations: inherited from dataset and table, refused in clustering.
//
// Views: tables.insert with a GoogleSQL query; they are read, and not written, listed or
// patched.
//
// Load jobs: Parquet objects, named one by one, into a table that exists, with an
// explicit schema; WRITE_APPEND and WRITE_EMPTY; all rows or none. Types: STRING,
// BYTES, INT64, FLOAT64, BOOL, NUMERIC, TIMESTAMP, DATE, TIME and arrays of them; JSON
// is refused, as BigQuery does. At most 10,000 objects per job, 100 MB per row, and
// 1,500 jobs per table name and day. Times are of the years 1 to 9999, in DML as well.
//
// Query jobs: SELECT, INSERT, UPDATE, DELETE, MERGE, TRUNCATE TABLE, ASSERT, CREATE,
// DROP and ALTER TABLE … ADD COLUMN or SET OPTIONS; scripts of one transaction, which reading
// statements may precede, with child jobs; named and positional parameters, in scripts
// too; dry runs. MERGE fails where more than one row of the source would change a row.
// Values that DuckDB would cast and BigQuery would not, text to JSON above all, are
// refused in INSERT, UPDATE and MERGE. PARSE_JSON keeps the first of several members
// of a name, 500 levels, and numbers in one spelling. A query above its
// maximumBytesBilled fails: 10 MB per table at least, and all rows of the columns it names.
//
// Jobs: an ID is taken for good, by a failed job too, within its project and location;
// only refusals at the insert itself (4xx, 501) leave it free. A job is PENDING,
// RUNNING and DONE, takes the time it is told to, can be cancelled, and is stopped when
// its jobTimeoutMs have passed since its creation, wherever it waits. Its effect is
// visible at the end of RUNNING, and committed in one transaction with the record of
// its end. With Config.Dir all of it survives a restart and a crash, except the rows
// that queries have returned; jobs that were accepted and not finished are run anew.
// See Faults for what can be made to go wrong.
//
// Errors: reasons and messages of what is refused are BigQuery's own as far as they are
// known, and are taken from the directory fixtures or Config.Fixtures. An error of a
// statement of a script says where it is ("Query error: … at [24:9]").
//
// # Concurrency
//
// A query job reads a snapshot: that of the moment at which it begins to be RUNNING,
// and a transaction that of its BEGIN. It executes then, and commits at the end of
// RUNNING. So two that overlap do not see each other's rows, and as adding rows
// conflicts with nothing, two INSERT or MERGE statements, or transactions, may both
// insert the same key. What they have in common must be an UPDATE of rows that are
// there:
//
//   - A transaction that updates or deletes rows of a table is cancelled if another
//     transaction or statement is doing so, or has done so since the snapshot.
//   - A statement outside of transactions waits for the other to end and is run again,
//     three times at most, not counting those after a transaction.
//   - Of UPDATE, DELETE, MERGE and TRUNCATE TABLE outside of transactions 2 run and 20
//     wait, PENDING, per table; one more fails.
//
// What counts is what has happened: a MERGE that inserts only and an UPDATE that meets
// no row are in nobody's way. Load jobs and statements that change the catalog have
// their effect at the end of RUNNING, not on a snapshot.
//
// # Not covered, and refused
//
// Statements that read a table with a collation, SELECT * beside _PARTITIONTIME, changing
// a dataset's case-insensitivity or a column's collation, uploads in jobs.insert,
// streaming inserts, the Storage Read and Write APIs, copy and extract jobs, sessions,
// legacy SQL, query destinations, CREATE VIEW, routines, models, INFORMATION_SCHEMA, wildcard
// tables, partition decorators, time travel, temporary tables, DECLARE and the rest of
// the procedural language, system variables, UPDATE … FROM, STRUCT, BIGNUMERIC,
// GEOGRAPHY, INTERVAL, RANGE, functions not listed in this package, and creation, schema
// changes or WRITE_TRUNCATE by load jobs.
//
// # Not covered, and not noticed
//
// Slots, queues, prices, and quotas other than those above; the rate of DML statements
// unless Config.Limits says it; permissions; whether the bucket is in the right place;
// sizes in bytes, which are Parquet's for a load and absent otherwise; the size of rows
// that DML writes. Fail-safe, time travel and the billing model are kept and do nothing.
//
// The special partitions __NULL__ and __UNPARTITIONED__ count like others. The partitions
// that the rows leave which a MERGE moves are not counted, and those of TRUNCATE TABLE
// neither. DML may write any time of the years 1 to 9999 into a table that is partitioned
// by a column: whether BigQuery refuses some is not documented. Partitions that have
// expired no longer count after a restart. The estimate of bytes knows of no pruning. A
// query that filters a subquery or a WITH from outside lacks a required filter here.
//
// For conflicts between statements the table is the unit, where BigQuery takes the
// partition; some run again that would not there. A table that is altered or dropped
// under a job that adds rows makes the job start over; altering or dropping a table
// whose rows are being changed waits. Statements and loads execute one at a time per
// table, so that timings say nothing about parallel loads. CURRENT_TIMESTAMP is one for
// a whole script. INSERT is not queued. A script that fails has no child jobs, and its
// error does not say at which statement.
//
// Statements are translated by the token, without an analyzer. Therefore some invalid
// GoogleSQL passes: comparing text with numbers or JSON with JSON, aliases used where
// they are not visible yet. And some values differ: x / 0 is infinite instead of an
// error, CAST of a fraction to INT64 rounds halves to even, CAST of BYTES to STRING
// escapes, an array may hold NULL. Analyze statements by other means, too.
package bigquery
