package bigquery

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	client "cloud.google.com/go/bigquery"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/stretchr/testify/require"
	bq "google.golang.org/api/bigquery/v2"
	"google.golang.org/api/option"
)

// service is a client of the API itself, which shows what the library's types lack.
func (f *fixture) service() *bq.Service {
	f.t.Helper()
	s, err := bq.NewService(f.ctx, option.WithEndpoint(f.server.Endpoint()+"/bigquery/v2/"), option.WithoutAuthentication())
	require.NoError(f.t, err)
	return s
}

// partitions is numPartitions as tables.get tells it.
func (f *fixture) partitions(table string) int64 {
	f.t.Helper()
	got, err := f.service().Tables.Get(testProject, testDataset, table).Context(f.ctx).Do()
	require.NoError(f.t, err)
	return got.NumPartitions
}

// at uploads an event for each of the times.
func (f *fixture) at(times ...time.Time) string {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrowEvents())
	defer b.Release()
	for i, at := range times {
		b.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("u%d", i))
		b.Field(1).(*array.Int64Builder).Append(int64(i))
		b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(at.UnixMicro()))
		b.Field(3).(*array.StringBuilder).Append("{}")
	}
	return f.upload(b.NewRecord())
}

// steps are n times, each a step after the one before.
func steps(first time.Time, n int, next func(time.Time) time.Time) []time.Time {
	times := make([]time.Time, n)
	for i := range times {
		times[i], first = first, next(first)
	}
	return times
}

func nextHour(t time.Time) time.Time { return t.Add(time.Hour) }
func nextDay(t time.Time) time.Time  { return t.AddDate(0, 0, 1) }

// createPartitioned creates a table of events that is partitioned by the unit of their time.
func (f *fixture) createPartitioned(name string, unit client.TimePartitioningType) {
	f.t.Helper()
	require.NoError(f.t, f.table(name).Create(f.ctx, &client.TableMetadata{
		Schema: eventSchema(), TimePartitioning: &client.TimePartitioning{Type: unit, Field: "timestamp"},
	}))
}

// A3: docs.cloud.google.com/bigquery/quotas#partitioned_tables: 4,000 partitions per
// job, of the table's own unit, by a load and by DML; other tables have no such limit.
func TestA3_PartitionsPerJobAreOfTheTablesUnit(t *testing.T) {
	f := start(t, func(c *Config) { c.Limits.PartitionsPerJob = 24 })
	begin := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	f.exec("CREATE TABLE analytics.plain (uuid STRING, team_id INT64, timestamp TIMESTAMP, properties STRING)")
	hours := f.at(steps(begin, 25, nextHour)...)
	require.NoError(t, f.load("plain", "plain", hours).Err())
	for unit, want := range map[client.TimePartitioningType]int64{client.HourPartitioningType: 24, client.DayPartitioningType: 2, client.MonthPartitioningType: 1, client.YearPartitioningType: 1} {
		name := string(unit)
		f.createPartitioned(name, unit)
		status := f.load("load-"+name, name, hours)
		_, err := f.run("insert-"+name, "INSERT INTO analytics."+name+" SELECT * FROM analytics.plain")
		if unit != client.HourPartitioningType {
			require.NoError(t, status.Err())
			require.NoError(t, err)
			require.Equal(t, want, f.partitions(name), unit)
			continue
		}
		requireJobReason(t, status, "invalid")
		const text = "Too many partitions produced by query, allowed 24, query produces at least 25 partitions"
		require.ErrorContains(t, status.Err(), text)
		requireReason(t, err, http.StatusBadRequest, "invalidQuery")
		require.ErrorContains(t, err, text)
		require.NoError(t, f.load("enough", name, f.at(steps(begin, 24, nextHour)...)).Err())
		require.Equal(t, want, f.partitions(name))
		_, err = f.run("merge", "MERGE analytics.HOUR h USING analytics.plain p ON FALSE WHEN NOT MATCHED THEN INSERT (uuid, timestamp) VALUES (p.uuid, p.timestamp)")
		require.ErrorContains(t, err, text)
		_, err = f.run("update", "UPDATE analytics.HOUR SET timestamp = TIMESTAMP_ADD(timestamp, INTERVAL 1 HOUR) WHERE TRUE")
		require.ErrorContains(t, err, text)
		require.EqualValues(t, 24, f.count(name))
	}
	require.Zero(t, f.partitions("plain"))
}

