package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/api/iterator"

	"tidemark/batch"
	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/gcs"
	"tidemark/local/emulate/stack"
)

// prepares matches offset commits that decide a batch: they name one.
func prepares(req kmsg.Request) bool {
	r, ok := req.(*kmsg.OffsetCommitRequest)
	if !ok {
		return false
	}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			if p.Metadata == nil {
				continue
			}
			if meta, err := batch.ParseMetadata(*p.Metadata); err == nil && len(meta.Chain) > 0 {
				return true
			}
		}
	}
	return false
}

// Invariant 2: a prepare whose reply is lost is read back; one that did not happen makes the session rejoin.
func TestPrepare_WithAnUnknownOutcome(t *testing.T) {
	for name, fault := range map[string]kfake.Fault{
		// kfake applies the commit and answers with this error: the nasty case.
		"applied, then answered with an error": {Err: kerr.RequestTimedOut},
		// Invariant 3: one partition refused, the others accepted.
		"accepted for some partitions only": {Err: kerr.UnknownServerError, Partitions: []int32{1}},
		"refused":                           {Err: kerr.UnknownServerError},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			fault.Keys, fault.When, fault.Count = []kmsg.Key{kmsg.OffsetCommit}, prepares, 1
			injected := w.Kafka.Cluster().Fault(fault)
			r := w.start(nil)
			w.produce(2000)
			w.waitExported()
			r.HandOver()
			require.Positive(t, injected.Hits())
			w.requireExact()
		})
	}
}

// Invariant 3: a missing manifest never means void.
func TestTakeOver_AMissingManifestStopsThePartition(t *testing.T) {
	w := newWorld(t)
	hold := w.faults.OnJob(bigquery.JobRule{Kind: "load", Count: -1, Fault: bigquery.JobFault{Reason: "accessDenied"}})
	r := w.start(nil)
	w.produce(1000)
	w.eventually("decided", func() bool { return hold.Hits() > 0 })
	r.HandOver()
	hold.Remove()
	before := w.committed()
	for _, name := range w.objects("tidemark/batches/") {
		require.NoError(t, w.Storage.Bucket(stack.Bucket).Object(name).Delete(t.Context()))
	}
	r = w.start(nil)
	w.eventually("stopped", func() bool { return r.Log.Stopped() == 4 })
	require.Contains(t, r.Log.String(), "restore it from the bucket")
	w.produce(500)
	r.HandOver()
	require.Equal(t, before, w.committed(), "offsets and metadata are left alone")
	require.Zero(t, w.count("TRUE"))
}

func (w *world) objects(prefix string) (names []string) {
	w.Helper()
	it := w.Storage.Bucket(stack.Bucket).Objects(w.Context(), &storage.Query{Prefix: prefix})
	for {
		o, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return names
		}
		require.NoError(w, err)
		names = append(names, o.Name)
	}
}

// Invariant 4: the attempt number comes from BigQuery: a replica that knows nothing of the first attempts goes on after
// them.
func TestLoad_AnotherReplicaContinuesTheAttempts(t *testing.T) {
	w := newWorld(t)
	refuse := w.faults.OnJob(bigquery.JobRule{Kind: "load", Count: 2, Fault: bigquery.JobFault{Reason: "accessDenied"}})
	r := w.start(nil)
	w.produce(300)
	w.eventually("refused once", func() bool { return refuse.Hits() >= 1 })
	r.HandOver()
	r = w.start(nil)
	w.waitExported()
	r.HandOver()
	w.requireExact()
	require.Equal(t, 1, w.jobs("_apply-g1"))
	require.Equal(t, 1, w.jobs("_apply-g3"))
}

// jobs counts the jobs whose ID contains the text.
func (w *world) jobs(text string) (n int) {
	w.Helper()
	it := w.Client.Jobs(w.Context())
	for {
		j, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return n
		}
		require.NoError(w, err)
		if strings.Contains(j.ID(), text) {
			n++
		}
	}
}

// Invariant 6: START is resolved once, for all partitions; a partition added later begins at its beginning.
func TestStart_LatestIsResolvedOnce(t *testing.T) {
	w := newWorld(t)
	w.produce(1000)
	skipped := w.ends()
	r := w.start(map[string]string{"TIDEMARK_START": "latest"})
	w.eventually("started", func() bool { return len(w.committed()) == 4 })
	w.produce(400)
	w.waitExported()
	r.HandOver()
	for tp, end := range skipped {
		require.Zero(t, w.countBefore(tp, end), "%s: what was there before the start", tp)
	}
	// The topic grows while nobody runs, and records arrive there before anybody starts.
	_, err := w.admin.CreatePartitions(t.Context(), 2, stack.Topic)
	require.NoError(t, err)
	w.produce(600)
	r = w.start(map[string]string{"TIDEMARK_START": "latest"})
	w.waitExported()
	r.HandOver()
	require.Positive(t, w.countBefore(batch.TopicPartition{Topic: stack.Topic, Partition: 5}, 1<<40))
}

