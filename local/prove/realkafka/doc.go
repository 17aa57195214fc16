// Package realkafka runs Apache Kafka 4 itself, one node on loopback, for the tests that ask whether tidemark's protocol
// rests on what Kafka does rather than on what the embedded broker does. Object store and BigQuery are the embedded ones.
//
// kafka.sh fetches the jars (make kafka) and starts the node; tests download nothing and are skipped without them.
package realkafka
