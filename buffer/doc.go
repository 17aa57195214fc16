// Package buffer turns consumed records into Parquet parts, under one memory budget.
//
// A [Batch] decodes records on all cores and keeps the rows of every team in a builder of Arrow records. A team whose
// rows reach the part size, and the largest teams when memory gets short, are handed over early: encoded and uploaded
// while the batch is still open. Nothing refers to such parts before the batch's manifest does. So sealing has only the
// tails left to write, however large the period was, and a thousand small teams fit the budget of one large one.
//
// # Memory
//
// The [Buffer] counts what it really holds: the allocations of all builders and records (at their capacity), the sets
// of seen events, and encoded parts until they are stored. Rows are handed over at three quarters of the budget, so that
// encoding and uploading overlap with consuming; at the whole budget [Buffer.Wait] blocks. Handing over and encoding
// never wait for memory, so waiting always ends, unless nothing is left to hand over: then a batch is [Batch.Full].
// [Batch.Append] does not wait either (a rebalance may be waiting for it); what one call adds comes on top.
//
// The process takes more than the budget: what the garbage collector has not freed yet, encoders, fetched records. Go's
// memory limit, which package service sets from the budget, bounds it; docs/performance.md has figures.
//
// Rows of teams that are small when memory gets short share parts, named as those of team 0, and so do the tails of very
// many teams: otherwise ten thousand teams would fill a load job's list of parts every few seconds.
//
// # Rejects
//
// A message that cannot become a row, and one of which a JSON column had to be left NULL, is kept byte for byte in the
// batch's rejects parts, Parquet files with the columns
//
//	reason    STRING     a model.Reason, "too_many_partitions", "timestamp_implausible", or "unloadable_json" for a row with NULL in a JSON column
//	detail    STRING     what was found and what is wanted
//	topic     STRING     where the record came from …
//	partition INT32
//	offset    INT64
//	timestamp TIMESTAMP  … and its timestamp
//	key       BYTES      NULL if the record had none
//	value     BYTES      NULL if the record had none
package buffer
