// Package generator makes the traffic of a PostHog installation: messages as its
// ingestion writes them to the topic clickhouse_events_json, and a producer that
// sends them.
//
// Message i is a pure function of the configuration (seed included) and i, so
// any part of a stream can be made again, by another process too, and tests need
// to keep no copy. Teams follow Zipf's law; each has stable users with devices,
// places and 30-minute sessions. Next to the usual events there are what real
// topics hold and naive consumers trip over: JSON inside JSON with nested quotes,
// emoji, escaped lone surrogates and NULs, numbers that float64 cannot hold, other
// producers' key order, precision and omissions, late events, repeated events,
// oversized and broken messages.
//
// The same users have histories in the topics clickhouse_person and
// clickhouse_person_distinct_id: Persons makes these messages, Produce sends them
// among the events if ProduceOptions names the two topics, and PersonHistory
// returns a few for tests that permute and divide them. Persons are created,
// change, are merged, deleted, split and come back. The messages have no key and
// arrive in any order, some of them twice: the version alone says which is the
// latest, and all messages of a version are the same. A few never join: distinct
// IDs of unknown persons or of another team's, persons without distinct ID. Some
// users with events have neither.
package generator
