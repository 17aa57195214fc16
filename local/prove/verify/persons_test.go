package verify

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/local/emulate/kafka"
	"tidemark/local/generator"
)

// personsProduced fills both topics and returns what is in them.
func personsProduced(ctx context.Context, t *testing.T, events uint64) (PersonsOptions, []generator.PersonMessage) {
	b, err := kafka.Start(kafka.Config{Topics: []string{topicName, generator.PersonTopic, generator.MappingTopic}, Partitions: 3, Memory: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	g, err := generator.New(generator.Config{Seed: rand.Uint64(), Teams: 3, UsersPerTeam: 60, Persons: 2, Malformed: 0.02, Oversized: -1})
	require.NoError(t, err)
	t.Logf("seed %d", g.Config().Seed)
	_, err = generator.Produce(ctx, g, generator.ProduceOptions{
		Brokers: b.Addrs(), Topic: topicName, PersonTopic: generator.PersonTopic, MappingTopic: generator.MappingTopic, Records: events,
	}, nil)
	require.NoError(t, err)
	messages := make([]generator.PersonMessage, 2*events)
	s := g.Persons()
	for i := range messages {
		_, messages[i] = s.Append(nil, uint64(i))
	}
	return PersonsOptions{
		Brokers: b.Addrs(), PersonTopic: generator.PersonTopic, MappingTopic: generator.MappingTopic, Project: "p", Dataset: "d", Table: "persons",
	}, messages
}

func TestPersons_ReadsTopicsAndTableThroughRealClients(t *testing.T) {
	ctx := testContext(t)
	opts, messages := personsProduced(ctx, t, 1500)
	rejected := int64(0)
	for _, m := range messages {
		if m.Rejected {
			rejected++
		}
	}
	for _, documents := range []bigquery.FieldType{bigquery.StringFieldType, bigquery.JSONFieldType} {
		for _, deletes := range []Deletes{DeletesMark, DeletesRemove} {
			table := personTable(t, messages, deletes, documents)
			rand.Shuffle(len(table), func(i, j int) { table[i], table[j] = table[j], table[i] })
			w := newPersonWarehouse(t, personSchema(documents), table)
			opts.BigQuery, opts.Deletes = w.client(), deletes
			report, err := Persons(ctx, opts)
			require.NoError(t, err)
			require.True(t, report.OK(), report)
			require.Greater(t, report.Rows, int64(100))
			require.Equal(t, rejected, report.Rejected)
			require.Regexp(t, `^persons verified: \d+ rows, 0 missing, 0 wrong, 0 unexpected, 0 duplicated$`, report.String())

			w.table = personTable(t, messages, map[Deletes]Deletes{DeletesMark: DeletesRemove, DeletesRemove: DeletesMark}[deletes], documents)
			report, err = Persons(ctx, opts)
			require.NoError(t, err)
			require.Equal(t, deletes == DeletesMark, report.Missing > 0)
			require.Equal(t, deletes == DeletesRemove, report.Unexpected > 0)
			require.Zero(t, report.Wrong+report.Duplicated)
		}
	}
}

// comparePersons compares a table in memory.
func comparePersons(t *testing.T, wanted map[PersonKey]PersonRow, documents bigquery.FieldType, table [][]bigquery.Value) PersonsReport {
	schema := personSchema(documents)
	columns, err := newPersonColumns(schema)
	require.NoError(t, err)
	c := newPersonComparison(columns, wanted)
	for _, row := range table {
		c.row(row[:len(schema)-1])
	}
	return c.sum()
}

func TestPersons_EveryTamperingIsFound(t *testing.T) {
	messages := generator.PersonHistory(11, 400)
	good, wanted := personTable(t, messages, DeletesMark, bigquery.StringFieldType), personsFold(messages).Rows(DeletesMark)
	require.True(t, comparePersons(t, wanted, bigquery.StringFieldType, good).OK())
	at := len(good) / 2
	change := func(column int, value bigquery.Value) func([][]bigquery.Value) [][]bigquery.Value {
		return func(rows [][]bigquery.Value) [][]bigquery.Value {
			rows[at] = slices.Clone(rows[at])
			rows[at][column] = value
			return rows
		}
	}
	extra := func(team, distinctID bigquery.Value) func([][]bigquery.Value) [][]bigquery.Value {
		return func(rows [][]bigquery.Value) [][]bigquery.Value {
			row := slices.Clone(rows[at])
			row[0], row[1] = team, distinctID
			return append(rows, row)
		}
	}
	for name, c := range map[string]struct {
		tamper                                  func([][]bigquery.Value) [][]bigquery.Value
		missing, wrong, unexpected, duplication int64
	}{
		"missing":              {func(r [][]bigquery.Value) [][]bigquery.Value { return slices.Delete(r, at, at+1) }, 1, 0, 0, 0},
		"all missing":          {func([][]bigquery.Value) [][]bigquery.Value { return nil }, int64(len(good)), 0, 0, 0},
		"doubled":              {func(r [][]bigquery.Value) [][]bigquery.Value { return append(r, r[at]) }, 0, 0, 0, 1},
		"tripled":              {func(r [][]bigquery.Value) [][]bigquery.Value { return append(r, r[at], r[at]) }, 0, 0, 0, 2},
		"unknown":              {extra(good[at][0], "nobody knows"), 0, 0, 1, 0},
		"of no team":           {extra(int64(99), good[at][1]), 0, 0, 1, 0},
		"NULL team":            {extra(nil, good[at][1]), 0, 0, 1, 0},
		"NULL ID":              {extra(good[at][0], nil), 0, 0, 1, 0},
		"other case":           {change(1, strings.ToUpper(good[at][1].(string))+"x"), 1, 0, 1, 0},
		"person in upper case": {change(2, strings.ToUpper(good[at][2].(string))), 0, 1, 0, 0},
		"stale person":         {change(5, good[at][5].(int64)-1), 0, 1, 0, 0},
		"stale mapping":        {change(4, good[at][4].(int64)-1), 0, 1, 0, 0},
		"swapped persons": {func(r [][]bigquery.Value) [][]bigquery.Value {
			r[at], r[at+1] = slices.Clone(r[at]), slices.Clone(r[at+1])
			r[at][2], r[at+1][2] = other, other
			return r
		}, 0, 2, 0, 0},
		"not ingested": {change(9, nil), 0, 1, 0, 0},
	} {
		report := comparePersons(t, wanted, bigquery.StringFieldType, c.tamper(slices.Clone(good)))
		require.Equal(t, [4]int64{c.missing, c.wrong, c.unexpected, c.duplication},
			[4]int64{report.Missing, report.Wrong, report.Unexpected, report.Duplicated}, name)
		require.NotEmpty(t, report.FirstDifference, name)
		require.False(t, report.OK(), name)
	}
}

func TestPersons_EveryColumnIsCompared(t *testing.T) {
	for _, documents := range []bigquery.FieldType{bigquery.StringFieldType, bigquery.JSONFieldType} {
		messages := generator.PersonHistory(11, 100)
		good, wanted := personTable(t, messages, DeletesMark, documents), personsFold(messages).Rows(DeletesMark)
		columns, err := newPersonColumns(personSchema(documents))
		require.NoError(t, err)
		require.Len(t, columns.names, 8)
		for i, name := range columns.names {
			for _, replacement := range []bigquery.Value{nil, "other", int64(77), time.Unix(77, 0), true, false, `{"other":1}`, 1.5} {
				if columns.found(name, good[3][2+i]) == columns.found(name, replacement) {
					continue
				}
				bad := slices.Clone(good)
				bad[3] = slices.Clone(bad[3])
				bad[3][2+i] = replacement
				report := comparePersons(t, wanted, documents, bad)
				require.Equal(t, map[string]int64{name: 1}, report.WrongColumns, "%v", replacement)
				require.Equal(t, int64(1), report.Wrong)
				require.Regexp(t, `^team \d person [-0-9a-f]{36}: `+name+` wrong$`, report.FirstDifference)
				require.Contains(t, report.String(), "1 wrong, 0 unexpected, 0 duplicated; wrong are "+name+" (1); first: team ")
			}
		}
	}
}

func TestPersons_ColumnsThatTheTableLacksAreNotMissed(t *testing.T) {
	messages := generator.PersonHistory(5, 200)
	columns, err := newPersonColumns(personSchema(bigquery.StringFieldType)[:4])
	require.NoError(t, err)
	c := newPersonComparison(columns, personsFold(messages).Rows(DeletesMark))
	for _, row := range personTable(t, messages, DeletesMark, bigquery.StringFieldType) {
		c.row(row[:4])
	}
	require.True(t, c.sum().OK())
	_, err = newPersonColumns(personSchema(bigquery.StringFieldType)[1:2])
	require.EqualError(t, err, "table has no team_id, person_id; want the columns of persons")
}

func TestPersons_SkippedTeamsMustNotBeThere(t *testing.T) {
	ctx := testContext(t)
	opts, messages := personsProduced(ctx, t, 200)
	table := personTable(t, messages, DeletesMark, bigquery.StringFieldType)
	w := newPersonWarehouse(t, personSchema(bigquery.StringFieldType), table)
	opts.BigQuery, opts.Skip = w.client(), func(team int64) bool { return team == 1 }
	report, err := Persons(ctx, opts)
	require.NoError(t, err)
	require.NotZero(t, report.Unexpected)
	w.table = slices.DeleteFunc(slices.Clone(table), func(row []bigquery.Value) bool { return row[0] == int64(1) })
	require.Equal(t, report.Unexpected, int64(len(table)-len(w.table)))
	report, err = Persons(ctx, opts)
	require.NoError(t, err)
	require.True(t, report.OK(), report)
}

func TestPersons_MessagesProducedMeanwhileAreCounted(t *testing.T) {
	ctx := testContext(t)
	opts, messages := personsProduced(ctx, t, 100)
	w := newPersonWarehouse(t, personSchema(bigquery.StringFieldType), personTable(t, messages, DeletesMark, bigquery.StringFieldType))
	w.onRead = func() {
		client, err := kgo.NewClient(kgo.SeedBrokers(opts.Brokers...))
		require.NoError(t, err)
		defer client.Close()
		require.NoError(t, client.ProduceSync(ctx, &kgo.Record{Topic: opts.PersonTopic, Value: []byte("x")}).FirstErr())
	}
	opts.BigQuery = w.client()
	report, err := Persons(ctx, opts)
	require.NoError(t, err)
	require.Equal(t, int64(1), report.Newer)
	require.Contains(t, report.String(), "duplicated; 1 messages are newer than the check")
}

func TestPersons_TooLargeMessagesAreRefused(t *testing.T) {
	ctx := testContext(t)
	opts, messages := personsProduced(ctx, t, 100)
	opts.BigQuery = newPersonWarehouse(t, personSchema(bigquery.StringFieldType), nil).client()
	opts.MaxBytes = 10
	report, err := Persons(ctx, opts)
	require.NoError(t, err)
	require.True(t, report.OK())
	require.Equal(t, int64(len(messages)), report.Rejected)
}

func TestPersons_SaysWhyItCannot(t *testing.T) {
	ctx := testContext(t)
	opts, _ := personsProduced(ctx, t, 1)
	w := newPersonWarehouse(t, bigquery.Schema{{Name: "person_id", Type: bigquery.StringFieldType}}, nil)
	opts.BigQuery = w.client()
	_, err := Persons(ctx, opts)
	require.EqualError(t, err, "verify: table `p.d.persons`: table has no team_id, distinct_id; want the columns of persons")
	w.schema, opts.PersonTopic = personSchema(bigquery.StringFieldType), "none"
	_, err = Persons(ctx, opts)
	require.ErrorContains(t, err, `list offsets of "none"`)
	opts.Table = "none"
	_, err = Persons(ctx, opts)
	require.ErrorContains(t, err, "not found")
	opts.Deletes = "hide"
	_, err = Persons(ctx, opts)
	require.EqualError(t, err, `verify: deletes is "hide"; want "mark" or "remove"`)
}
