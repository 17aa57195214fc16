package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/batch"
	"tidemark/consumer"
	"tidemark/local/emulate/gcs"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
	"tidemark/service"
)

// status asks a replica for its status.
func (w *world) status(r *harness.Replica) (st service.Status) {
	w.Helper()
	code, body := w.read(w.addr(r) + "/status")
	require.Equal(w, http.StatusOK, code)
	require.NoError(w, json.Unmarshal([]byte(body), &st))
	return st
}

// An offset that Kafka refuses to tell once, at an assignment, is asked for again. Meanwhile the partition is seen, and it
// holds up no other one (K4).
func TestAssignment_ARefusedOffsetIsAskedForAgain(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	w.Kafka.Cluster().ControlKey(kmsg.OffsetFetch.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.Kafka.Cluster().KeepControl()
		select {
		case <-release:
			return nil, nil, false
		default:
		}
		return refuseOffset(req.(*kmsg.OffsetFetchRequest), 2), nil, true
	})
	r := w.start(nil)
	w.produce(500)
	w.eventually("it is seen", func() bool {
		st := w.status(r)
		return st.Pending == 1 && st.Consumer.Partitions[2].Phase == "pending" && st.Consumer.Partitions[2].Hint != ""
	})
	w.eventually("the others go on", func() bool {
		st := w.status(r)
		for _, p := range st.Consumer.Partitions {
			if p.Partition != 2 && (p.Start == 0 || p.Start != p.End) {
				return false
			}
		}
		return len(st.Batches["events"]) == 0 // all are committed
	})
	require.True(t, w.through(stack.Table).IsZero(), "the partition holds the watermark")
	close(release)
	w.waitExported()
	w.eventually("complete through", func() bool { return !w.through(stack.Table).IsZero() })
	require.Zero(t, w.status(r).Pending)
	r.HandOver()
	w.requireExact()
}

// refuseOffset answers as Kafka does to somebody who may not read one partition's topic.
func refuseOffset(req *kmsg.OffsetFetchRequest, partition int32) *kmsg.OffsetFetchResponse {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	for _, g := range req.Groups {
		answered := kmsg.NewOffsetFetchResponseGroup()
		answered.Group = g.Group
		for _, t := range g.Topics {
			topic := kmsg.NewOffsetFetchResponseGroupTopic()
			topic.Topic, topic.TopicID = t.Topic, t.TopicID
			for _, n := range t.Partitions {
				p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
				p.Partition, p.Offset = n, -1
				if n == partition {
					p.ErrorCode = kerr.TopicAuthorizationFailed.Code
				}
				topic.Partitions = append(topic.Partitions, p)
			}
			answered.Topics = append(answered.Topics, topic)
		}
		resp.Groups = append(resp.Groups, answered)
	}
	return resp
}

// A record from the future, on a replica that reads slowly, promises nothing about what comes behind it (K7).
func TestStatus_ARecordFromTheFuturePromisesNothing(t *testing.T) {
	w := newWorld(t, func(c *stack.Config) { c.Partitions = 1 })
	// Every upload takes long, so that little is read at a time.
	w.GCS.Inject(gcs.Fault{Op: gcs.OpInsert, Object: "tidemark/parts/", Count: -1, Delay: 300 * time.Millisecond})
	client, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka.Addrs()...), kgo.ProducerLinger(0))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	p := &promise{world: w, client: client, through: make(map[string]time.Time)}
	r := w.start(nil)
	for began := time.Now(); time.Since(began) < 4*time.Second; {
		n := len(p.acked)
		rec := &kgo.Record{Topic: stack.Topic, Timestamp: time.Now().Add(time.Duration(n%3) * time.Second), Value: eventOf(n)}
		require.NoError(t, client.ProduceSync(t.Context(), rec).FirstErr())
		p.acked = append(p.acked, time.Now())
		p.check(stack.Table)
	}
	r.HandOver()
	r = w.start(nil)
	w.waitExported()
	r.HandOver()
	p.check(stack.Table)
}

