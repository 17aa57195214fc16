package realkafka

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/generator"
	"tidemark/local/prove/harness"
)

// deleteAllRecords makes Kafka forget what partition 0 of the events topic has, as retention does.
func (w *world) deleteAllRecords() {
	w.Helper()
	ends, err := harness.Ends(w.Context(), w.admin, w.topic)
	require.NoError(w, err)
	var past kadm.Offsets
	for tp, end := range ends {
		past.AddOffset(tp.Topic, tp.Partition, end, -1)
	}
	_, err = w.admin.DeleteRecords(w.Context(), past)
	require.NoError(w, err)
}

// produceEvents makes n more messages of events only.
func (w *world) produceEvents(n uint64) {
	w.Helper()
	opts := w.produceOptions()
	opts.PersonTopic, opts.MappingTopic = "", ""
	opts.First, opts.Records = w.next, n
	gen, err := generator.New(generator.Config{Seed: w.seed, Teams: 10, UsersPerTeam: 30, Start: w.began, MaxBytes: maxRecord, Duplicate: 0.02})
	require.NoError(w, err)
	_, err = generator.Produce(w.Context(), gen, opts, nil)
	require.NoError(w, err)
	w.next += n
}

// eventsCommitted says whether every partition of the events topic is committed to its end.
func (w *world) eventsCommitted() bool {
	committed, err := w.offsets()
	ends, endsErr := harness.Ends(w.Context(), w.admin, w.topic)
	return err == nil && endsErr == nil && len(ends) == partitions && harness.AllCommitted(committed, ends)
}

// The topic of persons is deleted under running replicas, in the middle of everything. Events are another stream: they go on
// exactly, also over a restart. Persons stop, with a hint that names the topic (K3).
func TestTopic_ADeletedOneStopsItsOwnStreamOnly(t *testing.T) {
	w := newWorld(t, persons)
	a, b := w.start(nil), w.start(nil)
	w.produce(2000)
	w.waitExported()
	w.produce(1000) // some of it is open, prepared or on its way when the topic goes
	_, err := w.admin.DeleteTopics(t.Context(), w.personTopics[0])
	require.NoError(t, err)
	for range 3 {
		w.produceEvents(500)
		w.eventually("events go on", w.eventsCommitted)
	}
	w.eventually("persons stop, and say why", func() bool { return namesTopic(a, w.personTopics[0]) || namesTopic(b, w.personTopics[0]) })
	a.HandOver()
	w.produceEvents(500)
	c := w.start(nil)
	w.eventually("events go on after a restart", w.eventsCommitted)
	since := time.Now()
	w.eventually("so does their watermark", func() bool { return w.through().After(since) })
	b.HandOver()
	c.HandOver()
	w.requireEvents()
}

// namesTopic says whether a replica's log has told of a topic what to do about it.
func namesTopic(r *harness.Replica, topic string) bool {
	for line := range strings.Lines(r.Log.String()) {
		if strings.Contains(line, "hint=\"topic "+topic+" is not there") {
			return true
		}
	}
	return false
}

// The largest request of offsets that Kafka takes is 1 MB by default. A destination that refuses for long fills the chains of
// very many partitions up to it, and no further: fetching pauses, and nothing is read twice (K8).
func TestPrepare_OfVeryManyPartitionsStaysBelowKafkasLimit(t *testing.T) {
	const many = 700
	w := newWorld(t)
	topic := w.topic + ".many"
	_, err := w.admin.CreateTopic(t.Context(), many, 1, nil, topic)
	require.NoError(t, err)
	w.topic, w.env["TIDEMARK_EVENTS_TOPIC"] = topic, topic
	refuse := w.faults.OnJob(bigquery.JobRule{Kind: "load", Count: -1, Fault: bigquery.JobFault{Reason: "accessDenied", Message: "Access Denied: injected"}})
	r := w.start(nil)
	w.eventually("the partitions are taken over", func() bool {
		s, err := statusOf(r)
		return err == nil && len(s.Consumer.Partitions) == many && s.Consumer.Pending == 0
	})
	tx := w.writer()
	written := 0
	w.eventually("the stream is full", func() bool {
		var records []*kgo.Record
		for p := range int32(many) {
			tx.n++
			records = append(records, &kgo.Record{Topic: topic, Partition: p, Value: tx.value()})
		}
		require.NoError(t, tx.client.ProduceSync(t.Context(), records...).FirstErr())
		written += many
		s, err := statusOf(r)
		return err == nil && len(s.Consumer.Full) > 0
	})
	s, err := statusOf(r)
	require.NoError(t, err)
	require.LessOrEqual(t, len(s.Batches["events"]), 32)
	refuse.Remove()
	w.eventually("all is there", func() bool { return w.rows() == int64(written) })
	r.HandOver()
	// Before the first batch the coordinator of a broker that has just started may turn the group away.
	_, since, found := strings.Cut(r.Log.String(), "batch not applied")
	require.True(t, found)
	require.NotContains(t, since, "session ended in doubt")
}
