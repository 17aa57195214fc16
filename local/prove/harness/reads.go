package harness

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
)

var _ kgo.HookFetchRecordUnbuffered = (*Reads)(nil)

// Reads counts how often every offset was handed to tidemark: a hook for the Kafka clients of one replica in the test's
// process, or of several. Make it with [NewReads]; it is safe for concurrent use.
type Reads struct {
	mu sync.Mutex
	n  map[batch.TopicPartition]map[int64]int
}

// NewReads has counted nothing yet. It counts for every client that gets it with kgo.WithHooks.
func NewReads() *Reads { return &Reads{n: make(map[batch.TopicPartition]map[int64]int)} }

// OnFetchRecordUnbuffered implements kgo.HookFetchRecordUnbuffered. Records that the client drops unpolled do not count:
// tidemark never saw them.
func (r *Reads) OnFetchRecordUnbuffered(rec *kgo.Record, polled bool) {
	if !polled {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	tp := batch.TopicPartition{Topic: rec.Topic, Partition: rec.Partition}
	if r.n[tp] == nil {
		r.n[tp] = make(map[int64]int)
	}
	r.n[tp][rec.Offset]++
}

// Total returns how many different records were read, and how many of them more than once.
func (r *Reads) Total() (read, again int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, offsets := range r.n {
		for _, n := range offsets {
			read++
			if n > 1 {
				again++
			}
		}
	}
	return read, again
}

// AtLeast is a condition to wait for: that n different records were read.
func (r *Reads) AtLeast(n uint64) func() bool {
	return func() bool { read, _ := r.Total(); return uint64(read) >= n }
}

// Below returns how many different records below the given offsets were read. A partition that is missing there counts
// as 0: none of its records is below.
func (r *Reads) Below(offsets map[batch.TopicPartition]int64) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for tp, read := range r.n {
		for offset := range read {
			if offset < offsets[tp] {
				n++
			}
		}
	}
	return n
}
