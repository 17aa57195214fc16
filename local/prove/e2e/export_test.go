package e2e

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/api/iterator"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
)

func TestExport_EveryRowOnce(t *testing.T) {
	for name, json := range map[string]bool{"STRING columns": false, "JSON columns": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withPersons, func(c *stack.Config) { c.JSON = json })
			a, b := w.start(nil), w.start(nil)
			stats := w.produce(8000)
			w.waitExported()
			a.HandOver()
			b.HandOver()
			report := w.requireExact()
			require.Positive(t, stats.Rejected())
			require.Less(t, uint64(report.Events), stats.Records)
		})
	}
}

// Invariant 2: a hand-over re-reads nothing.
func TestHandOver_ReadsNothingAgain(t *testing.T) {
	w := newWorld(t)
	seen := harness.NewReads()
	hook := kgo.WithHooks(seen)
	// A period that never ends by itself: everything below is sealed by hand-overs.
	long := map[string]string{"TIDEMARK_PERIOD": "24h", "TIDEMARK_FLUSH_DELAY": "1h"}
	read := func(n int) func() bool {
		return func() bool { got, _ := seen.Total(); return got >= n }
	}
	a := w.start(long, hook)
	w.produce(3000)
	w.eventually("first replica has read all", read(3000))
	b := w.start(long, hook) // a rebalance takes partitions from a
	w.produce(3000)
	w.eventually("both have read all", read(6000))
	a.HandOver() // SIGTERM: b takes everything
	w.produce(3000)
	w.eventually("the survivor has read all", read(9000))
	b.HandOver()
	c := w.start(long, hook) // finishes what the others prepared
	w.waitExported()
	c.HandOver()

	_, again := seen.Total()
	require.Zero(t, again, "records read more than once")
	w.requireExact()
}

func TestExport_DuplicatesInABatchAreDroppedOrKept(t *testing.T) {
	for _, mode := range []string{"batch", "off"} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t)
			seen := harness.NewReads()
			r := w.start(map[string]string{"TIDEMARK_DEDUPLICATE": mode, "TIDEMARK_PERIOD": "24h", "TIDEMARK_FLUSH_DELAY": "1h"}, kgo.WithHooks(seen))
			client, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka.Addrs()...))
			require.NoError(t, err)
			defer client.Close()
			for range 3 {
				rec := &kgo.Record{Topic: stack.Topic, Key: []byte("k"), Value: []byte(`{"uuid":"0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c77","event":"e","team_id":2,"distinct_id":"d","timestamp":"2026-09-01 12:34:56.789","properties":"{}"}`)}
				require.NoError(t, client.ProduceSync(t.Context(), rec).FirstErr())
			}
			w.eventually("read", func() bool { n, _ := seen.Total(); return n == 3 })
			r.HandOver()
			r = w.start(nil)
			w.waitExported()
			r.HandOver()
			want := map[string]int64{"batch": 1, "off": 3}[mode]
			require.Equal(t, want, w.count("TRUE"))
		})
	}
}

// count counts rows of the events table.
func (w *world) count(where string) int64 {
	w.Helper()
	return w.scalar(fmt.Sprintf("SELECT COUNT(*) FROM `%s` WHERE %s", stack.EventsTable(), where))
}

func (w *world) scalar(sql string) int64 {
	w.Helper()
	rows := w.rows(sql)
	require.Len(w, rows, 1)
	n, ok := rows[0][0].(int64)
	require.True(w, ok, "%T", rows[0][0])
	return n
}

func (w *world) rows(sql string) (all [][]gbq.Value) {
	w.Helper()
	rows, err := w.Client.Query(sql).Read(w.Context())
	require.NoError(w, err)
	for {
		var r []gbq.Value
		err := rows.Next(&r)
		if errors.Is(err, iterator.Done) {
			return all
		}
		require.NoError(w, err)
		all = append(all, r)
	}
}

func TestExport_FillsAColumnThatIsAddedByHand(t *testing.T) {
	w := newWorld(t, func(c *stack.Config) { c.NoTable = true })
	r := w.start(nil) // creates the table with the documented columns
	w.produce(500)
	w.waitExported()
	before := w.count("TRUE")
	table := w.Client.Dataset(stack.Dataset).Table(stack.Table)
	meta, err := table.Metadata(t.Context())
	require.NoError(t, err)
	require.Len(t, meta.Schema, 12)
	require.Equal(t, "timestamp", meta.TimePartitioning.Field)
	require.Equal(t, []string{"team_id", "event"}, meta.Clustering.Fields)
	_, err = table.Update(t.Context(), gbq.TableMetadataToUpdate{Schema: append(meta.Schema, &gbq.FieldSchema{Name: "_kafka_offset", Type: gbq.IntegerFieldType})}, meta.ETag)
	require.NoError(t, err)
	w.produce(500)
	w.waitExported()
	r.HandOver()
	require.Positive(t, w.count("_kafka_offset IS NOT NULL"))
	require.GreaterOrEqual(t, w.count("_kafka_offset IS NULL"), before)
}