// A1: the same page: 10,000 partitions per table in all, whoever makes the last one.
func TestA1_TableHasNoMorePartitionsThanItsLimit(t *testing.T) {
	f := start(t, func(c *Config) { c.Limits.PartitionsPerTable = 10 })
	f.createEvents("events")
	require.NoError(t, f.load("first", "events", f.at(steps(eventTime(), 10, nextDay)...)).Err())
	next := eventTime().AddDate(0, 0, 10)
	status := f.load("eleventh", "events", f.at(next))
	requireJobReason(t, status, "invalid")
	require.ErrorContains(t, status.Err(), "Table my-project:analytics.events will have 11 partitions when the job finishes, exceeding limit 10.")
	insert := "INSERT INTO analytics.events (uuid, timestamp) VALUES ('x', TIMESTAMP '" + next.Format("2006-01-02") + "')"
	_, err := f.run("insert", insert)
	require.ErrorContains(t, err, "exceeding limit 10")
	_, err = f.run("script", "BEGIN TRANSACTION; "+insert+"; COMMIT TRANSACTION")
	require.ErrorContains(t, err, "exceeding limit 10")
	f.exec("BEGIN TRANSACTION; " + insert + "; ROLLBACK TRANSACTION")
	_, err = f.run("ctas", "CREATE TABLE analytics.other PARTITION BY DATE(timestamp) AS SELECT TIMESTAMP_ADD(TIMESTAMP '2026-01-01', INTERVAL n DAY) AS timestamp FROM UNNEST([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) AS n")
	require.ErrorContains(t, err, "exceeding limit 10")
	require.NoError(t, f.load("known", "events", f.at(eventTime())).Err(), "into a partition that is there")
	require.EqualValues(t, 10, f.partitions("events"))
	f.exec("DELETE FROM analytics.events WHERE DATE(timestamp) = DATE '2026-09-01'")
	require.NoError(t, f.load("again", "events", f.at(next)).Err(), "a partition without rows is gone")
	require.EqualValues(t, 10, f.partitions("events"))
}

// A2: the same page: 30,000 partitions of a table may be modified within a day by load
// jobs, 11,000 by ingestion time; failed loads count, DML is exempt.
func TestA2_PartitionModificationsOfADayAreLimited(t *testing.T) {
	clock, dir := newClock(), t.TempDir()
	configure := func(c *Config) { c.Limits.PartitionModifications, c.Now, c.Dir = 10, clock.now, dir }
	f := start(t, configure)
	schema := append(eventSchema(), &client.FieldSchema{Name: "needed", Type: client.StringFieldType, Required: true})
	require.NoError(t, f.table("events").Create(f.ctx, &client.TableMetadata{Schema: schema, TimePartitioning: &client.TimePartitioning{Field: "timestamp"}}))
	days := f.at(steps(eventTime(), 4, nextDay)...)
	requireJobReason(t, f.runLoad(f.loader("fails", "events", schema, days)), "invalid") // the column has NULL
	f.exec("INSERT INTO analytics.events (uuid, timestamp, needed) SELECT 'x', TIMESTAMP_ADD(TIMESTAMP '2026-01-01', INTERVAL n DAY), '' FROM UNNEST([1, 2, 3, 4, 5, 6, 7, 8, 9]) AS n")
	f.exec("CREATE TABLE analytics.other (uuid STRING, team_id INT64, timestamp TIMESTAMP, properties STRING) PARTITION BY DATE(timestamp)")
	require.NoError(t, f.load("other-1", "other", days).Err())
	require.NoError(t, f.load("other-2", "other", days).Err())
	require.NoError(t, f.table("other").Delete(f.ctx))
	f.createPartitioned("other", client.DayPartitioningType)
	status := f.load("other-3", "other", days)
	requireJobReason(t, status, "quotaExceeded")
	require.ErrorContains(t, status.Err(), "Quota exceeded: Your table exceeded quota for Number of partition modifications to a column partitioned table")
	require.NoError(t, f.load("other-4", "other", f.at(steps(eventTime(), 2, nextDay)...)).Err())
	f.restart(configure)
	requireJobReason(t, f.load("other-5", "other", days), "quotaExceeded")
	requireJobReason(t, f.runLoad(f.loader("fails-2", "events", schema, days)), "invalid")
	requireJobReason(t, f.runLoad(f.loader("fails-3", "events", schema, days)), "quotaExceeded")
	clock.advance(24 * time.Hour)
	require.NoError(t, f.load("other-6", "other", days).Err())
}

