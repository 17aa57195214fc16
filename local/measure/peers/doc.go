// Command peers compares tidemark with other ways to get events from Kafka into BigQuery, on the same broker with the same
// events, and each with an embedded BigQuery and object store of its own.
//
//	go run ./local/measure/peers                       all peers, from the root of the repository
//	go run ./local/measure/peers --only tidemark       one of them
//
// The peers:
//
//   - tidemark: the command, with the budget of local/measure/bench.
//   - baseline: what one would write in an afternoon (package main in baseline): a consumer group, encoding/json, Parquet
//     to the bucket, a load job, and then the commit.
//   - kafka-connect-bigquery in Kafka Connect standalone, with insertAll and with load jobs from the bucket. connect.sh
//     fetches both. Google's hosts are compiled into the connector: its JVM is given an HTTPS proxy that plays them, see
//     the type google. What the embedded BigQuery does not serve, insertAll and load jobs of JSON, is translated into load
//     jobs of Parquet, see the type api. None of that is in the JVM's CPU time.
//
// Each peer runs three times, in processes of its own and on a new table:
//
//   - alone: what counts is the CPU time from the moment it has all partitions until the last row is in the table and the
//     last offset committed, and its largest resident set. Starting is left out, and shown.
//   - killed: with SIGKILL, several times at random moments within its work, and started again each time.
//   - worst: killed once, when the first rows are in the table and their offsets not yet committed. The broker loses the
//     commits in between; at random, that moment is about never hit.
//
// In the end every event must have one row; events without and rows beyond the first of an event are counted by UUID.
// Every event of the topic has a UUID of its own.
//
// All peers have the same period of ten seconds for what they read to become visible and committed. In seconds they
// therefore differ little, and it says nothing; CPU time per record does, and on a busy machine too.
package main
