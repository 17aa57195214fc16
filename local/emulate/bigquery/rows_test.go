package bigquery

import (
	"net/http"
	"strings"
	"testing"
	"time"

	client "cloud.google.com/go/bigquery"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/stretchr/testify/require"
)

// B: docs.cloud.google.com/bigquery/quotas#query_jobs, "Maximum row size".
func TestB_RowSizeIsLimited(t *testing.T) {
	f := start(t, func(c *Config) { c.Limits.RowBytes = 1000 })
	f.createEvents("events")
	row := func(size int) string {
		b := array.NewRecordBuilder(memory.DefaultAllocator, arrowEvents())
		defer b.Release()
		for i := range 50 {
			b.Field(0).(*array.StringBuilder).Append("u")
			b.Field(1).(*array.Int64Builder).Append(int64(i))
			b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(eventTime().UnixMicro()))
			b.Field(3).(*array.StringBuilder).Append(strings.Repeat("x", size))
			size = 20
		}
		return f.upload(b.NewRecord())
	}
	const rest = 2 + 1 + 8 + 8 + 2 // of the other columns, and the length of the last
	require.NoError(t, f.load("fits", "events", row(1000-rest)).Err())
	status := f.load("larger", "events", row(1000-rest+1))
	requireJobReason(t, status, "resourcesExceeded")
	require.ErrorContains(t, status.Err(), "This might happen if the file contains a row that is too large")
	require.EqualValues(t, 50, f.count("events"))
}

// docs.cloud.google.com/bigquery/docs/reference/standard-sql/data-types#timestamp_type:
// 0001-01-01 00:00:00 to 9999-12-31 23:59:59.999999.
func TestB_TimestampRange(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	first, last := time.UnixMicro(minMicros), time.UnixMicro(maxMicros)
	require.NoError(t, f.load("inside", "events", f.at(first, last)).Err())
	for id, outside := range map[string]time.Time{"early": first.Add(-time.Microsecond), "late": last.Add(time.Microsecond)} {
		status := f.load(id, "events", f.at(outside))
		requireJobReason(t, status, "invalid")
		require.ErrorContains(t, status.Err(), "for field 'timestamp' of type 'INT64' (logical type 'TIMESTAMP_MICROS'): generic::out_of_range")
	}
	f.exec("INSERT INTO analytics.events (uuid, timestamp) VALUES ('x', TIMESTAMP_MICROS(253402300799999999))")
	for _, sql := range []string{
		"INSERT INTO analytics.events (timestamp) VALUES (TIMESTAMP_MICROS(253402300800000000))",
		"INSERT INTO analytics.events (timestamp) SELECT TIMESTAMP_ADD(timestamp, INTERVAL 1 DAY) FROM analytics.events",
		"UPDATE analytics.events SET timestamp = TIMESTAMP_SUB(TIMESTAMP '0001-01-01', INTERVAL 1 DAY) WHERE uuid = 'x'",
		"MERGE analytics.events e USING (SELECT 'z' AS uuid) s ON e.uuid = s.uuid WHEN NOT MATCHED THEN INSERT (timestamp) VALUES (TIMESTAMP_MICROS(253402300800000000))",
	} {
		_, err := f.run("", sql)
		requireReason(t, err, http.StatusBadRequest, "invalidQuery")
		require.ErrorContains(t, err, "The range of valid timestamp values is", sql)
	}
	f.exec("CREATE TABLE analytics.days (d DATE)")
	_, err := f.run("", "INSERT INTO analytics.days SELECT DATE_ADD(DATE '9999-12-31', INTERVAL 1 DAY)")
	requireReason(t, err, http.StatusBadRequest, "invalidQuery")
}

// The check of the range is in the way of no value that is fine: NULL, text literals, a column that a file lacks.
func TestB_TimestampRangeLetsOtherValuesPass(t *testing.T) {
	f := start(t, nil)
	f.exec("CREATE TABLE analytics.times (uuid STRING, team_id INT64, timestamp TIMESTAMP, properties STRING, day DATE, local DATETIME, list ARRAY<TIMESTAMP>)")
	f.exec("INSERT INTO analytics.times (uuid, timestamp, day, local) VALUES ('a', NULL, NULL, NULL), ('b', TIMESTAMP '2026-09-01', DATE '2026-09-01', NULL)")
	f.exec("INSERT INTO analytics.times (uuid, timestamp, day, local) VALUES ('c', '2026-09-01 12:00:00', '2026-09-01', '2026-09-01T12:00:00')")
	f.exec("INSERT INTO analytics.times (uuid, timestamp, day) SELECT 'd', NULL, NULL")
	f.exec("INSERT INTO analytics.times (uuid, timestamp) VALUES ('e', NULL)")
	f.exec("UPDATE analytics.times SET timestamp = NULL, day = NULL WHERE uuid = 'b'")
	f.exec("MERGE analytics.times t USING (SELECT 'f' AS uuid) s ON t.uuid = s.uuid WHEN NOT MATCHED THEN INSERT (uuid, timestamp, day) VALUES (s.uuid, NULL, NULL)")
	schema := append(eventSchema(), &client.FieldSchema{Name: "day", Type: client.DateFieldType}, &client.FieldSchema{Name: "local", Type: client.TimestampFieldType})
	requireJobReason(t, f.runLoad(f.loader("mismatch", "times", schema, f.upload(events(0, 1)))), "invalid")
	require.NoError(t, f.runLoad(f.loader("lacks", "times", schema[:5], f.upload(events(0, 1)))).Err())
	require.EqualValues(t, 7, f.count("times"))
	require.Equal(t, int64(2), f.rows("SELECT COUNT(timestamp) FROM analytics.times")[0][0])
}
