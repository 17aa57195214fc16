package bigquery

import (
	"testing"

	client "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
)

// createPersons creates a table with the persons a and b in version 2.
func (f *fixture) createPersons() {
	f.t.Helper()
	f.exec("CREATE TABLE analytics.persons (id STRING NOT NULL, version INT64, name STRING, properties JSON)")
	f.exec(`INSERT INTO analytics.persons (id, version, name, properties)
		VALUES ('a', 2, 'A', PARSE_JSON('{}')), ('b', 2, 'B', NULL)`)
}

func dmlStats(t testing.TB, status *client.JobStatus) client.DMLStatistics {
	t.Helper()
	require.NoError(t, status.Err())
	stats := status.Statistics.Details.(*client.QueryStatistics)
	require.NotNil(t, stats.DMLStats)
	require.Equal(t, stats.DMLStats.InsertedRowCount+stats.DMLStats.UpdatedRowCount+stats.DMLStats.DeletedRowCount, stats.NumDMLAffectedRows)
	return *stats.DMLStats
}

func TestInsertSelect_ParsesJSONOfStage(t *testing.T) {
	f := start(t, nil)
	f.createEvents("stage")
	f.exec("CREATE TABLE analytics.events (uuid STRING, team_id INT64, timestamp TIMESTAMP, properties JSON) PARTITION BY DATE(timestamp) CLUSTER BY team_id")
	require.NoError(t, f.load("stage", "stage", f.upload(events(0, 100))).Err())
	status, err := f.run("move-g1", "INSERT INTO `my-project.analytics.events` (`uuid`, `timestamp`, `properties`) "+
		"SELECT `uuid`, `timestamp`, PARSE_JSON(`properties`, wide_number_mode=>'round') FROM `my-project.analytics.stage`")
	require.NoError(t, err)
	require.EqualValues(t, 100, dmlStats(t, status).InsertedRowCount)
	require.Equal(t, "INSERT", status.Statistics.Details.(*client.QueryStatistics).StatementType)
	require.Equal(t, [][]client.Value{{"uuid-000007", nil, eventTime().Add(7000), `{"i":7}`}},
		f.rows("SELECT * FROM analytics.events WHERE JSON_VALUE(properties, '$.i') = '7'"))
}

// docs.cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules:
// STRING is not coerced to JSON.
func TestInsert_RefusesTextForJSON(t *testing.T) {
	f := start(t, nil)
	f.createPersons()
	for _, sql := range []string{
		"INSERT INTO analytics.persons (id, properties) SELECT 'c', '{}'",
		"INSERT INTO analytics.persons (id, properties) VALUES ('c', '{}')",
		"UPDATE analytics.persons SET properties = '{}' WHERE true",
		"MERGE analytics.persons p USING (SELECT 'a' AS id) s ON p.id = s.id WHEN MATCHED THEN UPDATE SET properties = '{}'",
		"MERGE analytics.persons p USING (SELECT 'z' AS id) s ON p.id = s.id WHEN NOT MATCHED THEN INSERT (id, properties) VALUES (s.id, '{}')",
	} {
		_, err := f.tryRows(sql)
		requireReason(t, err, 400, "invalidQuery")
	}
	require.EqualValues(t, 2, f.count("persons"))
}

