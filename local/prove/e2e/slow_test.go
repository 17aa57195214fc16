package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/local/prove/harness"
)

// A coordinator that takes seconds for everything delays batches and hand-overs, and nothing else.
func TestCoordinator_ASlowOneOnlyDelays(t *testing.T) {
	w := newWorld(t)
	cluster := w.Kafka.Cluster()
	for key, delay := range map[kmsg.Key]time.Duration{kmsg.OffsetCommit: 1500 * time.Millisecond, kmsg.JoinGroup: time.Second, kmsg.SyncGroup: 700 * time.Millisecond, kmsg.OffsetFetch: time.Second} {
		cluster.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
			cluster.SleepControl(func() {
				late := time.NewTimer(delay)
				defer late.Stop()
				select {
				case <-late.C:
				case <-t.Context().Done():
				}
			})
			return nil, nil, false
		})
	}
	seen := harness.NewReads()
	patient := map[string]string{"TIDEMARK_SESSION_TIMEOUT": "20s", "TIDEMARK_REBALANCE_TIMEOUT": "20s"}
	a := w.start(patient, kgo.WithHooks(seen))
	w.produce(1500)
	w.waitExported()
	b := w.start(patient, kgo.WithHooks(seen))
	w.produce(1500)
	w.waitExported()
	a.HandOver()
	w.produce(500)
	w.waitExported()
	b.HandOver()
	_, again := seen.Total()
	require.Zero(t, again, "records read more than once")
	w.requireExact()
}
