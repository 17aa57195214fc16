package bigquery

import (
	"fmt"
	"strings"
	"testing"
	"time"

	client "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
)

// The tables of a model that folds versions of persons, and of the distinct IDs that
// belong to them, into one table that queries join with.
var personsTables = []string{
	`CREATE TABLE analytics.tidemark_status (table_name STRING, last_batch STRING, last_batch_rows INT64, complete_through TIMESTAMP, updated_at TIMESTAMP)`,
	`CREATE TABLE analytics.stage (team_id INT64, person_id STRING, distinct_id STRING, version INT64, is_deleted BOOL,
		properties STRING, created_at TIMESTAMP, is_identified BOOL)`,
	`CREATE TABLE analytics.persons_person_state (team_id INT64, person_id STRING, version INT64, properties STRING,
		created_at TIMESTAMP, is_identified BOOL, is_deleted BOOL) CLUSTER BY team_id, person_id`,
	`CREATE TABLE analytics.persons_distinct_id_state (team_id INT64, distinct_id STRING, person_id STRING, version INT64,
		is_deleted BOOL) CLUSTER BY team_id, distinct_id`,
	`CREATE TABLE analytics.persons (team_id INT64, distinct_id STRING, person_id STRING, person_distinct_id_version INT64,
		person_version INT64, properties JSON, created_at TIMESTAMP, is_identified BOOL) CLUSTER BY team_id, distinct_id`,
	`CREATE TABLE analytics.events (team_id INT64, distinct_id STRING)`,
}

const stageAssert = "ASSERT (SELECT COUNT(*) FROM `my-project.analytics.stage`) = %d AS 'stage table does not hold the rows that were loaded';\n" +
	"ASSERT (SELECT COUNT(*) FROM `my-project.analytics.tidemark_status` WHERE table_name = @table_name) = 1 AS 'no fence row';\n"

const fenceUpdate = "UPDATE `my-project.analytics.tidemark_status` SET last_batch = @batch, last_batch_rows = @rows, updated_at = CURRENT_TIMESTAMP() " +
	"WHERE table_name = @table_name;\n"

const mergePersonState = "MERGE `my-project.analytics.persons_person_state` AS t\n" +
	`USING (
  SELECT team_id, person_id, version, is_deleted, IF(is_deleted, NULL, properties) AS properties, created_at, is_identified
  FROM ` + "`my-project.analytics.stage`" + ` WHERE distinct_id IS NULL
  QUALIFY ROW_NUMBER() OVER (PARTITION BY team_id, person_id ORDER BY version DESC) = 1
) AS s
ON t.team_id = s.team_id AND t.person_id = s.person_id
  AND t.team_id BETWEEN @first_team AND @last_team AND t.person_id BETWEEN @first_person AND @last_person
WHEN MATCHED AND (t.version IS NULL OR t.version < s.version) THEN UPDATE SET
  version = s.version, properties = s.properties, created_at = s.created_at, is_identified = s.is_identified, is_deleted = s.is_deleted
WHEN NOT MATCHED THEN INSERT (team_id, person_id, version, properties, created_at, is_identified, is_deleted)
  VALUES (s.team_id, s.person_id, s.version, s.properties, s.created_at, s.is_identified, s.is_deleted);
`

const mergeDistinctIDState = "MERGE `my-project.analytics.persons_distinct_id_state` AS t\n" +
	`USING (
  SELECT team_id, distinct_id, person_id, version, is_deleted FROM ` + "`my-project.analytics.stage`" + ` WHERE distinct_id IS NOT NULL
  QUALIFY ROW_NUMBER() OVER (PARTITION BY team_id, distinct_id ORDER BY version DESC) = 1
) AS s
ON t.team_id = s.team_id AND t.distinct_id = s.distinct_id AND t.team_id BETWEEN @first_team AND @last_team
WHEN MATCHED AND (t.version IS NULL OR t.version < s.version) THEN UPDATE SET
  version = s.version, person_id = s.person_id, is_deleted = s.is_deleted
WHEN NOT MATCHED THEN INSERT (team_id, distinct_id, person_id, version, is_deleted)
  VALUES (s.team_id, s.distinct_id, s.person_id, s.version, s.is_deleted);
`

