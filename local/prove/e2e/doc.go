// Package e2e tests tidemark from end to end: the production service with its real clients on one side, the embedded
// Kafka, Cloud Storage and BigQuery on the other. Every invariant of the protocol has a test here; crashes are those of
// real processes that get SIGKILL.
package e2e
