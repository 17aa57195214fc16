package verify

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/local/emulate/kafka"
	"tidemark/local/generator"
)

const topicName = "clickhouse_events_json"

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func startBroker(t *testing.T) *kafka.Broker {
	b, err := kafka.Start(kafka.Config{Topics: []string{topicName}, Partitions: 3, Memory: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// loaded produces n messages and returns the rows that a right loader makes of them.
func loaded(ctx context.Context, t *testing.T, b *kafka.Broker, c Columns, n uint64) []Row {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g, err := generator.New(generator.Config{Seed: seed, Malformed: 0.02, Oversized: 0.002, MaxBytes: 20_000})
	require.NoError(t, err)
	_, err = generator.Produce(ctx, g, generator.ProduceOptions{Brokers: b.Addrs(), Topic: topicName, Records: n}, nil)
	require.NoError(t, err)

	kinds := map[string]generator.Kind{}
	for i := range n {
		_, m := g.Append(nil, i)
		if m.Kind != generator.Duplicate {
			kinds[string(m.Value)] = m.Kind
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.ConsumeTopics(topicName))
	require.NoError(t, err)
	defer client.Close()
	var rows []Row
	for read := uint64(0); read < n; {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			read++
			kind := kinds[string(r.Value)]
			if kind.Rejected() {
				return
			}
			row := row(t, c, message{r.Partition, r.Offset, string(r.Value), kind})
			if at := slices.Index(c.Names(), "_kafka_timestamp"); at >= 0 {
				row.Values[at] = r.Timestamp
			}
			rows = append(rows, row)
		})
	}
	return rows
}

func TestVerify_ReadsTopicAndTableThroughRealClients(t *testing.T) {
	for _, documents := range []bigquery.FieldType{bigquery.StringFieldType, bigquery.JSONFieldType} {
		t.Run(string(documents), func(t *testing.T) {
			ctx, b, c := testContext(t), startBroker(t), columns(t, documents)
			w := &warehouse{t: t, schema: schema(documents), rows: loaded(ctx, t, b, c, 1500)}
			opts := Options{Brokers: b.Addrs(), Topic: topicName, BigQuery: w.client(), Project: "p", Dataset: "d", Table: "events", MaxBytes: 20_000}
			report, err := Verify(ctx, opts)
			require.NoError(t, err)
			require.True(t, report.OK(), report)
			require.Equal(t, int64(len(w.rows)), report.Events)
			require.Equal(t, int64(1500-len(w.rows)), report.Rejected)

			w.rows[7].Values = slices.Clone(w.rows[7].Values)
			w.rows[7].Values[1] = "another event"
			w.rows = append(w.rows[:100:100], append([]Row{w.rows[50]}, w.rows[101:]...)...)
			w.unplaced = 2
			report, err = Verify(ctx, opts)
			require.NoError(t, err)
			require.Equal(t, [3]int64{1, 1, 2}, [3]int64{report.Duplicated, report.Different, report.Extra})
			require.LessOrEqual(t, report.Missing, int64(1), "the one left out may have been a repeat")
			require.Equal(t, int64(1), report.Missing+report.Repeated)
		})
	}
}

func TestVerify_RowsProducedMeanwhileAreNewer(t *testing.T) {
	ctx, b, c := testContext(t), startBroker(t), columns(t, bigquery.StringFieldType)
	w := &warehouse{t: t, schema: schema(bigquery.StringFieldType), rows: loaded(ctx, t, b, c, 300)}
	w.onRead = func() {
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		require.NoError(t, err)
		defer client.Close()
		r, err := client.ProduceSync(ctx, &kgo.Record{Topic: topicName, Partition: 2, Value: []byte("x")}).First()
		require.NoError(t, err)
		newer := w.rows[0]
		newer.Partition, newer.Offset = 2, r.Offset
		w.rows = append(w.rows, newer)
	}
	report, err := Verify(ctx, Options{Brokers: b.Addrs(), Topic: topicName, BigQuery: w.client(), Project: "p", Dataset: "d", Table: "events"})
	require.NoError(t, err)
	require.Equal(t, int64(1), report.Newer, report)
}

func TestVerify_ExpiredMessagesAreNotExtraRows(t *testing.T) {
	ctx, b, c := testContext(t), startBroker(t), columns(t, bigquery.StringFieldType)
	w := &warehouse{t: t, schema: schema(bigquery.StringFieldType), rows: loaded(ctx, t, b, c, 300)}
	require.NoError(t, b.Cluster().DeleteRecords(topicName, 0, 10))
	report, err := Verify(ctx, Options{Brokers: b.Addrs(), Topic: topicName, BigQuery: w.client(), Project: "p", Dataset: "d", Table: "events", MaxBytes: 20_000})
	require.NoError(t, err)
	require.True(t, report.OK(), report)
	require.NotZero(t, report.Expired)
}

func TestVerify_AbortedMessagesDoNotExist(t *testing.T) {
	ctx, b := testContext(t), startBroker(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.TransactionalID("x"), kgo.DefaultProduceTopic(topicName))
	require.NoError(t, err)
	defer client.Close()
	for _, decision := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		require.NoError(t, client.BeginTransaction())
		require.NoError(t, client.ProduceSync(ctx, kgo.StringRecord("text")).FirstErr())
		require.NoError(t, client.EndTransaction(ctx, decision))
	}
	w := &warehouse{t: t, schema: schema(bigquery.StringFieldType)}
	report, err := Verify(ctx, Options{Brokers: b.Addrs(), Topic: topicName, BigQuery: w.client(), Project: "p", Dataset: "d", Table: "events"})
	require.NoError(t, err)
	require.Equal(t, Report{Rejected: 1}, report)
}

func TestVerify_SaysWhyItCannot(t *testing.T) {
	ctx, b := testContext(t), startBroker(t)
	w := &warehouse{t: t, schema: bigquery.Schema{{Name: "uuid", Type: bigquery.StringFieldType}}}
	opts := Options{Brokers: b.Addrs(), Topic: topicName, BigQuery: w.client(), Project: "p", Dataset: "d", Table: "events"}
	_, err := Verify(ctx, opts)
	require.ErrorContains(t, err, "verify: table `p.d.events`: table has no _kafka_topic")
	opts.Table = "none"
	_, err = Verify(ctx, opts)
	require.ErrorContains(t, err, "not found")
	opts.Table = "x` y"
	_, err = Verify(ctx, opts)
	require.ErrorContains(t, err, "is no name of")
	w.schema, opts.Table, opts.Topic = schema(bigquery.StringFieldType), "events", "none"
	_, err = Verify(ctx, opts)
	require.ErrorContains(t, err, `list offsets of "none"`)
}

func TestVerify_EmptyTopicAndTable(t *testing.T) {
	ctx, b := testContext(t), startBroker(t)
	w := &warehouse{t: t, schema: schema(bigquery.StringFieldType)}
	report, err := Verify(ctx, Options{Brokers: b.Addrs(), Topic: topicName, BigQuery: w.client(), Project: "p", Dataset: "d", Table: "events"})
	require.NoError(t, err)
	require.Equal(t, "verified: 0 events, 0 missing, 0 duplicated", report.String())
}