// docs.cloud.google.com/bigquery/docs/reference/standard-sql/json_functions#parse_json
func TestInsertSelect_InvalidJSONFailsTheWholeStatement(t *testing.T) {
	f := start(t, nil)
	f.exec("CREATE TABLE analytics.t (j JSON)")
	for _, text := range []string{`{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, "{\"a\":\"\n\"}", `{"a":1e999}`, `{a:1}`, `{"a":1} x`, ``} {
		rows, err := f.tryRows("INSERT INTO analytics.t SELECT PARSE_JSON(x, wide_number_mode=>'round') FROM UNNEST(['{}', @text]) AS x",
			client.QueryParameter{Name: "text", Value: text})
		requireReason(t, err, 400, "invalidQuery")
		require.Empty(t, rows)
		require.Equal(t, [][]client.Value{{nil}}, f.rows("SELECT SAFE.PARSE_JSON(@text)", client.QueryParameter{Name: "text", Value: text}))
	}
	require.Zero(t, f.count("t"))
}

// docs.cloud.google.com/bigquery/docs/reference/standard-sql/data-types#json_type
func TestParseJSON_Normalizes(t *testing.T) {
	for text, want := range map[string]string{
		` { "b" : [ 1 , null , true ] , "a" : { } } `: `{"a":{},"b":[1,null,true]}`,
		`{"a":1,"a":2,"b":3}`:                         `{"a":1,"b":3}`,
		`"\ud83d\ude00é"`:                             `"\ud83d\ude00é"`,
		`18446744073709551615`:                        `18446744073709551615`,
		`-9223372036854775808`:                        `-9223372036854775808`,
		`1.5`:                                         `1.5`,
		`123456789012345678901234567890`:              `1.2345678901234568e+29`,
		`0.1234567890123456789`:                       `0.12345678901234568`,
		`[1.0, 10e-1, 1E2, -0, -0.0, 0e5]`:            `[1.0,1.0,100.0,0,-0.0,0.0]`,
		`9007199254740992.0`:                          `9.007199254740992e+15`,
		`{"id": 922337203685477580701}`:               `{"id":9.223372036854776e+20}`,
		`[0.00001, 123456789012345.5, 1e308, 1e-400]`: `[1e-05,123456789012345.5,1e+308,0.0]`,
	} {
		got, err := parseJSON(text, "round")
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"123456789012345678901234567890", `{"id": 922337203685477580701}`, "1e-400", "1e309", "-1e309", "0.1234567890123456789"} {
		_, err := parseJSON(text, "exact")
		require.Error(t, err, text)
	}
	for _, text := range []string{"1e309", "-1e309"} {
		_, err := parseJSON(text, "round")
		require.Error(t, err, text)
	}
	_, err := parseJSON("0.5000000000000000000", "exact")
	require.NoError(t, err)
	deep := func(n int) string {
		b := make([]byte, 0, 2*n)
		for range n {
			b = append(b, '[')
		}
		for range n {
			b = append(b, ']')
		}
		return string(b)
	}
	_, err = parseJSON(deep(maxJSONDepth), "round")
	require.NoError(t, err)
	_, err = parseJSON(deep(maxJSONDepth+1), "round")
	require.Error(t, err)
}

const mergePersons = `MERGE INTO analytics.persons AS p
USING (
	SELECT * FROM UNNEST(['a', 'b', 'c']) AS id, (SELECT 3 AS version, PARSE_JSON('{"x":1}') AS properties)
) AS s
ON p.id = s.id
WHEN MATCHED AND s.version > p.version AND p.id = 'a' THEN UPDATE SET p.version = s.version, properties = s.properties
WHEN MATCHED AND p.id = 'b' THEN DELETE
WHEN NOT MATCHED THEN INSERT (id, version, properties) VALUES (s.id, s.version, s.properties)`

func TestMerge_UpdatesDeletesAndInserts(t *testing.T) {
	f := start(t, nil)
	f.createPersons()
	require.Equal(t, client.DMLStatistics{InsertedRowCount: 1, UpdatedRowCount: 1, DeletedRowCount: 1}, dmlStats(t, f.exec(mergePersons)))
	want := [][]client.Value{{"a", int64(3), "A", `{"x":1}`}, {"c", int64(3), nil, `{"x":1}`}}
	require.Equal(t, want, f.rows("SELECT * FROM analytics.persons ORDER BY id"))
	require.Equal(t, client.DMLStatistics{InsertedRowCount: 1}, dmlStats(t, f.exec(mergePersons)), "b again")
}

// docs.cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax#merge_statement:
// more than one source row for a row to be changed is a runtime error.
func TestMerge_AmbiguousSourceFails(t *testing.T) {
	f := start(t, nil)
	f.createPersons()
	const merge = `MERGE analytics.persons p USING (SELECT id FROM UNNEST(['a', 'a', 'z', 'z']) AS id) s ON p.id = s.id `
	_, err := f.run("ambiguous", merge+"WHEN MATCHED AND p.version = 2 THEN UPDATE SET version = 9")
	requireReason(t, err, 400, "invalidQuery")
	require.ErrorContains(t, err, "UPDATE/MERGE must match at most one source row for each target row")
	require.Equal(t, [][]client.Value{{int64(2)}}, f.rows("SELECT MAX(version) FROM analytics.persons"))

	f.exec(merge + "WHEN MATCHED AND p.version = 1 THEN UPDATE SET version = 9") // none is changed
	require.EqualValues(t, 2, dmlStats(t, f.exec(merge+"WHEN NOT MATCHED THEN INSERT (id) VALUES (id)")).InsertedRowCount)
}

func TestUpdateDeleteTruncate(t *testing.T) {
	f := start(t, nil)
	f.createPersons()
	require.EqualValues(t, 1, dmlStats(t, f.exec("UPDATE analytics.persons AS p SET version = p.version + 1, name = NULL WHERE p.id = 'a'")).UpdatedRowCount)
	require.Equal(t, [][]client.Value{{int64(3), nil}}, f.rows("SELECT version, name FROM analytics.persons WHERE id = 'a'"))
	require.EqualValues(t, 1, dmlStats(t, f.exec("DELETE FROM analytics.persons WHERE id = 'a'")).DeletedRowCount)
	require.EqualValues(t, 1, dmlStats(t, f.exec("TRUNCATE TABLE analytics.persons")).DeletedRowCount)
	require.Zero(t, f.count("persons"))
}

// docs.cloud.google.com/bigquery/docs/transactions
func TestTransaction_CommitsAllOrNothing(t *testing.T) {
	f := start(t, nil)
	f.createPersons()
	f.exec("CREATE TABLE analytics.fence (name STRING, n INT64)")
	f.exec("INSERT INTO analytics.fence VALUES ('persons', 0)")
	const fence = "BEGIN TRANSACTION; UPDATE analytics.fence SET n = n + 1 WHERE name = 'persons'; "
	status := f.exec(fence + mergePersons + "; COMMIT TRANSACTION;")
	require.Equal(t, "SCRIPT", status.Statistics.Details.(*client.QueryStatistics).StatementType)
	require.EqualValues(t, 4, status.Statistics.NumChildJobs)
	require.Equal(t, [][]client.Value{{int64(1)}}, f.rows("SELECT n FROM analytics.fence"))

	_, err := f.run("failing", fence+"SELECT * FROM analytics.persons WHERE DIV(1, 0) = 1; COMMIT TRANSACTION")
	requireReason(t, err, 400, "invalidQuery")
	_, err = f.run("asserting", fence+"ASSERT (SELECT COUNT(*) FROM analytics.persons) = 0 AS 'not empty'; COMMIT TRANSACTION")
	requireReason(t, err, 400, "invalidQuery")
	require.ErrorContains(t, err, "not empty")
	f.exec(fence)                           // no COMMIT
	f.exec(fence + "ROLLBACK TRANSACTION;") // nor here
	require.Equal(t, [][]client.Value{{int64(1)}}, f.rows("SELECT n FROM analytics.fence"))
}

// docs.cloud.google.com/bigquery/docs/multi-statement-queries: a child job for each
// statement, which has the numbers of rows.
func TestScript_ChildJobsTellRows(t *testing.T) {
	f := start(t, nil)
	f.createPersons()
	status, err := f.run("script", "BEGIN TRANSACTION; "+mergePersons+"; COMMIT TRANSACTION")
	require.NoError(t, err)
	require.NoError(t, status.Err())
	job, err := f.client.JobFromID(f.ctx, "script")
	require.NoError(t, err)
	children := job.Children(f.ctx)
	var types []string
	for range 3 {
		child, err := children.Next()
		require.NoError(t, err)
		stats := child.LastStatus().Statistics.Details.(*client.QueryStatistics)
		types = append(types, stats.StatementType)
		if stats.StatementType == "MERGE" {
			require.EqualValues(t, 3, stats.NumDMLAffectedRows)
		}
	}
	require.ElementsMatch(t, []string{"BEGIN_TRANSACTION", "MERGE", "COMMIT_TRANSACTION"}, types)
}

func TestScript_RefusesWhatCouldRunTwice(t *testing.T) {
	f := start(t, nil)
	f.createPersons()
	const insert = "INSERT INTO analytics.persons (id) VALUES ('x');"
	for _, sql := range []string{
		insert + insert,
		insert + "BEGIN TRANSACTION; COMMIT TRANSACTION",
		"BEGIN TRANSACTION; COMMIT TRANSACTION;" + insert,
		"BEGIN SELECT 1; END",
	} {
		_, err := f.run("", sql)
		requireReason(t, err, 501, "notImplemented")
	}
	require.EqualValues(t, 2, f.count("persons"))
}

func TestDDL_KeepsMetadata(t *testing.T) {
	f := start(t, nil)
	f.exec(`CREATE TABLE analytics.t (
		id STRING NOT NULL OPTIONS(description = "key"), day TIMESTAMP, tags ARRAY<STRING>, n NUMERIC, b BYTES
	) PARTITION BY TIMESTAMP_TRUNC(day, DAY) CLUSTER BY id, n OPTIONS(description = 'a table')`)
	f.exec("ALTER TABLE analytics.t ADD COLUMN IF NOT EXISTS id STRING, ADD COLUMN extra FLOAT64")
	md, err := f.table("t").Metadata(f.ctx)
	require.NoError(t, err)
	require.Equal(t, "a table", md.Description)
	require.Equal(t, "day", md.TimePartitioning.Field)
	require.Equal(t, []string{"id", "n"}, md.Clustering.Fields)
	require.Len(t, md.Schema, 6)
	require.Equal(t, &client.FieldSchema{Name: "id", Type: client.StringFieldType, Required: true, Description: "key"}, md.Schema[0])
	require.True(t, md.Schema[2].Repeated)
	require.Equal(t, client.FloatFieldType, md.Schema[5].Type)

	f.exec("CREATE TABLE IF NOT EXISTS analytics.t (other INT64)")
	_, err = f.run("again", "CREATE TABLE analytics.t (other INT64)")
	requireReason(t, err, 409, "duplicate")
	f.exec("CREATE OR REPLACE TABLE analytics.t AS SELECT 1 AS one, 'x' AS text")
	require.Equal(t, [][]client.Value{{int64(1), "x"}}, f.rows("SELECT * FROM analytics.t"))
	f.exec("DROP TABLE analytics.t")
	f.exec("DROP TABLE IF EXISTS analytics.t")
	_, err = f.run("missing", "DROP TABLE analytics.t")
	requireReason(t, err, 404, "notFound")
}

// docs.cloud.google.com/bigquery/docs/reference/standard-sql/data-types#array_nulls:
// an array that is NULL is stored as empty.
func TestDML_ArraysAreNeverNull(t *testing.T) {
	f := start(t, nil)
	f.exec("CREATE TABLE analytics.sessions (id STRING, n INT64, urls ARRAY<STRING>)")
	f.exec("INSERT INTO analytics.sessions (id) VALUES ('a'), ('b')")
	f.exec("INSERT INTO analytics.sessions (id, urls) SELECT 'c', CAST(NULL AS ARRAY<STRING>)")
	f.exec(`MERGE analytics.sessions AS t
		USING (SELECT 'a' AS id, 2 AS n, ['y', 'x'] AS urls UNION ALL SELECT 'd', 1, NULL) AS s
		ON t.id = s.id
		WHEN MATCHED THEN UPDATE SET
			n = GREATEST(IFNULL(t.n, 0), s.n),
			urls = ARRAY(SELECT DISTINCT u FROM UNNEST(ARRAY_CONCAT(t.urls, s.urls)) AS u ORDER BY u LIMIT 20)
		WHEN NOT MATCHED THEN INSERT (id, n, urls) VALUES (s.id, s.n, s.urls)`)
	f.exec("ALTER TABLE analytics.sessions ADD COLUMN tags ARRAY<STRING>")
	require.Equal(t, [][]client.Value{{"a", int64(2), int64(2), int64(0)}, {"b", nil, int64(0), int64(0)}, {"c", nil, int64(0), int64(0)}, {"d", int64(1), int64(0), int64(0)}},
		f.rows("SELECT id, n, ARRAY_LENGTH(urls), ARRAY_LENGTH(tags) FROM analytics.sessions ORDER BY id"))
	require.Equal(t, [][]client.Value{{[]client.Value{"x", "y"}}}, f.rows("SELECT urls FROM analytics.sessions WHERE id = 'a'"))
}
