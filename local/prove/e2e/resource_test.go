package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/local/emulate/stack"
)

// send produces one event with a Kafka timestamp of our choice.
func (w *world) send(partition int32, at time.Time, n int) {
	w.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka.Addrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(w, err)
	defer client.Close()
	value := fmt.Sprintf(`{"uuid":"0198f0a3-1b2c-7f00-8d11-%012x","event":"e","team_id":2,"distinct_id":"d","timestamp":"2026-09-01 12:34:56.789","properties":"{}"}`, n)
	rec := &kgo.Record{Topic: stack.Topic, Partition: partition, Timestamp: at, Value: []byte(value)}
	require.NoError(w, client.ProduceSync(w.Context(), rec).FirstErr())
}

// Timestamps of Kafka records from anywhere move neither periods nor the watermark beyond now, and hold nothing up.
func TestClock_WildRecordTimestampsHoldNothingUp(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	for n, at := range []time.Time{time.Unix(0, 0).Add(time.Hour), time.Now().AddDate(1, 0, 0), time.Now(), time.Now().AddDate(-5, 0, 0), time.Now().AddDate(4, 0, 0)} {
		w.send(int32(n%2), at, n)
		w.waitExported()
	}
	r.HandOver()
	require.Equal(t, int64(5), w.count("TRUE"))
	for tp, o := range w.committed() {
		meta, err := batch.ParseMetadata(o.Metadata)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), meta.Clock, 2*time.Minute, tp)
		require.False(t, meta.Clock.After(time.Now()), tp)
	}
	w.requireExact()
}

// A topic that gains partitions while tidemark runs is exported from their beginning.
func TestTopic_ThatGainsPartitionsLosesNothing(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil, kgo.MetadataMaxAge(300*time.Millisecond), kgo.MetadataMinAge(100*time.Millisecond))
	w.produce(500)
	w.waitExported()
	_, err := w.admin.CreatePartitions(t.Context(), 3, stack.Topic)
	require.NoError(t, err)
	for n := range 7 {
		w.send(int32(n), time.Now(), 100+n)
	}
	w.waitExported()
	r.HandOver()
	w.requireExact()
}

// A partition without records is complete up to now: idle partitions do not hold the watermark.
func TestWatermark_MovesWhileNothingHappens(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.eventually("started", func() bool { return len(w.committed()) == 4 })
	after := time.Now()
	w.eventually("every clock has passed", func() bool {
		for _, o := range w.committed() {
			meta, err := batch.ParseMetadata(o.Metadata)
			if err != nil || !meta.Clock.After(after) {
				return false
			}
		}
		return true
	})
	r.HandOver()
	require.NotContains(t, r.Log.String(), "batch committed", "there was nothing to flush")
	require.Zero(t, strings.Count(r.Log.String(), "level=ERROR"))
}
