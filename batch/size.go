package batch

// What an offset commit takes in the record batch that the group coordinator writes to __consumer_offsets, at most: Kafka
// refuses a request whose records together are larger than that topic's max.message.bytes, by default 1,048,588 bytes
// (OffsetCommitKey and OffsetCommitValue of Apache Kafka 4, record format v2; read 2026-11).
const (
	// DefaultMaxCommit is Kafka's default for max.message.bytes of __consumer_offsets.
	DefaultMaxCommit = 1_048_588
	// batchBytes is the header of a record batch.
	batchBytes = 61
	// entryBytes is a record with the key's and the value's fixed fields: version, lengths of group and topic and the
	// partition; version, offset, leader epoch, length of the metadata and commit time; and the record's own lengths.
	entryBytes = 10 + 24 + 24
	// clockBytes is the metadata's text without its chain, linkBytes that of one link.
	clockBytes = len("tidemark/1;") + 14 + 1
	linkBytes  = 36 + 1 + 19 + 1
)

// spareLinks are kept free in a prepare's size for the batches that a revoke and a shutdown seal when no more should be
// prepared: the two periods that may be open, each time.
const spareLinks = 4

// prepareBytes bounds the size of the next prepare from above, if all partitions held take part and so many batches are
// prepared before it.
func (l *Ledger) prepareBytes(group string, before int) int {
	size := batchBytes
	for tp, h := range l.held {
		size += entryBytes + len(group) + len(tp.Topic) + clockBytes + linkBytes*(len(h.meta.Chain)+before+1)
	}
	return size
}
