package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	embedded "tidemark/local/emulate/bigquery"
)

// house is a table in the embedded BigQuery.
type house struct {
	ctx    context.Context
	t      *testing.T
	client *bigquery.Client
}

func startHouse(ctx context.Context, t *testing.T) *house {
	server, err := embedded.Start(ctx, embedded.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	require.NoError(t, server.CreateDataset(ctx, "p", "d", "US"))
	client, err := bigquery.NewClient(ctx, "p", option.WithEndpoint(server.Endpoint()+"/bigquery/v2/"), option.WithoutAuthentication())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	require.NoError(t, client.Dataset("d").Table("events").Create(ctx, &bigquery.TableMetadata{Schema: schema(bigquery.StringFieldType)}))
	return &house{ctx, t, client}
}

// exec runs a statement with positional parameters.
func (h *house) exec(sql string, values ...bigquery.Value) {
	query := h.client.Query(sql)
	for _, value := range values {
		if value == nil {
			value = bigquery.NullString{}
		}
		query.Parameters = append(query.Parameters, bigquery.QueryParameter{Value: value})
	}
	_, err := query.Read(h.ctx)
	require.NoError(h.t, err, sql)
}

func (h *house) insert(c Columns, rows []Row) {
	names := append([]string{"_kafka_topic", "_kafka_partition", "_kafka_offset"}, c.Names()...)
	sql := "INSERT INTO d.events (`" + strings.Join(names, "`, `") + "`) VALUES (?" + strings.Repeat(", ?", len(names)-1) + ")"
	for _, r := range rows {
		h.exec(sql, append([]bigquery.Value{topicName, int64(r.Partition), r.Offset}, r.Values...)...)
	}
}

// jobs counts what was asked so far.
func (h *house) jobs() (n int) {
	jobs := h.client.Jobs(h.ctx)
	for {
		_, err := jobs.Next()
		if errors.Is(err, iterator.Done) {
			return n
		}
		require.NoError(h.t, err)
		n++
	}
}

// TestVerify_BigQueryHashesWhatTheFoldHashes changes one value after the other, in
// a table whose rows the verification does not read as long as their hashes are right.
func TestVerify_BigQueryHashesWhatTheFoldHashes(t *testing.T) {
	ctx, b, c := testContext(t), startBroker(t), columns(t, bigquery.StringFieldType)
	h := startHouse(ctx, t)
	rows := loaded(ctx, t, b, c, 40)
	chain := slices.Index(c.Names(), "elements_chain")
	for _, r := range rows { // as tidemark writes them
		for i, col := range c.list {
			text, isText := r.Values[i].(string)
			switch {
			case col == colElements:
				text, _ = r.Values[chain].(string)
				r.Values[i] = quoted(text)
			case isText && col.document():
				r.Values[i] = mend(text)
			}
		}
	}
	h.insert(c, rows)
	opts := Options{Brokers: b.Addrs(), Topic: topicName, BigQuery: h.client, Project: "p", Dataset: "d", Table: "events", MaxBytes: 20_000}
	check := func() (Report, int) {
		before := h.jobs()
		report, err := Verify(ctx, opts)
		require.NoError(t, err)
		return report, h.jobs() - before
	}
	report, queries := check()
	require.True(t, report.OK(), report)
	require.Equal(t, 3+1, queries, "a query per partition and one for rows without: no row was read")

	at := func(r Row) string {
		return fmt.Sprintf(" WHERE _kafka_partition = %d AND _kafka_offset = %d", r.Partition, r.Offset)
	}
	for _, wrong := range []func(bigquery.Value) string{wrongSQL, func(bigquery.Value) string { return "NULL" }} {
		changed := int64(0)
		for i, name := range c.Names() { // another row for each
			value := rows[i].Values[i]
			if wrong(value) == "NULL" && (value == nil || value == "" && c.list[i].document()) {
				continue // no change
			}
			h.exec("UPDATE d.events SET `" + name + "` = " + wrong(value) + at(rows[i]))
			changed++
		}
		report, queries = check()
		require.Equal(t, changed, report.Different, report)
		require.Greater(t, queries, 3+1, "those rows were read")
		for i, name := range c.Names() {
			h.exec("UPDATE d.events SET `"+name+"` = ?"+at(rows[i]), rows[i].Values[i])
		}
	}
	h.exec("UPDATE d.events SET elements = CONCAT(' ', elements, ' ')" + at(rows[0]))
	report, queries = check()
	require.True(t, report.OK(), "means the same: %s", report)
	require.Equal(t, 3+1+1, queries)
}

// wrongSQL is a literal of another value of the type.
func wrongSQL(value bigquery.Value) string {
	switch value := value.(type) {
	case nil:
		return "'x'"
	case string:
		return "'" + strings.Repeat("x", len(value)+1) + "'"
	case int64:
		return "77"
	case bool:
		return fmt.Sprint(!value)
	}
	return "TIMESTAMP '2001-01-01 00:00:00+00'"
}

func TestFold_RowsThatVanishBeforeTheyAreReadDiffer(t *testing.T) {
	tp, c := newTopic(t, 50), columns(t, bigquery.StringFieldType)
	f := NewFold(c, tp.maxBytes, nil)
	for _, r := range tp.ranges {
		f.Range(r.start, r.end)
	}
	for _, m := range tp.messages {
		f.Message(m.partition, m.offset, kafkaTime, []byte(m.value))
	}
	rows := tp.rows(t, c, false)
	for _, r := range rows {
		f.summed(r.Partition, r.Offset, make([]byte, 32))
	}
	for _, r := range rows[2:] {
		f.values(r)
	}
	for p := range tp.ranges {
		f.vanished(int32(p))
	}
	report := f.Report()
	require.Equal(t, int64(2), report.Different, report)
	require.Equal(t, int64(len(rows)), report.Events)
	require.Contains(t, report.FirstDifference, "gone when it was read again")
}

func TestColumns_BigQueryHashesTextsOnly(t *testing.T) {
	require.Empty(t, columns(t, bigquery.JSONFieldType).digestSQL(), "documents are brought into one form here")
	require.NotEmpty(t, columns(t, bigquery.StringFieldType).digestSQL())
}
