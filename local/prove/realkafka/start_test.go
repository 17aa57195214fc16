package realkafka

import (
	"testing"

	gbq "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"tidemark/batch"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
)

// exportSome exports something and hands over, so that the group has a history.
func (w *world) exportSome() {
	w.Helper()
	r := w.start(nil)
	w.produce(500)
	w.waitExported()
	r.HandOver()
}

func stopped(r *harness.Replica, n int) func() bool {
	return func() bool { return r.Log.Stopped() >= n }
}

// A group whose offsets Kafka has forgotten is never started over.
func TestStart_AnExpiredGroupStops(t *testing.T) {
	w := newWorld(t)
	w.exportSome()
	rows := w.requireExact().Events
	_, err := w.admin.DeleteGroup(t.Context(), w.group)
	require.NoError(t, err)
	r := w.start(nil)
	w.eventually("stopped", stopped(r, partitions))
	require.Contains(t, r.Log.String(), "tidemark offsets set")
	r.HandOver()
	require.Empty(t, w.committed())
	require.Equal(t, rows, w.requireExact().Events)
}

func TestStart_ARecreatedTopicStops(t *testing.T) {
	w := newWorld(t)
	w.exportSome()
	_, err := w.admin.DeleteTopics(t.Context(), w.topic)
	require.NoError(t, err)
	w.createTopic()
	w.produce(2000)
	r := w.start(nil)
	w.eventually("stopped", stopped(r, partitions))
	require.Contains(t, r.Log.String(), "was re-created")
	r.HandOver()
	for _, o := range w.committed() {
		require.Less(t, o.Offset, int64(500))
	}
}

// The topic is deleted and created again under a running replica.
func TestStart_ATopicRecreatedUnderAReplicaStops(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.produce(500)
	w.waitExported()
	before := w.requireExact()
	_, err := w.admin.DeleteTopics(t.Context(), w.topic)
	require.NoError(t, err)
	w.createTopic()
	w.produce(2000)
	w.eventually("stopped", stopped(r, partitions))
	r.HandOver()
	require.Equal(t, before.Events, w.rows(), "nothing of the new topic is exported as if it were the old one")
}

func TestFetch_AnOffsetOutOfRangeStopsThePartition(t *testing.T) {
	w := newWorld(t)
	w.exportSome()
	w.produce(500)
	tp := batch.TopicPartition{Topic: w.topic, Partition: 2}
	var past kadm.Offsets // retention overtakes the committed offset
	ends, err := w.ends()
	require.NoError(t, err)
	past.AddOffset(tp.Topic, tp.Partition, ends[tp], -1)
	_, err = w.admin.DeleteRecords(t.Context(), past)
	require.NoError(t, err)
	before := w.committed()[tp]
	r := w.start(nil)
	w.eventually("stopped", stopped(r, 1))
	w.eventually("the others go on", func() bool {
		committed, err := w.offsets()
		if err != nil {
			return false
		}
		for other, end := range ends {
			if other != tp && committed[other].Offset != end {
				return false
			}
		}
		return true
	})
	r.HandOver()
	require.Equal(t, before.Offset, w.committed()[tp].Offset)
}

// rows counts what is in BigQuery.
func (w *world) rows() int64 {
	w.Helper()
	it, err := w.Client.Query("SELECT COUNT(*) FROM `" + stack.EventsTable() + "`").Read(w.Context())
	require.NoError(w, err)
	var row []gbq.Value
	require.NoError(w, it.Next(&row))
	n, ok := row[0].(int64)
	require.True(w, ok, "%T", row[0])
	return n
}
