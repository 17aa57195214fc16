// Package kafka runs Kafka inside the process: kfake (franz-go's fake broker)
// with its log on disk, on loopback, for local mode and for tests.
//
// It speaks the wire protocol, so production's client, kcat and librdkafka work
// with it unchanged: cooperative and eager groups, KIP-848 groups, commit
// metadata, transactions and idempotent producers. It is nevertheless a fake:
// one goroutine serves the whole cluster, nothing is replicated, and nothing is
// throttled. Do not measure a broker with it.
package kafka
