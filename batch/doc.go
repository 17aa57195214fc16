// Package batch is the vocabulary and the state machine of a micro-batch: what one replica flushes as one unit.
//
// A batch is a set of offset ranges, one for every partition its replica holds, and the Parquet parts that hold the
// rows of exactly those records. It goes through the states of [State]; four durable facts, each written at most once
// and each safe to repeat, carry it there: objects in the bucket (the parts and the [Manifest]), the batch's name in
// the commit metadata of every partition ([Metadata], the decision), BigQuery jobs with derived IDs (the effect), and
// the committed end offsets.
//
// The package does no I/O of its own. [Ledger] is the pure bookkeeping of what this replica holds and may commit;
// [Driver] calls the ports of ports.go in the right order, under the ownership lock. Names of objects and jobs are pure
// functions of the batch (names.go); changing one is a breaking change for batches in flight.
package batch
