// Package loader keeps what a batch needs in Cloud Storage and loads it into BigQuery.
//
// [Parts] turns Arrow records into Parquet bytes and stores them; [Manifests] keeps the manifests; both go through
// [ObjectStore], of which [GCS] is the implementation. [Direct] applies a table of a batch by one load job straight
// into the destination table.
//
// Every object is created once and never changed. A request whose reply was lost is sent again, finds the object there
// (412, or 403 for want of the permission to replace it) and compares its CRC32C and size with its own bytes: equal means
// done, different is [ErrConflict], because names are pure functions of a random batch ID and nobody else may write them.
package loader
