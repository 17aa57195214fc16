package generator

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/local/emulate/kafka"
)

const topic = "clickhouse_events_json"

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func startBroker(t *testing.T) *kafka.Broker {
	b, err := kafka.Start(kafka.Config{Topics: []string{topic}, Partitions: 3, Memory: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// consume reads n events from the start.
func consume(ctx context.Context, t *testing.T, b *kafka.Broker, n uint64) []*kgo.Record {
	return consumeFrom(ctx, t, b, n, topic)
}

// consumeFrom reads n records of the topics from the start.
func consumeFrom(ctx context.Context, t *testing.T, b *kafka.Broker, n uint64, topics ...string) []*kgo.Record {
	c, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.ConsumeTopics(topics...))
	require.NoError(t, err)
	defer c.Close()
	var records []*kgo.Record
	for uint64(len(records)) < n {
		fetches := c.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		records = append(records, fetches.Records()...)
	}
	return records
}

// ends returns the number of records in the topic.
func ends(ctx context.Context, t *testing.T, b *kafka.Broker) (total uint64) {
	c, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...))
	require.NoError(t, err)
	defer c.Close()
	offsets, err := kadm.NewClient(c).ListEndOffsets(ctx, topic)
	require.NoError(t, err)
	require.NoError(t, offsets.Error())
	offsets.Each(func(o kadm.ListedOffset) { total += uint64(o.Offset) })
	return total
}

func TestProduce_EveryMessageArrivesOnceAndIsCounted(t *testing.T) {
	ctx, b := testContext(t), startBroker(t)
	g := newGenerator(t, Config{Malformed: 0.01, Oversized: 0.001, Duplicate: 0.05, MaxBytes: 100_000})
	const n = 3000
	var last uint64
	begin := time.Now().Truncate(time.Millisecond)
	stats, err := Produce(ctx, g, ProduceOptions{Brokers: b.Addrs(), Topic: topic, Records: n}, func(k uint64) { last = k })
	require.NoError(t, err)
	require.Equal(t, uint64(n), stats.Records)
	require.Equal(t, uint64(n), last)

	var kinds [numKinds]uint64
	var rejected uint64
	wanted := map[string]int{}
	for i := range uint64(n) {
		_, m := g.Append(nil, i)
		wanted[string(m.Value)]++
		kinds[m.Kind]++
		if m.Kind.Rejected() {
			rejected++
		}
	}
	require.Equal(t, kinds, stats.Kinds)
	require.Equal(t, rejected, stats.Rejected())

	partitions, keys := map[int32]uint64{}, map[string]int32{}
	for _, r := range consume(ctx, t, b, n) {
		wanted[string(r.Value)]--
		partitions[r.Partition]++
		if at, ok := keys[string(r.Key)]; ok {
			require.Equal(t, at, r.Partition, "a repeated key stays on its partition")
		}
		keys[string(r.Key)] = r.Partition
		require.Len(t, r.Headers, 1)
		require.Equal(t, "productTrack", r.Headers[0].Key)
		require.WithinRange(t, r.Timestamp, begin, time.Now())
	}
	require.Equal(t, partitions, stats.Partitions)
	require.Len(t, partitions, 3)
	for _, left := range wanted {
		require.Zero(t, left)
	}
}

func TestProduce_ContinuesAtFirst(t *testing.T) {
	ctx, b := testContext(t), startBroker(t)
	g := newGenerator(t, Config{Oversized: -1, Duplicate: -1})
	for first := uint64(0); first < 300; first += 100 {
		_, err := Produce(ctx, g, ProduceOptions{Brokers: b.Addrs(), Topic: topic, First: first, Records: 100}, nil)
		require.NoError(t, err)
	}
	keys := map[string]bool{}
	for _, r := range consume(ctx, t, b, 300) {
		keys[string(r.Key)] = true
	}
	require.Len(t, keys, 300)
}

func TestProduce_KeepsToItsRate(t *testing.T) {
	ctx, b := testContext(t), startBroker(t)
	g := newGenerator(t, Config{})
	begin := time.Now()
	_, err := Produce(ctx, g, ProduceOptions{Brokers: b.Addrs(), Topic: topic, Records: 200, Rate: 1000}, nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(begin), 199*time.Millisecond)
}

func TestProduce_EndOfContextLosesAndDoublesNothing(t *testing.T) {
	for name, rate := range map[string]float64{"paced": 5000, "unlimited": 0} {
		t.Run(name, func(t *testing.T) {
			b := startBroker(t)
			g := newGenerator(t, Config{Oversized: -1})
			ctx, cancel := context.WithCancel(testContext(t))
			stats, err := Produce(ctx, g, ProduceOptions{Brokers: b.Addrs(), Topic: topic, Rate: rate}, func(n uint64) {
				if n > 500 {
					cancel()
				}
			})
			require.NoError(t, err)
			require.Greater(t, stats.Records, uint64(500))
			require.Equal(t, stats.Records, ends(testContext(t), t, b))
		})
	}
}

func TestProduce_ReportsRefusal(t *testing.T) {
	ctx, b := testContext(t), startBroker(t)
	b.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	_, err := Produce(ctx, newGenerator(t, Config{}), ProduceOptions{Brokers: b.Addrs(), Topic: topic}, nil)
	require.ErrorIs(t, err, kerr.TopicAuthorizationFailed)
	require.ErrorContains(t, err, topic)
	_, err = Produce(ctx, newGenerator(t, Config{}), ProduceOptions{Rate: -1}, nil)
	require.ErrorContains(t, err, "rate is -1")
}

func TestProduce_SurvivesLostAcknowledgements(t *testing.T) {
	ctx, b := testContext(t), startBroker(t)
	b.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend, Count: 3})
	stats, err := Produce(ctx, newGenerator(t, Config{Oversized: -1}), ProduceOptions{Brokers: b.Addrs(), Topic: topic, Records: 1000}, nil)
	require.NoError(t, err)
	require.Equal(t, uint64(1000), stats.Records)
	require.Equal(t, uint64(1000), ends(ctx, t, b), "the producer is idempotent")
}
