// Package persons holds the tests of what merges of persons promise: that the persons table equals a plain fold of the
// messages, in whatever order they arrive, however they are cut into batches, however often they are repeated, and
// whichever replicas merge them, one after the other or at the same time.
//
// The pieces are the production ones from the message on: decoder, buffer, Parquet parts in the object store, stage,
// merge script, and the BigQuery client on the wire. Only Kafka is left out, so that the order of arrival is the test's
// to choose. Thousands of histories share each merge, every one as teams of its own, because a merge takes its time
// whether it moves five rows or fifty thousand.
package persons