const mergePersonsTable = "MERGE `my-project.analytics.persons` AS t\n" +
	`USING (
  SELECT d.team_id, d.distinct_id, d.person_id, d.version AS person_distinct_id_version, p.version AS person_version,
    SAFE.PARSE_JSON(p.properties, wide_number_mode => 'round') AS properties, p.created_at, p.is_identified, p.is_deleted OR d.is_deleted AS is_deleted
  FROM (
    SELECT d.* FROM ` + "`my-project.analytics.persons_distinct_id_state`" + ` AS d
    LEFT JOIN (SELECT DISTINCT team_id, distinct_id FROM ` + "`my-project.analytics.stage`" + ` WHERE distinct_id IS NOT NULL) AS m
      ON m.team_id = d.team_id AND m.distinct_id = d.distinct_id
    LEFT JOIN (SELECT DISTINCT team_id, person_id FROM ` + "`my-project.analytics.stage`" + ` WHERE distinct_id IS NULL) AS c
      ON c.team_id = d.team_id AND c.person_id = d.person_id
    WHERE m.team_id IS NOT NULL OR c.team_id IS NOT NULL
  ) AS d
  JOIN ` + "`my-project.analytics.persons_person_state`" + ` AS p ON p.team_id = d.team_id AND p.person_id = d.person_id
  WHERE d.team_id BETWEEN @first_team AND @last_team
) AS s
ON t.team_id = s.team_id AND t.distinct_id = s.distinct_id AND t.team_id BETWEEN @first_team AND @last_team
WHEN MATCHED AND s.is_deleted AND (IFNULL(t.person_distinct_id_version, -1) <= s.person_distinct_id_version
  AND COALESCE(t.person_version, -1) <= s.person_version AND (t.person_id IS DISTINCT FROM s.person_id OR t.person_id = s.person_id)) THEN DELETE
WHEN MATCHED AND (t.person_distinct_id_version IS NULL OR t.person_distinct_id_version < s.person_distinct_id_version
  OR t.person_id IS NOT DISTINCT FROM s.person_id AND t.person_version < s.person_version) THEN UPDATE SET
  person_id = IF(t.person_distinct_id_version < s.person_distinct_id_version, s.person_id, t.person_id),
  properties = IF(t.person_version < s.person_version OR t.person_id IS DISTINCT FROM s.person_id, s.properties, t.properties),
  created_at = s.created_at, is_identified = s.is_identified,
  person_version = GREATEST(t.person_version, s.person_version),
  person_distinct_id_version = GREATEST(t.person_distinct_id_version, s.person_distinct_id_version)
WHEN NOT MATCHED AND NOT s.is_deleted THEN INSERT
  (team_id, distinct_id, person_id, person_distinct_id_version, person_version, properties, created_at, is_identified)
  VALUES (s.team_id, s.distinct_id, s.person_id, s.person_distinct_id_version, s.person_version, s.properties, s.created_at, s.is_identified);
`

// personsScript is the one job that applies a stage table of that many rows.
func personsScript(rows int) string {
	return fmt.Sprintf(stageAssert, rows) + "BEGIN TRANSACTION;\n" + fenceUpdate + mergePersonState + mergeDistinctIDState + mergePersonsTable +
		"COMMIT TRANSACTION;"
}

const fenceInsert = "INSERT INTO `my-project.analytics.tidemark_status` (table_name, updated_at) " +
	"SELECT @table_name, CURRENT_TIMESTAMP() FROM (SELECT 1) WHERE NOT EXISTS (SELECT 1 FROM `my-project.analytics.tidemark_status` WHERE table_name = @table_name)"

// createPersonTables creates the tables and the fence row.
func (f *fixture) createPersonTables() {
	f.t.Helper()
	for _, sql := range personsTables {
		f.exec(sql)
	}
	f.execWith(fenceInsert, map[string]any{"table_name": "persons"})
}

// personsParams are the parameters of personsScript.
func personsParams(batch string) map[string]any {
	return map[string]any{
		"table_name": "persons", "batch": batch, "rows": 4,
		"first_team": int64(1), "last_team": int64(9), "first_person": "", "last_person": "zzzz",
	}
}

// runWith runs a query job with parameters to its end.
func (f *fixture) runWith(id, sql string, params map[string]any) (*client.JobStatus, error) {
	job, err := f.submit(id, sql, params)
	if err != nil {
		return nil, err
	}
	return job.Wait(f.ctx)
}

func (f *fixture) submit(id, sql string, params map[string]any) (*client.Job, error) {
	q := f.client.Query(sql)
	q.JobID = id
	for name, value := range params {
		q.Parameters = append(q.Parameters, client.QueryParameter{Name: name, Value: value})
	}
	return q.Run(f.ctx)
}

func (f *fixture) execWith(sql string, params map[string]any) *client.JobStatus {
	f.t.Helper()
	status, err := f.runWith("", sql, params)
	require.NoError(f.t, err, sql)
	require.NoError(f.t, status.Err(), sql)
	return status
}

