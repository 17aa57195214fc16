package consumer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// maxFetches is how many fetches may be on their way, or fetched and not polled, at a time, of all brokers together. Without
	// a limit it is one per broker, and twelve brokers would fill twelve times the memory of one.
	maxFetches = 4
	// fetchWait is how long a broker without news may keep a fetch waiting. It is short, because a waiting fetch is one of the
	// few that others with news could use.
	fetchWait = 500 * time.Millisecond
	// minFetch and maxFetch bound what one fetch asks for, compressed.
	minFetch, maxFetch = 256 << 10, 8 << 20
	// fetchShare is which part of the memory budget one fetch may take on the wire. Batches of JSON decompress to ten times
	// their size with zstd, and to twenty at worst: four fetches are then a third of the budget at most, and what they hold
	// counts in it.
	fetchShare = 256
)

// fetchBytes is how much one fetch asks for, given the memory budget. A broker sends at least one batch, however large it is.
func fetchBytes(budget int64) int32 { return int32(min(max(budget/fetchShare, minFetch), maxFetch)) }

// fetchOptions bound what the client holds.
func fetchOptions(budget int64) []kgo.Opt {
	return []kgo.Opt{
		kgo.MaxConcurrentFetches(maxFetches), kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(fetchBytes(budget)), kgo.FetchMaxPartitionBytes(fetchBytes(budget)),
	}
}

// FetchedBytes is what the Kafka client holds in records that are fetched and not polled yet, uncompressed.
func (s *Session) FetchedBytes() int64 { return s.client.BufferedFetchBytes() }
