// Package consumer owns the Kafka client: it polls, follows assignments, cuts partitions at period boundaries, and makes
// the offset commits that decide and finish batches.
//
// A [Session] is one membership in the consumer group. Its poll loop appends records to the open batch and seals it at
// the boundary; the revoke callback seals what is open and waits until it is decided, so the next owner finishes it and
// nothing is read again. Whatever leaves the session in doubt ends it, and a new one starts from what Kafka holds.
//
//	session.go   one membership: run, shut down, end
//	poll.go      fetched records into the open batches
//	open.go      open batches, cut offsets, sealing
//	callback.go  assignment, revocation, loss
//	start.go     where a group starts, and how an expired offset is told from a new group
//	offsets.go   offset requests (batch.Offsets)
//	client.go    the Kafka client's options
package consumer
