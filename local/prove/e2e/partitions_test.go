package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"cloud.google.com/go/storage"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	bq "google.golang.org/api/bigquery/v2"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
)

// sendDays produces one event of team 1 for each of the days before today from one on, and with every tenth one of team 2, of now.
func (w *world) sendDays(client *kgo.Client, from, days int) {
	w.Helper()
	var records []*kgo.Record
	now := time.Now().UTC()
	add := func(team int, at time.Time) {
		value := fmt.Sprintf(`{"uuid":"%s","event":"e","team_id":%d,"distinct_id":"d","timestamp":"%s","properties":"{}"}`, uuid.New(), team, at.Format("2006-01-02 15:04:05.000"))
		records = append(records, &kgo.Record{Topic: stack.Topic, Partition: int32(len(records) % 4), Value: []byte(value)})
	}
	for n := from; n < from+days; n++ {
		add(1, now.AddDate(0, 0, -n))
		if n%10 == 0 {
			add(2, now)
		}
	}
	require.NoError(w, client.ProduceSync(w.Context(), records...).FirstErr())
}

// A1, B3: anyone who has a project's public key may send events of any time. One sender's 12,000 different days never use up the
// 10,000 partitions that BigQuery allows a table, or the 4,000 of a job: other teams' rows keep coming.
func TestA1_OneSenderCannotFillATable(t *testing.T) {
	const days = 12_000
	since2010 := int64(time.Since(time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)).Hours() / 24)
	for unit, want := range map[string]struct{ least, most, partitions int64 }{
		"day":   {since2010, since2010 + 1, 9000},
		"hour":  {299, 301, 9000},
		"month": {days, days, 400},
		"none":  {days, days, 0},
	} {
		t.Run(unit, func(t *testing.T) {
			w := newWorld(t)
			env := map[string]string{"TIDEMARK_EVENTS_TABLE": "made", "TIDEMARK_EVENTS_PARTITIONS": unit}
			if unit == "hour" {
				env["TIDEMARK_EVENTS_PARTITION_DAYS"] = "300"
			}
			client, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka.Addrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			require.NoError(t, err)
			defer client.Close()
			r := w.start(env)
			for from := 0; from < days; from += 3000 {
				w.sendDays(client, from, 3000)
				w.waitExported()
			}
			r.HandOver()
			table := "`" + stack.Project + "." + stack.Dataset + ".made`"
			require.EqualValues(t, days/10, w.scalar("SELECT COUNT(*) FROM "+table+" WHERE team_id = 2"), "other teams")
			rows := w.scalar("SELECT COUNT(*) FROM " + table + " WHERE team_id = 1")
			require.GreaterOrEqual(t, rows, want.least)
			require.LessOrEqual(t, rows, want.most)
			md, err := w.Client.Dataset(stack.Dataset).Table("made").Metadata(t.Context())
			require.NoError(t, err)
			require.Equal(t, unit != "none", md.TimePartitioning != nil)
			n, err := partitionsOf(w, "made")
			require.NoError(t, err)
			require.LessOrEqual(t, n, want.partitions)
		})
	}
}

// A backfill may bring each of its events for another day, in no order.
func TestA1_ABackfillOfManyDaysInOnePollLosesNone(t *testing.T) {
	w := newWorld(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka.Addrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer client.Close()
	w.sendDays(client, 0, 6000)
	r := w.start(map[string]string{"TIDEMARK_EVENTS_TABLE": "made"})
	w.waitExported()
	r.HandOver()
	require.EqualValues(t, 6000, w.scalar("SELECT COUNT(*) FROM `"+stack.Project+"."+stack.Dataset+".made` WHERE team_id = 1"))
}

// A2: rows of more partitions than TIDEMARK_STAGE_ABOVE_PARTITIONS take nothing of the table's daily quota of loads.
func TestA2_ManyPartitionsGoByAStageTable(t *testing.T) {
	w := newWorld(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka.Addrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer client.Close()
	loads := func() (n int) {
		it := w.Client.Jobs(t.Context())
		for {
			job, err := it.Next()
			if err != nil {
				return n
			}
			config, err := job.Config()
			require.NoError(t, err)
			if load, ok := config.(*gbq.LoadConfig); ok && load.Dst.TableID == stack.Table {
				n++
			}
		}
	}
	w.sendDays(client, 0, 50)
	r := w.start(map[string]string{"TIDEMARK_STAGE_ABOVE_PARTITIONS": "100"})
	w.waitExported()
	direct := loads()
	require.Positive(t, direct)
	w.sendDays(client, 50, 500)
	w.waitExported()
	r.HandOver()
	require.EqualValues(t, 605, w.count("TRUE"))
	require.LessOrEqual(t, loads(), direct+1, "a small rest may be loaded")
}

// A2: a load that fails counts in the day's quotas as well, for every replica.
func TestA2_FailedLoadsCount(t *testing.T) {
	w := newWorld(t)
	w.faults.OnJob(bigquery.JobRule{Kind: "load", Count: 2, Fault: bigquery.JobFault{Reason: "backendError"}})
	r := w.start(nil)
	w.produce(300)
	w.waitExported()
	r.HandOver()
	it := w.Storage.Bucket(stack.Bucket).Objects(t.Context(), &storage.Query{Prefix: "tidemark/attempts/"})
	failed := 0
	for {
		o, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		require.NoError(t, err)
		require.Regexp(t, `^1/\d+$`, o.Metadata["cost"])
		failed++
	}
	require.Equal(t, 2, failed)
	w.requireExact()
}

// partitionsOf asks BigQuery how many partitions a table has.
func partitionsOf(w *world, table string) (int64, error) {
	raw, err := bq.NewService(w.Context(), option.WithEndpoint(w.BigQuery.Endpoint()+"/bigquery/v2/"), option.WithoutAuthentication())
	if err != nil {
		return 0, err
	}
	t, err := raw.Tables.Get(stack.Project, stack.Dataset, table).Context(w.Context()).Do()
	if err != nil {
		return 0, err
	}
	return t.NumPartitions, nil
}
