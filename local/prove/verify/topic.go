package verify

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// topicReader reads a topic without a group.
type topicReader struct {
	client *kgo.Client // for offsets
	topic  string
	opts   []kgo.Opt
}

// newTopicReader connects; the caller closes the client.
func newTopicReader(opts Options) (*topicReader, error) {
	common := append([]kgo.Opt{
		kgo.SeedBrokers(opts.Brokers...),
		kgo.ClientID("tidemark-verify"),
		// Like tidemark: messages of aborted transactions do not exist.
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	}, opts.Client...)
	client, err := kgo.NewClient(common...)
	if err != nil {
		return nil, err
	}
	return &topicReader{client: client, topic: opts.Topic, opts: common}, nil
}

// ranges returns the offsets [start, end) of all partitions at this moment.
func (t *topicReader) ranges(ctx context.Context) (starts, ends []int64, err error) {
	adm := kadm.NewClient(t.client)
	// The ends come last, so that no start can be behind its end.
	for _, list := range []struct {
		into *[]int64
		call func(context.Context, ...string) (kadm.ListedOffsets, error)
	}{{&starts, adm.ListStartOffsets}, {&ends, adm.ListCommittedOffsets}} {
		offsets, err := list.call(ctx, t.topic)
		if err == nil {
			err = offsets.Error()
		}
		if err != nil {
			return nil, nil, fmt.Errorf("list offsets of %q: %w", t.topic, err)
		}
		*list.into = make([]int64, len(offsets[t.topic]))
		for p := range *list.into {
			(*list.into)[p] = offsets[t.topic][int32(p)].Offset
		}
	}
	return starts, ends[:len(starts)], nil
}

// fold reads the ranges into the fold, whose partitions they are.
func (t *topicReader) fold(ctx context.Context, f *Fold, starts, ends []int64) error {
	return t.each(ctx, starts, ends, func(r *kgo.Record) { f.Message(r.Partition, r.Offset, r.Timestamp, r.Value) })
}

// each calls visit with every message of the ranges, concurrently.
func (t *topicReader) each(ctx context.Context, starts, ends []int64, visit func(*kgo.Record)) error {
	positions := map[int32]kgo.Offset{}
	for p := range starts {
		if starts[p] < ends[p] {
			positions[int32(p)] = kgo.NewOffset().At(starts[p])
		}
	}
	if len(positions) == 0 {
		return nil
	}
	consumer, err := kgo.NewClient(append(slices.Clone(t.opts),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{t.topic: positions}),
		// Records that expire while being read must not be passed over.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		// A range may end with a transaction's marker.
		kgo.KeepControlRecords(),
		kgo.FetchMaxPartitionBytes(8<<20),
	)...)
	if err != nil {
		return err
	}
	defer consumer.Close()
	for len(positions) > 0 {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %q: %w", t.topic, err)
		}
		if err := visitAll(fetches, ends, visit); err != nil {
			return err
		}
		fetches.EachPartition(func(fetched kgo.FetchTopicPartition) {
			n := len(fetched.Records)
			if n > 0 && fetched.Records[n-1].Offset >= ends[fetched.Partition]-1 {
				delete(positions, fetched.Partition)
				consumer.PauseFetchPartitions(map[string][]int32{t.topic: {fetched.Partition}})
			}
		})
	}
	return nil
}

// visitAll visits what was fetched on all processors, while the client fetches more.
func visitAll(fetches kgo.Fetches, ends []int64, visit func(*kgo.Record)) error {
	const chunk = 256
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	records := fetches.Records()
	for len(records) > 0 {
		some := records[:min(chunk, len(records))]
		records = records[len(some):]
		group.Go(func() error {
			for _, r := range some {
				if r.Offset < ends[r.Partition] && !r.Attrs.IsControl() {
					visit(r)
				}
			}
			return nil
		})
	}
	return group.Wait()
}