// docs.cloud.google.com/bigquery/docs/partitioned-tables#date_timestamp_partitioned_tables:
// only values outside of 1960-01-01 to 2159-12-31 have no partition of their own.
func TestA1_OnlyTimesOutsideOf1960To2159AreUnpartitioned(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	date := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	require.NoError(t, f.load("outside", "events", f.at(date(1, 1, 1), date(1959, 12, 31), date(2160, 1, 1), date(9999, 12, 31))).Err())
	require.EqualValues(t, 1, f.partitions("events"))
	require.NoError(t, f.load("inside", "events", f.at(date(1960, 1, 1), date(2159, 12, 31), date(2159, 12, 31))).Err())
	require.EqualValues(t, 3, f.partitions("events"))
	f.exec("INSERT INTO analytics.events (uuid) VALUES ('x')")
	require.EqualValues(t, 4, f.partitions("events"), "NULL has a partition, too")
	f.exec("TRUNCATE TABLE analytics.events")
	require.Zero(t, f.partitions("events"))
}

// docs.cloud.google.com/bigquery/docs/partitioned-tables#ingestion_time
func TestPartitions_ByIngestionTime(t *testing.T) {
	clock := newClock()
	f := start(t, func(c *Config) { c.Now, c.Limits.IngestionModifications = clock.now, 2 })
	require.NoError(t, f.table("events").Create(f.ctx, &client.TableMetadata{Schema: eventSchema(), TimePartitioning: &client.TimePartitioning{Type: client.HourPartitioningType}}))
	first := clock.now().UTC().Truncate(time.Hour)
	require.NoError(t, f.load("first", "events", f.at(steps(eventTime(), 5, nextDay)...)).Err())
	clock.advance(time.Hour)
	f.exec("INSERT INTO analytics.events (uuid) VALUES ('x')")
	f.exec("MERGE analytics.events e USING (SELECT 'y' AS uuid) s ON e.uuid = s.uuid WHEN NOT MATCHED THEN INSERT (uuid) VALUES (s.uuid)")
	require.EqualValues(t, 2, f.partitions("events"))
	require.Equal(t, [][]client.Value{{first, int64(5)}, {first.Add(time.Hour), int64(2)}},
		f.rows("SELECT _PARTITIONTIME AS pt, COUNT(*) FROM analytics.events GROUP BY pt ORDER BY pt"))
	require.Len(t, f.rows("SELECT * FROM analytics.events WHERE uuid = 'x'")[0], 4, "the pseudo column is not shown")
	require.Len(t, f.rows("SELECT e.uuid FROM analytics.events AS e WHERE e._PARTITIONDATE >= DATE '2020-01-01'"), 7)
	rows, err := readAll(f.table("events").Read(f.ctx))
	require.NoError(t, err)
	require.Len(t, rows[0], 4)
	_, err = f.tryRows("SELECT _PARTITIONTIME AS pt, * FROM analytics.events")
	requireReason(t, err, http.StatusNotImplemented, "notImplemented")

	f.exec("INSERT INTO analytics.events (_PARTITIONTIME, uuid) SELECT TIMESTAMP '2017-05-01', 'z'")
	require.EqualValues(t, 3, f.partitions("events"))
	for _, at := range []string{"2017-05-01 21:30:00", "1969-12-31", "2160-01-01"} {
		_, err = f.run("", "INSERT INTO analytics.events (_PARTITIONTIME, uuid) SELECT TIMESTAMP '"+at+"', 'z'")
		requireReason(t, err, http.StatusBadRequest, "invalidQuery")
	}
	f.exec("UPDATE analytics.events SET _PARTITIONTIME = TIMESTAMP '2017-06-01' WHERE uuid = 'z'")
	require.EqualValues(t, 1, dmlStats(t, f.exec("DELETE FROM analytics.events WHERE _PARTITIONTIME = TIMESTAMP '2017-06-01'")).DeletedRowCount)
	require.NoError(t, f.load("second", "events", f.at(eventTime())).Err())
	requireJobReason(t, f.load("third", "events", f.at(eventTime())), "quotaExceeded")
}

