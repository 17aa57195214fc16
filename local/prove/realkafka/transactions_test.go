package realkafka

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
)

// writer produces events one by one to partitions of its choice, in transactions or not.
type writer struct {
	*world
	client *kgo.Client
	n      int
}

func (w *world) writer(opts ...kgo.Opt) *writer {
	w.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(w.broker.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))...)
	require.NoError(w, err)
	w.Cleanup(client.Close)
	return &writer{world: w, client: client, n: rand.IntN(1 << 30)}
}

// transactional makes a writer whose records count when their transaction is committed.
func (w *world) transactional() *writer {
	w.Helper()
	return w.writer(kgo.TransactionalID(fmt.Sprint(w.topic, rand.Uint64())), kgo.TransactionTimeout(5*time.Minute))
}

// write produces records to a partition and returns when Kafka has them.
func (w *writer) write(partition int32, records int) {
	w.Helper()
	for range records {
		w.n++
		require.NoError(w, w.client.ProduceSync(w.Context(), &kgo.Record{Topic: w.topic, Partition: partition, Value: w.value()}).FirstErr())
	}
}

// value is the message of event n.
func (w *writer) value() []byte {
	return fmt.Appendf(nil, `{"uuid":"0198f0a3-1b2c-7f00-8d11-%012x","event":"e","team_id":2,"distinct_id":"%d","timestamp":"2026-09-01 12:34:56.789","properties":"{}"}`, w.n, w.n)
}

func (w *writer) begin() {
	w.Helper()
	require.NoError(w, w.client.BeginTransaction())
}

func (w *writer) end(commit kgo.TransactionEndTry) {
	w.Helper()
	require.NoError(w, w.client.EndTransaction(w.Context(), commit))
}

// through is what the status table says of events.
func (w *world) through() time.Time {
	w.Helper()
	it, err := w.Client.Query("SELECT MAX(complete_through) FROM `" + stack.Project + "." + stack.Dataset + "." + stack.StatusTable + "` WHERE table_name = '" + stack.Table + "'").Read(w.Context())
	if err != nil {
		return time.Time{} // not made yet
	}
	var row []gbq.Value
	require.NoError(w, it.Next(&row))
	at, _ := row[0].(time.Time)
	return at
}

// Transactions that are committed, aborted and mixed with plain records, over replicas that come and go: what was committed
// is there once, and offsets end at the topic's end, behind the last marker.
func TestTransactions_AreExportedOnceWhenTheyAreCommitted(t *testing.T) {
	w := newWorld(t)
	r := rand.New(rand.NewPCG(w.seed, 2))
	one, two, plain := w.transactional(), w.transactional(), w.writer()
	a, b := w.start(nil), w.startProcess(nil)
	for round := range 12 {
		one.begin()
		two.begin()
		for range 3 {
			one.write(r.Int32N(partitions), 1+r.IntN(4))
			two.write(r.Int32N(partitions), 1+r.IntN(4))
			plain.write(r.Int32N(partitions), r.IntN(3))
		}
		one.end(r.IntN(2) == 0)
		two.end(r.IntN(2) == 0)
		if round == 6 {
			b.Kill()
		}
	}
	w.waitExported()
	a.HandOver()
	w.requireExact()
}

// exportOneTransaction writes a record to partition 0 and the marker behind it, and returns a replica that has exported it.
func (w *world) exportOneTransaction() *harness.Replica {
	w.Helper()
	tx := w.transactional()
	tx.begin()
	tx.write(0, 1)
	tx.end(true)
	r := w.start(nil)
	w.waitExported()
	return r
}

// A partition whose last record is followed by a marker is complete up to now, and so is the table (K5).
func TestTransactions_AMarkerAtTheEndHoldsNothing(t *testing.T) {
	w := newWorld(t)
	r := w.exportOneTransaction()
	since := time.Now()
	w.eventually("complete through later", func() bool { return w.through().After(since) })
	r.HandOver()
	w.requireExact()
}

// Retention takes what is left of a partition when that is markers only. The group has nothing to read there, and goes on.
func TestTransactions_MarkersThatRetentionDeletesStopNothing(t *testing.T) {
	w := newWorld(t)
	r := w.exportOneTransaction()
	r.HandOver()
	w.deleteAllRecords()
	r = w.start(nil)
	w.writer().write(0, 3)
	w.waitExported()
	r.HandOver()
	require.Zero(t, r.Log.Stopped())
	require.EqualValues(t, 4, w.rows())
}

// Records behind an open transaction cannot be read, and nothing promises that they are there. It is told of. When the
// transaction ends, all goes on (K6).
func TestTransactions_AHangingOneHoldsTheWatermarkAndIsSeen(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	plain, tx := w.writer(), w.transactional()
	plain.write(0, 5)
	w.waitExported()
	tx.begin()
	tx.write(0, 1)
	plain.write(0, 2)
	hung := time.Now()
	plain.write(1, 2)
	w.eventually("it is seen", func() bool { return hanging(r) })
	w.eventually("other partitions go on", func() bool { return w.rows() == 7 })
	require.False(t, w.through().After(hung), "complete_through passes records that are not there")
	tx.end(true)
	since := time.Now()
	w.eventually("it goes on", func() bool { return w.through().After(since) })
	require.False(t, hanging(r))
	r.HandOver()
	w.requireExact()
}

// hanging says whether a replica's status names an open transaction and what to do about it.
func hanging(r *harness.Replica) bool {
	status, err := statusOf(r)
	if err != nil {
		return false
	}
	for _, p := range status.Consumer.Partitions {
		if p.OpenTransaction != nil && p.Hint != "" {
			return true
		}
	}
	return false
}
