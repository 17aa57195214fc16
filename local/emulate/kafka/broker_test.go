package kafka

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, cfg Config) *Broker {
	b, err := Start(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func client(t *testing.T, b *Broker, opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Addrs()...))...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// record makes a record for a partition; the partitioner must be the manual one.
func record(topic string, partition int32, value string) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)}
}

func TestStart_CreatesTopicsWithPartitions(t *testing.T) {
	b := start(t, Config{Topics: []string{"events", "persons"}, Partitions: 3, Brokers: 2})
	require.Len(t, b.Addrs(), 2)
	topics, err := kadm.NewClient(client(t, b)).ListTopics(testContext(t))
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"events", "persons"}, topics.Names())
	require.Len(t, topics["events"].Partitions, 3)
}

func TestStart_ReportsAllFaults(t *testing.T) {
	_, err := Start(Config{Partitions: -1, Ports: []int{1, 2}, Memory: true, DataDir: "x", RetentionBytes: -1, MinSessionTimeout: -time.Second})
	for _, want := range []string{"partitions is -1", "minimum session timeout is -1s", "2 ports for 1 brokers", "exclude each other", "retention is -1"} {
		require.ErrorContains(t, err, want)
	}
}

func TestClose_RemovesOnlyItsOwnDirectory(t *testing.T) {
	b, err := Start(Config{Topics: []string{"events"}})
	require.NoError(t, err)
	require.DirExists(t, b.tempDir)
	require.NoError(t, b.Close())
	require.NoError(t, b.Close(), "the second time does nothing")
	require.NoDirExists(t, b.tempDir)

	dir := t.TempDir()
	b = start(t, Config{DataDir: dir})
	require.NoError(t, b.Close())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, entries)
}

func TestRestart_KeepsRecordsAndGroupOffsetsWithMetadata(t *testing.T) {
	ctx := testContext(t)
	cfg := Config{Topics: []string{"events"}, Partitions: 2, DataDir: t.TempDir()}
	b := start(t, cfg)
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, c.ProduceSync(ctx, record("events", 1, "a"), record("events", 1, "b")).FirstErr())
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "events", Partition: 1, At: 1, Metadata: "v1 chain"})
	require.NoError(t, kadm.NewClient(c).CommitAllOffsets(ctx, "g", offsets))
	c.Close()
	require.NoError(t, b.Close())

	b = start(t, cfg)
	adm := kadm.NewClient(client(t, b))
	ends, err := adm.ListEndOffsets(ctx, "events")
	require.NoError(t, err)
	end, ok := ends.Lookup("events", 1)
	require.True(t, ok)
	require.Equal(t, int64(2), end.Offset)
	committed, err := adm.FetchOffsets(ctx, "g")
	require.NoError(t, err)
	at, ok := committed.Lookup("events", 1)
	require.True(t, ok)
	require.Equal(t, int64(1), at.At)
	require.Equal(t, "v1 chain", at.Metadata)
}

func TestStart_TakesMessagesAboveKafkasDefaultLimit(t *testing.T) {
	ctx := testContext(t)
	b := start(t, Config{Topics: []string{"events"}, Memory: true})
	c := client(t, b, kgo.ProducerBatchMaxBytes(8<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	require.NoError(t, c.ProduceSync(ctx, &kgo.Record{Topic: "events", Value: make([]byte, 2<<20)}).FirstErr())
}

func TestRetention_DropsOldSegments(t *testing.T) {
	ctx := testContext(t)
	b := start(t, Config{Topics: []string{"events"}, Partitions: 1, RetentionBytes: 64 << 10, RetentionInterval: 5 * time.Millisecond})
	c := client(t, b, kgo.ProducerBatchCompression(kgo.NoCompression()))
	for i := range 64 {
		value := fmt.Appendf(make([]byte, 8<<10), "%d", i)
		require.NoError(t, c.ProduceSync(ctx, &kgo.Record{Topic: "events", Value: value}).FirstErr())
	}
	require.Eventually(t, func() bool {
		return b.Cluster().PartitionInfo("events", 0).LogStartOffset > 0
	}, 10*time.Second, 5*time.Millisecond)
}

// Kafka's default of group.min.session.timeout.ms is 6,000.
func TestGroup_RefusesSessionTimeoutsBelowTheMinimum(t *testing.T) {
	join := func(cfg Config, timeout time.Duration) error {
		cfg.Topics, cfg.Memory = []string{"events"}, true
		b := start(t, cfg)
		req := kmsg.NewPtrJoinGroupRequest()
		req.Group, req.ProtocolType, req.RebalanceTimeoutMillis = "g", "consumer", 1000
		req.SessionTimeoutMillis = int32(timeout.Milliseconds())
		protocol := kmsg.NewJoinGroupRequestProtocol()
		protocol.Name = "range"
		req.Protocols = append(req.Protocols, protocol)
		resp, err := req.RequestWith(testContext(t), client(t, b))
		require.NoError(t, err)
		return kerr.ErrorForCode(resp.ErrorCode)
	}
	require.ErrorIs(t, join(Config{}, 5999*time.Millisecond), kerr.InvalidSessionTimeout)
	require.NotErrorIs(t, join(Config{}, 6*time.Second), kerr.InvalidSessionTimeout)
	require.NotErrorIs(t, join(Config{MinSessionTimeout: time.Second}, time.Second), kerr.InvalidSessionTimeout)
	require.ErrorIs(t, join(Config{MinSessionTimeout: time.Second}, 999*time.Millisecond), kerr.InvalidSessionTimeout)
}

func TestRebalance_SettlesFast(t *testing.T) {
	for name, opt := range map[string]kgo.Opt{
		"cooperative": kgo.HeartbeatInterval(50 * time.Millisecond),
		"kip-848":     kgo.ServerSideBalancer(),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := testContext(t)
			b := start(t, Config{Topics: []string{"events"}, Partitions: 4, Memory: true})
			for i := range 2 {
				c := client(t, b, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("events"), opt)
				poll(ctx, t, c)
				info, err := b.Cluster().WaitGroupStable(ctx, "g", i+1)
				require.NoError(t, err)
				require.Len(t, info.Members, i+1)
			}
		})
	}
}

// poll consumes until the test ends, as a group member must to take part in rebalances.
func poll(ctx context.Context, t *testing.T, c *kgo.Client) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			c.PollFetches(ctx)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}
