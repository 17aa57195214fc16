// Package consumer owns the Kafka client: it polls, follows assignments, cuts partitions at period boundaries, and makes
// the offset commits that decide and finish batches.
//
// A [Session] is one membership in the consumer group. Its poll loop appends records to the open batch and seals it at
// the boundary; the revoke callback seals what is open and waits until it is decided, so the next owner finishes it and
// nothing is read again. Whatever leaves the session in doubt ends it, and a new one starts from what Kafka holds.
//
//	session.go    one membership: run, shut down, end
//	assign.go     assignment, revocation, loss
//	takeover.go   assigned partitions are taken over, each by itself, again and again until they are
//	poll.go       fetched records into the open batches
//	stream.go     a stream's open batches, and when they are sealed
//	partition.go  one partition: position, clock, cut
//	ends.go       where the partitions end, which moves clocks on and cuts them at boundaries
//	watermark.go  how far a stream is complete
//	start.go      where a group starts, and how an expired offset is told from a new group
//	stop.go       partitions that are not consumed: why, and what to do
//	offsets.go, groupoffsets.go  offset requests (batch.Offsets)
//	client.go     the Kafka client's options
package consumer