// docs.cloud.google.com/bigquery/docs/partitioned-tables#integer_range
func TestPartitions_ByRangesOfIntegers(t *testing.T) {
	f := start(t, nil)
	f.exec("CREATE TABLE analytics.events (id INT64) PARTITION BY RANGE_BUCKET(id, GENERATE_ARRAY(0, 100, 10))")
	f.exec("INSERT INTO analytics.events VALUES (0), (9), (10), (99), (100), (-1), (NULL)")
	require.EqualValues(t, 5, f.partitions("events"), "0, 10, 90, outside and NULL")
	got, err := f.table("events").Metadata(f.ctx)
	require.NoError(t, err)
	require.Equal(t, &client.RangePartitioning{Field: "id", Range: &client.RangePartitioningRange{Start: 0, End: 100, Interval: 10}}, got.RangePartitioning)
	for _, r := range []*client.RangePartitioning{
		{Field: "nosuch", Range: &client.RangePartitioningRange{End: 10, Interval: 1}},
		{Field: "uuid", Range: &client.RangePartitioningRange{End: 10, Interval: 1}},
		{Field: "team_id", Range: &client.RangePartitioningRange{End: 10_001, Interval: 1}},
		{Field: "team_id", Range: &client.RangePartitioningRange{Start: 5, End: 5, Interval: 1}},
		{Field: "team_id"},
	} {
		err := f.table("refused").Create(f.ctx, &client.TableMetadata{Schema: eventSchema(), RangePartitioning: r})
		requireReason(t, err, http.StatusBadRequest, "invalid")
	}
}

// docs.cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#partition_expression
func TestDDL_Partitioning(t *testing.T) {
	f := start(t, nil)
	for clause, want := range map[string]client.TimePartitioning{
		"_PARTITIONDATE":                         {Type: client.DayPartitioningType},
		"DATE(_PARTITIONTIME)":                   {Type: client.DayPartitioningType},
		"TIMESTAMP_TRUNC(_PARTITIONTIME, MONTH)": {Type: client.MonthPartitioningType},
		"day":                                    {Type: client.DayPartitioningType, Field: "day"},
		"DATE(seen)":                             {Type: client.DayPartitioningType, Field: "seen"},
		"TIMESTAMP_TRUNC(seen, HOUR)":            {Type: client.HourPartitioningType, Field: "seen"},
		"DATE_TRUNC(day, YEAR)":                  {Type: client.YearPartitioningType, Field: "day"},
	} {
		f.exec("CREATE OR REPLACE TABLE analytics.t (day DATE, seen TIMESTAMP) PARTITION BY " + clause + " OPTIONS (require_partition_filter = TRUE, partition_expiration_days = 2.5)")
		got, err := f.table("t").Metadata(f.ctx)
		require.NoError(t, err)
		want.Expiration = 60 * time.Hour
		require.Equal(t, &want, got.TimePartitioning, clause)
		require.True(t, got.RequirePartitionFilter)
	}
	f.exec("ALTER TABLE analytics.t SET OPTIONS (require_partition_filter = FALSE, partition_expiration_days = NULL)")
	got, err := f.table("t").Metadata(f.ctx)
	require.NoError(t, err)
	require.False(t, got.RequirePartitionFilter)
	require.Zero(t, got.TimePartitioning.Expiration)
	_, err = f.run("", "CREATE TABLE analytics.u (day DATE) PARTITION BY DATE_TRUNC(day, HOUR)")
	require.Error(t, err)
}