// fillStage replaces the rows of the stage table; a row is (team, person, distinct ID,
// version, deleted, properties).
func (f *fixture) fillStage(rows ...string) {
	f.t.Helper()
	f.exec("TRUNCATE TABLE analytics.stage")
	for i, row := range rows {
		rows[i] = strings.TrimSuffix(row, ")") + ", TIMESTAMP '2026-09-01 00:00:00+00', TRUE)"
	}
	f.exec("INSERT INTO analytics.stage (team_id, person_id, distinct_id, version, is_deleted, properties, created_at, is_identified) VALUES " +
		strings.Join(rows, ", "))
}

func TestPersons_ScriptFoldsVersions(t *testing.T) {
	f := start(t, nil)
	f.createPersonTables()
	const persons = "SELECT distinct_id, person_id, person_distinct_id_version, person_version, properties FROM analytics.persons ORDER BY distinct_id"

	f.fillStage(`(1, 'p1', NULL, 1, FALSE, '{"b":1, "a":2}')`, `(1, 'p1', NULL, 2, FALSE, '{"n":12345678901234567890123}')`,
		`(1, 'p1', 'd1', 0, FALSE, NULL)`, `(1, 'p2', 'd2', 0, FALSE, NULL)`)
	status := f.execWith(personsScript(4), personsParams("one"))
	stats := status.Statistics.Details.(*client.QueryStatistics)
	require.Equal(t, "SCRIPT", stats.StatementType)
	require.Zero(t, stats.NumDMLAffectedRows)
	require.Nil(t, stats.DMLStats)
	require.EqualValues(t, 8, status.Statistics.NumChildJobs)
	require.Equal(t, [][]client.Value{{"d1", "p1", int64(0), int64(2), `{"n":1.2345678901234568e+22}`}}, f.rows(persons), "p2 is not known yet")
	require.Equal(t, [][]client.Value{{"one", int64(4)}}, f.rows("SELECT last_batch, last_batch_rows FROM analytics.tidemark_status"))

	f.fillStage(`(1, 'p2', NULL, 1, FALSE, '{bad')`, `(1, 'p1', NULL, 1, FALSE, '{"old":true}')`)
	f.execWith(personsScript(2), personsParams("two"))
	require.Equal(t, [][]client.Value{{"d1", "p1", int64(0), int64(2), `{"n":1.2345678901234568e+22}`}, {"d2", "p2", int64(0), int64(1), nil}}, f.rows(persons))

	f.fillStage(`(1, 'p1', NULL, 102, TRUE, '{}')`, `(1, 'p2', NULL, 3, FALSE, '{"x":[1]}')`, `(1, 'p2', 'd3', 1, FALSE, NULL)`)
	f.execWith(personsScript(3), personsParams("three"))
	f.execWith(personsScript(3), personsParams("again"))
	require.Equal(t, [][]client.Value{{"d2", "p2", int64(0), int64(3), `{"x":[1]}`}, {"d3", "p2", int64(1), int64(3), `{"x":[1]}`}}, f.rows(persons))
	require.Equal(t, [][]client.Value{{nil, true}}, f.rows("SELECT properties, is_deleted FROM analytics.persons_person_state WHERE person_id = 'p1'"))

	f.exec("INSERT INTO analytics.events VALUES (1, 'd1'), (1, 'd2'), (1, 'd3'), (1, 'd4'), (2, 'd2')")
	require.Equal(t, [][]client.Value{{int64(4)}}, f.rows("SELECT COUNT(DISTINCT COALESCE(p.person_id, e.distinct_id)) "+
		"FROM `my-project.analytics.events` e LEFT JOIN `my-project.analytics.persons` p ON p.team_id = e.team_id AND p.distinct_id = e.distinct_id"))
}

