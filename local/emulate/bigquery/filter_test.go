package bigquery

import (
	"net/http"
	"testing"

	client "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
)

// createRequired creates a table of events that requires a filter on their day.
func (f *fixture) createRequired(name string, by *client.TimePartitioning) {
	f.t.Helper()
	require.NoError(f.t, f.table(name).Create(f.ctx, &client.TableMetadata{Schema: eventSchema(), TimePartitioning: by, RequirePartitionFilter: true}))
}

// requireMissingFilter checks that a statement is refused for want of a filter.
func (f *fixture) requireMissingFilter(sql, columns string) {
	f.t.Helper()
	_, err := f.run("", sql)
	require.Error(f.t, err, sql)
	requireReason(f.t, err, http.StatusBadRequest, "invalidQuery")
	require.ErrorContains(f.t, err, "Cannot query over table 'my-project.analytics.events' without a filter over column(s) "+columns+" that can be used for partition elimination", sql)
}

// docs.cloud.google.com/bigquery/docs/querying-partitioned-tables#require_a_partition_filter_in_queries
func TestA3_RequiredFilterOfQueries(t *testing.T) {
	f := start(t, nil)
	f.createRequired("events", &client.TimePartitioning{Field: "timestamp"})
	f.createEvents("plain")
	f.exec("INSERT INTO analytics.events (uuid, timestamp) VALUES ('x', TIMESTAMP '2026-09-01')")
	const from = "SELECT COUNT(*) FROM analytics.events AS e "
	for _, sql := range []string{
		from + "WHERE timestamp >= TIMESTAMP '2026-01-01'",
		from + "WHERE uuid = 'x' AND (DATE(e.timestamp) = DATE '2026-09-01')",
		from + "WHERE timestamp BETWEEN TIMESTAMP '2026-01-01' AND CURRENT_TIMESTAMP() AND team_id IS NULL",
		from + "WHERE timestamp = TIMESTAMP '2026-09-01' OR timestamp > TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)",
		from + "WHERE TIMESTAMP_TRUNC(timestamp, MONTH) = TIMESTAMP '2026-09-01'",
		from + "WHERE EXTRACT(DATE FROM timestamp) IN (DATE '2026-09-01')",
		from + "WHERE CAST(timestamp AS DATE) > DATE '2026-01-01' GROUP BY uuid",
		from + "JOIN analytics.plain p ON p.uuid = e.uuid AND e.timestamp > TIMESTAMP '2026-01-01'",
		"SELECT (SELECT COUNT(*) FROM analytics.events WHERE timestamp > TIMESTAMP '2026-01-01')",
	} {
		_, err := f.tryRows(sql)
		require.NoError(t, err, sql)
	}
	for _, sql := range []string{
		from,
		from + "WHERE uuid = 'x'",
		from + "WHERE timestamp > TIMESTAMP '2026-01-01' OR uuid = 'x'",
		from + "WHERE timestamp > TIMESTAMP_SUB(timestamp, INTERVAL team_id DAY)",
		from + "WHERE timestamp = (SELECT MAX(timestamp) FROM analytics.plain)",
		from + "WHERE timestamp + INTERVAL 1 DAY > CURRENT_TIMESTAMP()",
		from + "WHERE EXTRACT(HOUR FROM timestamp) = 20",
		from + "WHERE UNIX_SECONDS(timestamp) > 0",
		from + "LEFT JOIN analytics.plain p ON p.uuid = e.uuid AND e.timestamp > TIMESTAMP '2026-01-01'",
		"SELECT COUNT(*) FROM analytics.plain WHERE timestamp > TIMESTAMP '2026-01-01' AND uuid IN (SELECT uuid FROM analytics.events)",
		"SELECT uuid FROM analytics.events UNION ALL SELECT uuid FROM analytics.plain WHERE timestamp > TIMESTAMP '2026-01-01'",
	} {
		f.requireMissingFilter(sql, "'timestamp'")
	}
}