// A group that refuses the session timeout will refuse it for ever. The replica is not ready, names the variable and what is
// allowed, and ends when it is start-up that does not succeed (K9).
func TestJoin_RefusedForGoodNamesTheVariable(t *testing.T) {
	w := newWorld(t)
	w.Kafka.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Count: -1, Err: kerr.InvalidSessionTimeout})
	w.env["TIDEMARK_START_TIMEOUT"] = "2s"
	r := harness.Start(w.T, w.env)
	w.eventually("not ready", func() bool {
		code, body := w.read(w.addr(r) + "/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "not a member of the consumer group")
	})
	<-r.Done()
	require.ErrorContains(t, r.Err(), "TIDEMARK_SESSION_TIMEOUT is \""+sessionTimeout)
	require.ErrorContains(t, r.Err(), "group.min.session.timeout.ms")
	require.ErrorContains(t, r.Err(), "TIDEMARK_START_TIMEOUT")
}

// With everything stopped, the headline numbers say so: TIDEMARK_PREFIX was changed while batches were on their way.
func TestStatus_WithEverythingStoppedSaysSo(t *testing.T) {
	w := newWorld(t, withPersons)
	first := w.start(map[string]string{"TIDEMARK_PERIOD": "24h", "TIDEMARK_FLUSH_DELAY": "1h"})
	w.produce(2000)
	w.eventually("something of every partition is read", func() bool {
		partitions := w.status(first).Consumer.Partitions
		return len(partitions) == 12 && !slices.ContainsFunc(partitions, func(p consumer.PartitionView) bool { return p.Next == p.Start })
	})
	first.HandOver() // everything is prepared
	r := w.start(map[string]string{"TIDEMARK_PREFIX": "elsewhere"})
	w.eventually("all are stopped", func() bool { return w.status(r).Stopped == 12 })
	st := w.status(r)
	require.False(t, st.Ready)
	require.Contains(t, st.NotReady, "all 12 partitions")
	lag, err := time.ParseDuration(st.FlushLag)
	require.NoError(t, err)
	require.Positive(t, lag)
	require.Contains(t, st.Consumer.Partitions[0].Hint, `TIDEMARK_PREFIX ("elsewhere")`)
	_, metrics := w.read(w.addr(r) + "/metrics")
	require.NotContains(t, metrics, "tidemark_watermark_timestamp_seconds{")
	require.Equal(t, 2, strings.Count(r.Log.String(), "partitions stopped"), "one line per stream for one cause")
	require.Equal(t, 12, r.Log.Stopped())
	r.HandOver()
	r = w.start(nil)
	w.waitExported()
	r.HandOver()
	w.requireExact()
}

// eventOf is the message of event n.
func eventOf(n int) []byte {
	return fmt.Appendf(nil, `{"uuid":"0198f0a3-1b2c-7f00-8d11-%012x","event":"e","team_id":2,"distinct_id":"%d","timestamp":"2026-09-01 12:34:56.789","properties":"{}"}`, n, n)
}

// After an unclean election a partition may end before what is committed of it. That is seen by the leader epoch that was
// committed along, and nothing that others wrote at these offsets is skipped.
func TestAssignment_ATruncatedPartitionStops(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.produce(500)
	w.waitExported()
	r.HandOver()
	before := w.committed()
	cut := batch.TopicPartition{Topic: stack.Topic, Partition: 1}
	w.Kafka.Cluster().ControlKey(kmsg.OffsetForLeaderEpoch.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.Kafka.Cluster().KeepControl()
		return w.epochsEnd(req.(*kmsg.OffsetForLeaderEpochRequest), before, cut), nil, true
	})
	r = w.start(nil)
	w.eventually("stopped", func() bool { return w.status(r).Stopped == 1 })
	require.Contains(t, w.status(r).Consumer.Partitions[1].Problem, "truncated below what is committed")
	w.produce(500)
	w.eventually("the others go on", func() bool {
		for tp, end := range w.ends() {
			if tp != cut && w.committed()[tp].Offset != end {
				return false
			}
		}
		return true
	})
	r.HandOver()
	require.Equal(t, before[cut].Offset, w.committed()[cut].Offset)
}

// epochsEnd answers that every leader epoch ends where the group is, but for one partition five records before.
func (w *world) epochsEnd(req *kmsg.OffsetForLeaderEpochRequest, committed map[batch.TopicPartition]batch.GroupOffset, cut batch.TopicPartition) *kmsg.OffsetForLeaderEpochResponse {
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, t := range req.Topics {
		topic := kmsg.NewOffsetForLeaderEpochResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			tp := batch.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			answer := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			answer.Partition, answer.LeaderEpoch, answer.EndOffset = p.Partition, p.LeaderEpoch, committed[tp].Offset
			if tp == cut {
				answer.EndOffset -= 5
			}
			topic.Partitions = append(topic.Partitions, answer)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}