func TestPersons_PlainStatements(t *testing.T) {
	f := start(t, nil)
	f.createPersonTables()
	name := map[string]any{"table_name": "persons"}
	require.Zero(t, dmlStats(t, f.execWith(fenceInsert, name)).InsertedRowCount, "the row is there")
	unnest := strings.Replace(fenceInsert, "(SELECT 1) WHERE", "UNNEST([1]) WHERE", 1)
	require.Zero(t, dmlStats(t, f.execWith(unnest, name)).InsertedRowCount)
	require.EqualValues(t, 1, dmlStats(t, f.execWith(unnest, map[string]any{"table_name": "events"})).InsertedRowCount)
	require.EqualValues(t, 2, f.count("tidemark_status"))

	const through = "UPDATE `my-project.analytics.tidemark_status` SET complete_through = GREATEST(IFNULL(complete_through, @through), @through), " +
		"updated_at = CURRENT_TIMESTAMP() WHERE table_name = @table_name"
	for _, hour := range []int{2, 5, 3} {
		params := map[string]any{"table_name": "persons", "through": eventTime().Add(time.Duration(hour) * time.Hour)}
		require.EqualValues(t, 1, dmlStats(t, f.execWith(through, params)).UpdatedRowCount)
	}
	require.Equal(t, [][]client.Value{{"events", nil}, {"persons", eventTime().Add(5 * time.Hour)}},
		f.rows("SELECT table_name, complete_through FROM analytics.tidemark_status ORDER BY 1"))
}

// A job that fails, wherever it does, changes nothing and says why.
func TestPersons_FailureAnywhereRollsBack(t *testing.T) {
	f := start(t, nil)
	f.createPersonTables()
	f.fillStage(`(1, 'p1', NULL, 1, FALSE, '{}')`, `(1, 'p1', 'd1', 0, FALSE, NULL)`)
	statements := strings.SplitAfter(personsScript(2), ";\n")
	for i := range statements {
		failing := strings.Join(statements[:i], "") + "ASSERT DIV(1, 0) = 1;\n" + strings.Join(statements[i:], "")
		_, err := f.runWith(fmt.Sprintf("failing-%d", i), failing, personsParams("failing"))
		requireReason(t, err, 400, "invalidQuery")
		require.ErrorContains(t, err, "division by zero")
	}
	_, err := f.runWith("rows", personsScript(3), personsParams("failing"))
	requireReason(t, err, 400, "invalidQuery")
	require.ErrorContains(t, err, "stage table does not hold the rows that were loaded")
	params := personsParams("failing")
	params["table_name"] = "other"
	_, err = f.runWith("fence", personsScript(2), params)
	require.ErrorContains(t, err, "no fence row")
	delete(params, "last_team")
	_, err = f.runWith("parameter", personsScript(2), params)
	require.ErrorContains(t, err, "Query parameter 'last_team' not found")

	for _, table := range []string{"persons", "persons_person_state", "persons_distinct_id_state"} {
		require.Zero(t, f.count(table), table)
	}
	require.Equal(t, [][]client.Value{{nil}}, f.rows("SELECT last_batch FROM analytics.tidemark_status"))
	f.execWith(personsScript(2), personsParams("good"))
	require.EqualValues(t, 1, f.count("persons"))
}

// docs.cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax#merge_statement:
// the first clause whose condition is TRUE applies; NULL is not, and NULL keys do not
// match.
func TestMerge_ConditionsThatAreNull(t *testing.T) {
	f := start(t, nil)
	f.exec("CREATE TABLE analytics.t (id STRING, version INT64, note STRING)")
	f.exec("INSERT INTO analytics.t VALUES ('a', NULL, NULL), ('b', 1, NULL), (NULL, 1, NULL)")
	status := f.execWith(`MERGE analytics.t AS t
		USING (SELECT id, version, deleted OR version > @high AS gone FROM
			(SELECT 'a' AS id, 2 AS version, @null_bool AS deleted UNION ALL SELECT 'b', 2, @yes UNION ALL SELECT 'c', 1, @no
			 UNION ALL SELECT NULL, 7, @no UNION ALL SELECT 'd', 1, @null_bool UNION ALL SELECT 'e', 9, @null_bool)) AS s
		ON t.id = s.id
		WHEN MATCHED AND s.gone AND t.version < s.version THEN DELETE
		WHEN MATCHED AND t.version < s.version THEN UPDATE SET note = 'lower'
		WHEN MATCHED AND (t.version IS NULL OR t.version < s.version) THEN UPDATE SET note = 'null', version = IFNULL(t.version, s.version)
		WHEN NOT MATCHED AND NOT s.gone THEN INSERT (id, version, note) VALUES (s.id, s.version, CAST(s.gone AS STRING))`,
		map[string]any{"null_bool": client.NullBool{}, "yes": true, "no": false, "high": int64(8)})
	require.Equal(t, client.DMLStatistics{InsertedRowCount: 2, UpdatedRowCount: 1, DeletedRowCount: 1}, dmlStats(t, status))
	require.Equal(t, [][]client.Value{{nil, int64(1), nil}, {nil, int64(7), "false"}, {"a", int64(2), "null"}, {"c", int64(1), "false"}},
		f.rows("SELECT * FROM analytics.t ORDER BY id, version"))
}