// docs.cloud.google.com/bigquery/docs/using-dml-with-partitioned-tables
func TestA3_RequiredFilterOfDML(t *testing.T) {
	f := start(t, nil)
	f.createRequired("events", &client.TimePartitioning{Field: "timestamp"})
	f.createEvents("plain")
	f.exec("INSERT INTO analytics.events SELECT * FROM analytics.plain")
	const pruned = "timestamp > TIMESTAMP '2026-01-01'"
	const merge = "MERGE analytics.events e USING analytics.plain p ON e.uuid = p.uuid "
	const update, insert = "THEN UPDATE SET properties = 'x' ", "WHEN NOT MATCHED THEN INSERT (uuid) VALUES (p.uuid) "
	for _, sql := range []string{
		"UPDATE analytics.events SET uuid = 'y' WHERE uuid = 'x' AND " + pruned,
		"DELETE FROM analytics.events WHERE " + pruned,
		merge + "AND e." + pruned + " WHEN MATCHED " + update + insert,
		merge + "WHEN MATCHED AND e." + pruned + " " + update + insert,
		merge + "AND e." + pruned + " WHEN NOT MATCHED BY SOURCE AND e." + pruned + " THEN DELETE",
		"MERGE analytics.plain p USING (SELECT * FROM analytics.events WHERE " + pruned + ") e ON e.uuid = p.uuid WHEN MATCHED THEN DELETE",
		"MERGE analytics.plain p USING analytics.events e ON e.uuid = p.uuid AND e." + pruned + " WHEN MATCHED THEN DELETE",
		"TRUNCATE TABLE analytics.events",
	} {
		f.exec(sql)
	}
	for _, sql := range []string{
		"UPDATE analytics.events SET uuid = 'y' WHERE uuid = 'x'",
		"DELETE FROM analytics.events WHERE TRUE",
		merge + "WHEN MATCHED " + update,
		merge + insert,
		merge + "WHEN MATCHED AND e." + pruned + " " + update + "WHEN MATCHED " + update,
		merge + "AND e." + pruned + " WHEN NOT MATCHED BY SOURCE THEN DELETE",
		"MERGE analytics.plain p USING analytics.events e ON e.uuid = p.uuid WHEN MATCHED THEN DELETE",
		"INSERT INTO analytics.plain SELECT * FROM analytics.events",
	} {
		f.requireMissingFilter(sql, "'timestamp'")
	}
	require.NoError(t, f.load("load", "events", f.upload(events(0, 1))).Err(), "loads need none")
}

// github.com/googleapis/google-cloud-go/issues/5013
func TestA3_RequiredFilterOfIngestionTime(t *testing.T) {
	f := start(t, nil)
	f.createRequired("events", &client.TimePartitioning{})
	const columns = "'_PARTITION_LOAD_TIME', '_PARTITIONDATE', '_PARTITIONTIME'"
	f.requireMissingFilter("SELECT uuid FROM analytics.events", columns)
	f.requireMissingFilter("DELETE FROM analytics.events WHERE uuid = 'x'", columns)
	f.exec("SELECT uuid FROM analytics.events WHERE _PARTITIONDATE > DATE '2026-01-01'")
	f.exec("DELETE FROM analytics.events WHERE _PARTITIONTIME > TIMESTAMP '2026-01-01'")

	update := client.TableMetadataToUpdate{RequirePartitionFilter: false}
	_, err := f.table("events").Update(f.ctx, update, "")
	require.NoError(t, err)
	f.exec("SELECT uuid FROM analytics.events")
	require.NoError(t, f.table("plain").Create(f.ctx, &client.TableMetadata{Schema: eventSchema()}))
	update.RequirePartitionFilter = true
	_, err = f.table("plain").Update(f.ctx, update, "")
	requireReason(t, err, http.StatusBadRequest, "invalid")
}