func (w *world) countBefore(tp batch.TopicPartition, offset int64) int64 {
	w.Helper()
	q := w.Client.Query("SELECT COUNT(*) FROM `" + stack.EventsTable() + "` WHERE _kafka_partition = @p AND _kafka_offset < @o")
	q.Parameters = []gbq.QueryParameter{{Name: "p", Value: int64(tp.Partition)}, {Name: "o", Value: offset}}
	rows, err := q.Read(w.Context())
	require.NoError(w, err)
	var v []gbq.Value
	require.NoError(w, rows.Next(&v))
	return v[0].(int64)
}

// Invariant 6: an offset that the group has lost, or a topic that is another one, stops the partition loudly.
func TestStart_AnExpiredOffsetIsNeverReset(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.produce(500)
	w.waitExported()
	r.HandOver()
	rows := w.count("TRUE")
	_, err := w.admin.DeleteGroup(t.Context(), "tidemark")
	require.NoError(t, err)
	r = w.start(nil)
	w.eventually("stopped", func() bool { return r.Log.Stopped() == 4 })
	require.Contains(t, r.Log.String(), "tidemark offsets set")
	r.HandOver()
	require.Equal(t, rows, w.count("TRUE"))
	require.Empty(t, w.committed())
}

func TestStart_ARecreatedTopicStops(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.produce(500)
	w.waitExported()
	r.HandOver()
	_, err := w.admin.DeleteTopics(t.Context(), stack.Topic)
	require.NoError(t, err)
	_, err = w.admin.CreateTopic(t.Context(), 4, 1, nil, stack.Topic)
	require.NoError(t, err)
	w.produce(2000)
	r = w.start(nil)
	w.eventually("stopped", func() bool { return r.Log.Stopped() == 4 })
	require.Contains(t, r.Log.String(), "re-created")
	r.HandOver()
}

func TestFetch_AnOffsetOutOfRangeStopsThePartition(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.produce(500)
	w.waitExported()
	r.HandOver()
	w.produce(500)
	tp := batch.TopicPartition{Topic: stack.Topic, Partition: 2}
	end := w.ends()[tp]
	var past kadm.Offsets // retention overtakes the committed offset
	past.AddOffset(tp.Topic, tp.Partition, end, -1)
	_, err := w.admin.DeleteRecords(t.Context(), past)
	require.NoError(t, err)
	before := w.committed()[tp]
	r = w.start(nil)
	w.eventually("stopped", func() bool { return r.Log.Stopped() == 1 })
	w.eventually("the others go on", func() bool {
		for other, end := range w.ends() {
			if other != tp && w.committed()[other].Offset != end {
				return false
			}
		}
		return true
	})
	r.HandOver()
	require.Equal(t, before.Offset, w.committed()[tp].Offset)
}

// Invariant 7: a batch goes where its manifest says, and deletes as it says, whatever today's configuration says.
func TestTakeOver_UsesTheManifestsDestination(t *testing.T) {
	w := newWorld(t, withPersons)
	refuse := w.faults.OnJob(bigquery.JobRule{Kind: "load", Count: -1, Fault: bigquery.JobFault{Reason: "accessDenied"}})
	r := w.start(nil)
	stats := w.produce(1000)
	w.eventually("decided", func() bool { return refuse.Hits() > 0 })
	r.HandOver()
	refuse.Remove()
	r = w.start(map[string]string{"TIDEMARK_EVENTS_TABLE": "elsewhere", "TIDEMARK_PERSONS_TABLE": "nobody", "TIDEMARK_PERSON_DELETES": "remove", "TIDEMARK_STATUS_TABLE": "status"})
	w.waitExported()
	r.HandOver()
	require.Positive(t, w.count("TRUE"))
	require.Positive(t, stats.Records)
	for _, table := range []string{"elsewhere", "nobody"} {
		require.Zero(t, w.scalar("SELECT COUNT(*) FROM `"+stack.Project+"."+stack.Dataset+"."+table+"`"))
	}
	w.requireExact()
}

// Section 5: a message that is no row is kept byte for byte, with where it came from.
func TestRejects_AreInTheBucket(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	stats := w.produce(4000)
	w.waitExported()
	r.HandOver()
	var rejected int64
	for _, m := range w.manifests() {
		rejected += m.Counts.Rejected
		for _, p := range m.Rejects {
			attrs, err := w.Storage.Bucket(stack.Bucket).Object(p.Object).Attrs(t.Context())
			require.NoError(t, err)
			require.Equal(t, p.CRC32C, attrs.CRC32C)
		}
	}
	require.Equal(t, int64(stats.Rejected()), rejected)
	w.requireExact()
}

// The budget bounds what is held while the bucket answers slowly; fetching pauses and nothing is lost.
func TestBackPressure_ASlowBucketPausesFetching(t *testing.T) {
	w := newWorld(t)
	slow := w.GCS.Inject(gcs.Fault{Op: gcs.OpInsert, Count: 60, Delay: 50 * time.Millisecond})
	r := w.start(map[string]string{"TIDEMARK_BUFFER_MEMORY": "8MiB", "TIDEMARK_PART_SIZE": "1MiB", "TIDEMARK_PERIOD": "5s", "TIDEMARK_FLUSH_DELAY": "100ms"})
	w.produce(20000)
	w.waitExported()
	r.HandOver()
	require.Positive(t, slow.Hits())
	w.requireExact()
}
