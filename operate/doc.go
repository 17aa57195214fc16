// Package operate is what a person does about a consumer group's batches and offsets while no replica runs: look at them, with
// the evidence that BigQuery has, decide what becomes of a batch that nobody else can decide, and set offsets. It needs Kafka,
// Cloud Storage and BigQuery, and nothing of a running tidemark.
//
// Everything here refuses what would lose or double rows, and says what was found and what is allowed. Whatever commits does so
// as no member of the group, which Kafka accepts only while the group has no members: that is the fence against replicas. A
// replica that sleeps may still have a decided batch in its hands; so voiding a batch uses up the IDs of its jobs first.
//
//	batches.go   what the group's metadata names, and what becomes of it
//	apply.go     applies a batch
//	void.go      gives a batch up
//	offsets.go   where the group is
//	set.go       sets it
//	text.go      all that for people
package operate