func TestStart_NamesAnIncompatibleColumn(t *testing.T) {
	w := newWorld(t, func(c *stack.Config) { c.NoTable = true })
	require.NoError(t, w.Client.Dataset(stack.Dataset).Table(stack.Table).Create(t.Context(), &gbq.TableMetadata{
		Schema: gbq.Schema{{Name: "uuid", Type: gbq.StringFieldType}, {Name: "team_id", Type: gbq.StringFieldType}}}))
	r := w.start(map[string]string{"TIDEMARK_START_TIMEOUT": "1s"})
	<-r.Done()
	for _, want := range []string{stack.EventsTable(), "team_id", "STRING", "INT64"} {
		require.ErrorContains(t, r.Err(), want)
	}
	require.Empty(t, w.committed())
}

func TestStart_NamesWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	for want, change := range map[string]map[string]string{
		"no-such-bucket":   {"TIDEMARK_BUCKET": "no-such-bucket"},
		"no_such_dataset":  {"TIDEMARK_DATASET": "no_such_dataset"},
		"no-such-topic":    {"TIDEMARK_EVENTS_TOPIC": "no-such-topic"},
		"TIDEMARK_BROKERS": {"TIDEMARK_BROKERS": "127.0.0.1:1"},
	} {
		change["TIDEMARK_START_TIMEOUT"] = "2s"
		r := w.start(change)
		<-r.Done()
		require.ErrorContains(t, r.Err(), want)
	}
}

// A job in PENDING and RUNNING, transient failures and lost replies delay a batch and nothing else.
func TestLoad_SurvivesWhateverBigQueryDoes(t *testing.T) {
	for _, json := range []bool{false, true} {
		t.Run(fmt.Sprintf("JSON columns %v", json), func(t *testing.T) {
			w := newWorld(t, withPersons, func(c *stack.Config) { c.JSON = json })
			w.faults.OnJob(bigquery.JobRule{When: jobOf(stack.PersonsTable, applyJob), Fault: bigquery.JobFault{Reason: "backendError"}})
			w.faults.OnJob(bigquery.JobRule{Kind: "load", Fault: bigquery.JobFault{Reason: "backendError"}})
			w.faults.OnJob(bigquery.JobRule{Kind: "load", Skip: 1, Fault: bigquery.JobFault{Pending: 700 * time.Millisecond, Running: 300 * time.Millisecond}})
			w.faults.OnRequest(bigquery.RequestRule{Op: "jobs.insert", Phase: bigquery.After, Skip: 1, Fault: bigquery.Fault{Drop: true}})
			w.faults.OnRequest(bigquery.RequestRule{Op: "jobs.insert", Phase: bigquery.Before, Skip: 3, Count: 2, Fault: bigquery.Fault{Status: 503}})
			w.faults.OnRequest(bigquery.RequestRule{Op: "jobs.get", Phase: bigquery.After, Count: 2, Fault: bigquery.Fault{Status: 500}})
			r := w.start(nil)
			for range 3 {
				w.produce(700)
				w.waitExported()
			}
			r.HandOver()
			w.requireExact()
		})
	}
}

// A destination that refuses is retried in order, named in the log, and nothing is committed meanwhile.
func TestLoad_ARefusingDestinationHoldsTheOffsets(t *testing.T) {
	w := newWorld(t)
	refuse := w.faults.OnJob(bigquery.JobRule{Kind: "load", Count: -1, Fault: bigquery.JobFault{Reason: "accessDenied", Message: "Access Denied: injected"}})
	r := w.start(nil)
	w.produce(1000)
	w.eventually("refused", func() bool { return refuse.Hits() >= 2 })
	for tp, o := range w.committed() {
		require.Zero(t, o.Offset, tp)
	}
	require.Contains(t, r.Log.String(), "batch not applied")
	require.Contains(t, r.Log.String(), "hint=")
	refuse.Remove()
	w.waitExported()
	r.HandOver()
	w.requireExact()
}

// The example queries of the README run as they are printed there.
func TestReadme_QueriesRun(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.produce(500)
	w.waitExported()
	require.Eventually(t, func() bool { // it is written after the commit
		_, err := w.Client.Dataset(stack.Dataset).Table(stack.StatusTable).Metadata(t.Context())
		return err == nil
	}, 20*time.Second, 50*time.Millisecond)
	r.HandOver()
	readme, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, blocks)
	n := 0
	for _, block := range blocks {
		for _, sql := range strings.Split(strings.ReplaceAll(block[1], "acme.posthog.", stack.Project+"."+stack.Dataset+"."), ";") {
			if strings.TrimSpace(sql) == "" {
				continue
			}
			_, err := w.Client.Query(sql).Read(t.Context())
			require.NoError(t, err, sql)
			n++
		}
	}
	require.GreaterOrEqual(t, n, 4)
}
