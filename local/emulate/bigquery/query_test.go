package bigquery

import (
	"crypto/sha256"
	"math/big"
	"net/http"
	"testing"
	"time"

	client "cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
	"github.com/stretchr/testify/require"
)

// TestQuery_Expressions runs each expression and compares its value: those that
// differ between GoogleSQL and DuckDB above all.
func TestQuery_Expressions(t *testing.T) {
	f := start(t, nil)
	for _, cases := range []map[string]client.Value{literalCases(), functionCases()} {
		for expression, want := range cases {
			t.Run(expression, func(t *testing.T) {
				rows, err := f.tryRows("SELECT " + expression)
				require.NoError(t, err)
				require.Len(t, rows, 1)
				require.Equal(t, want, rows[0][0])
			})
		}
	}
}

func literalCases() map[string]client.Value {
	return map[string]client.Value{
		`1`:                                  int64(1),
		`1.5`:                                1.5, // FLOAT64, not decimal
		`1e3`:                                1000.0,
		`"it's"`:                             "it's",
		`'a\'b\n'`:                           "a'b\n",
		`r'a\n'`:                             `a\n`,
		`'''a"b'c'''`:                        `a"b'c`,
		`'\u00e9'`:                           "é",
		`b'\x00\xff'`:                        []byte{0, 255},
		`"NUL \x00"`:                         "NUL \x00",
		`TRUE`:                               true,
		`NULL`:                               nil,
		`TIMESTAMP '2026-09-01 00:00:00+00'`: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC),
		`TIMESTAMP("2026-09-01T12:00:00.000001Z")`:                                                     time.Date(2026, 9, 1, 12, 0, 0, 1000, time.UTC),
		`DATE(TIMESTAMP '2026-09-01 23:59:59+00')`:                                                     civil.Date{Year: 2026, Month: 9, Day: 1},
		`DATE '2026-09-01'`:                                                                            civil.Date{Year: 2026, Month: 9, Day: 1},
		`DATETIME '2026-09-01 01:02:03'`:                                                               civil.DateTime{Date: civil.Date{Year: 2026, Month: 9, Day: 1}, Time: civil.Time{Hour: 1, Minute: 2, Second: 3}},
		`TIMESTAMP_TRUNC(TIMESTAMP '2026-09-01 23:59:59+00', HOUR)`:                                    time.Date(2026, 9, 1, 23, 0, 0, 0, time.UTC),
		`TIMESTAMP_ADD(TIMESTAMP '2026-09-01 00:00:00+00', INTERVAL 2 * 3 HOUR)`:                       time.Date(2026, 9, 1, 6, 0, 0, 0, time.UTC),
		`TIMESTAMP_SUB(TIMESTAMP '2026-09-01 00:00:00+00', INTERVAL 1 DAY)`:                            time.Date(2026, 8, 31, 0, 0, 0, 0, time.UTC),
		`TIMESTAMP_DIFF(TIMESTAMP '2026-09-01 01:59:00+00', TIMESTAMP '2026-09-01 00:00:00+00', HOUR)`: int64(1),
		`TIMESTAMP_MICROS(1000001)`:                                                                    time.Unix(1, 1000).UTC(),
		`UNIX_MICROS(TIMESTAMP '1970-01-01 00:00:01+00')`:                                              int64(1000000),
		`EXTRACT(YEAR FROM TIMESTAMP '2026-09-01 00:00:00+00')`:                                        int64(2026),
		`CAST('12' AS INT64)`:                                                                          int64(12),
		`CAST(12 AS STRING)`:                                                                           "12",
		`SAFE_CAST('x' AS INT64)`:                                                                      nil,
		`CAST('1.5' AS NUMERIC)`:                                                                       big.NewRat(3, 2),
		`CAST('2026-09-01' AS TIMESTAMP)`:                                                              time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC),
		`GREATEST(1, NULL)`:                                                                            nil, // DuckDB skips NULL
	}
}

func functionCases() map[string]client.Value {
	return map[string]client.Value{
		`GREATEST(1, 3, 2)`:                     int64(3),
		`LEAST(2, 1)`:                           int64(1),
		`CONCAT('a', NULL)`:                     nil, // likewise
		`CONCAT('a', 'b', 'c')`:                 "abc",
		`'a' || 'b'`:                            "ab",
		`IF(1 > 2, 'a', 'b')`:                   "b",
		`BYTE_LENGTH('\u00e9')`:                 int64(2),
		`CAST(2 < 3 AS STRING)`:                 "true",
		`SHA256('')`:                            sha256Of(""),
		`IFNULL(NULL, 'x')`:                     "x",
		`COALESCE(NULL, 2)`:                     int64(2),
		`SAFE_DIVIDE(1, 0)`:                     nil,
		`3 / 2`:                                 1.5,
		`DIV(7, 2)`:                             int64(3),
		`MOD(7, 2)`:                             int64(1),
		`1 IN UNNEST([1, 2])`:                   true,
		`ARRAY_LENGTH(ARRAY<STRING>['a', 'b'])`: int64(2),
		`ARRAY_TO_STRING(ARRAY_CONCAT(['a'], ['b']), ',')`:                        "a,b",
		`ARRAY(SELECT x FROM UNNEST(['b', 'a', 'b']) AS x GROUP BY x ORDER BY x)`: []client.Value{"a", "b"},
		`JSON_VALUE('{"a":{"b":"c"}}', '$.a.b')`:                                  "c", // without quotes
		`JSON_VALUE('{"a":{"b":"c"}}', '$.a')`:                                    nil,
		`JSON_VALUE('{"a":null}', '$.a')`:                                         nil,
		`JSON_VALUE(PARSE_JSON('{"$a b":1}'), '$."$a b"')`:                        "1",
		`TO_JSON_STRING(PARSE_JSON('{"b": 1, "a": [1, 2]}'))`:                     `{"a":[1,2],"b":1}`,
		`LAX_INT64(PARSE_JSON('"12"'))`:                                           int64(12),
		`REGEXP_CONTAINS('abc', r'^a.c$')`:                                        true,
		`STARTS_WITH('abc', 'ab')`:                                                true,
		`ENDS_WITH('abc', 'bc')`:                                                  true,
		`CASE WHEN 1 = 2 THEN 'a' ELSE 'b' END`:                                   "b",
		`1 IS DISTINCT FROM NULL`:                                                 true,
		`NULL IS NULL`:                                                            true,
		`0x10`:                                                                    int64(16),
		`UPPER('a') = 'A' AND NOT FALSE`:                                          true,
	}
}

func sha256Of(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// TestQuery_RefusesWhatMeansSomethingElse has statements that DuckDB would run.
func TestQuery_RefusesWhatMeansSomethingElse(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	for sql, want := range refusedStatements() {
		t.Run(sql, func(t *testing.T) {
			_, err := f.tryRows(sql)
			requireReason(t, err, want.code, want.reason)
			q := f.client.Query(sql)
			q.DryRun = true
			_, err = q.Run(f.ctx)
			requireReason(t, err, want.code, want.reason)
		})
	}
}

func TestQuery_JoinsGroupsAndWindows(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	require.NoError(t, f.load("load", "events", f.upload(events(0, 10))).Err())
	require.Equal(t, [][]client.Value{{int64(0), int64(4), int64(1)}, {int64(1), int64(3), int64(1)}, {int64(2), int64(3), int64(1)}},
		f.rows("SELECT team_id, COUNT(*) AS n, COUNT(DISTINCT DATE(timestamp)) AS days FROM `my-project.analytics.events` GROUP BY team_id ORDER BY 1"))
	require.Equal(t, [][]client.Value{{int64(0), "uuid-000009"}, {int64(1), "uuid-000007"}, {int64(2), "uuid-000008"}},
		f.rows(`WITH latest AS (
			SELECT e.team_id, e.uuid FROM analytics.events AS e
			QUALIFY ROW_NUMBER() OVER (PARTITION BY e.team_id ORDER BY e.timestamp DESC) = 1
		)
		SELECT l.team_id, e.uuid FROM latest l JOIN analytics.events e ON e.uuid = l.uuid -- a comment
		ORDER BY l.team_id`))
	require.Equal(t, [][]client.Value{{int64(10), int64(3), int64(5)}},
		f.rows("SELECT COUNT(*), COUNT(DISTINCT COALESCE(team_id, 0)), COUNTIF(CAST(JSON_VALUE(properties, '$.i') AS INT64) > 4) FROM my-project.analytics.events"))
	require.Equal(t, [][]client.Value{{int64(100)}},
		f.rows("SELECT COUNT(*) FROM analytics.events, analytics.events AS other"))
	require.Equal(t, [][]client.Value{{int64(10)}},
		f.rows("SELECT COUNT(*) FROM analytics.events a WHERE EXISTS (SELECT 1 FROM (analytics.events b JOIN analytics.events c USING (uuid)) WHERE b.uuid = a.uuid)"))
}

// docs.cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#order_by_clause:
// NULL is the minimum.
func TestQuery_NullSortsFirst(t *testing.T) {
	f := start(t, nil)
	const values = "(SELECT x FROM UNNEST([2, NULL, 1]) AS x)"
	require.Equal(t, [][]client.Value{{nil}, {int64(1)}, {int64(2)}}, f.rows("SELECT x FROM "+values+" ORDER BY x"))
	require.Equal(t, [][]client.Value{{int64(2)}, {int64(1)}, {nil}}, f.rows("SELECT x FROM "+values+" ORDER BY x DESC"))
}

// docs.cloud.google.com/bigquery/docs/parameterized-queries
func TestQuery_Parameters(t *testing.T) {
	f := start(t, nil)
	for name, value := range map[string]any{
		"string": "it's \x00 \"quoted\" \\ é", "empty": "", "int": int64(-5), "float": 1.25, "bool": true,
		"bytes": []byte{0, 1, 255}, "timestamp": eventTime(), "date": civil.Date{Year: 2026, Month: 9, Day: 1},
	} {
		t.Run(name, func(t *testing.T) {
			rows := f.rows("SELECT @p AS v, @P AS w", client.QueryParameter{Name: "p", Value: value})
			require.Equal(t, [][]client.Value{{value, value}}, rows)
		})
	}
	require.Equal(t, [][]client.Value{{nil}}, f.rows("SELECT @p", client.QueryParameter{Name: "p", Value: client.NullString{}}))
	require.Equal(t, [][]client.Value{{[]client.Value{"a", "b"}, true}},
		f.rows("SELECT @p, 'b' IN UNNEST(@p)", client.QueryParameter{Name: "p", Value: []string{"a", "b"}}))
	require.Equal(t, [][]client.Value{{int64(1), "x"}},
		f.rows("SELECT ?, ?", client.QueryParameter{Value: 1}, client.QueryParameter{Value: "x"}))
}

func TestQuery_ColumnsWithoutNameAreNumbered(t *testing.T) {
	f := start(t, nil)
	it, err := f.client.Query("SELECT COUNT(*), 1 AS one, MAX(2), TIMESTAMP '2026-09-01 00:00:00+00' AS timestamp").Read(f.ctx)
	require.NoError(t, err)
	_, err = readAll(it)
	require.NoError(t, err)
	var names []string
	for _, field := range it.Schema {
		names = append(names, field.Name+" "+string(field.Type))
	}
	require.Equal(t, []string{"f0_ INTEGER", "one INTEGER", "f1_ INTEGER", "timestamp TIMESTAMP"}, names)
}

func TestQuery_PagesRows(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	require.NoError(t, f.load("load", "events", f.upload(events(0, 25))).Err())
	q := f.client.Query("SELECT uuid FROM analytics.events ORDER BY uuid")
	q.JobID = "paged"
	job, err := q.Run(f.ctx)
	require.NoError(t, err)
	it, err := job.Read(f.ctx)
	require.NoError(t, err)
	it.PageInfo().MaxSize = 10
	rows, err := readAll(it)
	require.NoError(t, err)
	require.Len(t, rows, 25)
	require.Equal(t, "uuid-000024", rows[24][0])
	require.EqualValues(t, 25, it.TotalRows)

	table := f.table("events").Read(f.ctx)
	table.PageInfo().MaxSize = 7
	rows, err = readAll(table)
	require.NoError(t, err)
	require.Len(t, rows, 25)
}

func TestQuery_DryRunTellsTypesAndDoesNothing(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	q := f.client.Query("INSERT INTO analytics.events (uuid) VALUES ('a')")
	q.DryRun = true
	q.JobID = "dry"
	job, err := q.Run(f.ctx)
	require.NoError(t, err)
	require.Equal(t, "INSERT", job.LastStatus().Statistics.Details.(*client.QueryStatistics).StatementType)
	require.Zero(t, f.count("events"))
	_, err = f.client.JobFromID(f.ctx, "dry")
	requireReason(t, err, http.StatusNotFound, "notFound")

	q = f.client.Query("SELECT team_id, timestamp FROM analytics.events")
	q.DryRun = true
	job, err = q.Run(f.ctx)
	require.NoError(t, err)
	schema := job.LastStatus().Statistics.Details.(*client.QueryStatistics).Schema
	require.Len(t, schema, 2)
	require.Equal(t, client.TimestampFieldType, schema[1].Type)
}

// refusal is the code and reason of an error.
type refusal struct {
	code   int
	reason string
}

func refusedStatements() map[string]refusal {
	return map[string]refusal{
		`SELECT 1::VARCHAR`:                                    {400, "invalidQuery"},
		`SELECT 2 ^ 3`:                                         {400, "invalidQuery"},
		`SELECT 7 % 2`:                                         {400, "invalidQuery"},
		`SELECT epoch_us(now())`:                               {501, "notImplemented"},
		`SELECT TRY_CAST('1' AS INT64)`:                        {501, "notImplemented"},
		`SELECT FARM_FINGERPRINT('a')`:                         {501, "notImplemented"},
		`SELECT SAFE.SUBSTR('a', 1)`:                           {501, "notImplemented"},
		`SELECT CAST(1 AS HUGEINT)`:                            {501, "notImplemented"},
		`SELECT CAST('{}' AS JSON)`:                            {400, "invalidQuery"},
		`SELECT STRUCT(1 AS a)`:                                {501, "notImplemented"},
		`SELECT ARRAY_AGG(uuid LIMIT 1) FROM analytics.events`: {501, "notImplemented"},
		`SELECT TIMESTAMP_TRUNC(timestamp, WEEK) FROM analytics.events`: {501, "notImplemented"},
		`SELECT 1 UNION SELECT 2`:                           {400, "invalidQuery"},
		`SELECT nosuch FROM analytics.events`:               {400, "invalidQuery"},
		`SELECT 1 AS a, 2 AS A`:                             {400, "invalidQuery"},
		`SELEC 1`:                                           {501, "notImplemented"},
		`FROM analytics.events`:                             {501, "notImplemented"},
		`SELECT * FROM generate_series(3)`:                  {501, "notImplemented"},
		`SELECT * FROM analytics.INFORMATION_SCHEMA.TABLES`: {501, "notImplemented"},
		"SELECT * FROM `analytics.events_*`":                {501, "notImplemented"},
		`SELECT * FROM analytics.events FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()`: {501, "notImplemented"},
		`SELECT * FROM events`:                    {400, "invalid"},
		`SELECT * FROM analytics.Events`:          {404, "notFound"}, // names are case-sensitive
		`SELECT * FROM analytics.nosuch`:          {404, "notFound"},
		`SELECT * FROM nosuch.events`:             {404, "notFound"},
		`SELECT @nosuch`:                          {400, "invalidQuery"},
		`SELECT @@row_count`:                      {501, "notImplemented"},
		`DELETE FROM analytics.events`:            {400, "invalidQuery"},
		`UPDATE analytics.events SET team_id = 1`: {400, "invalidQuery"},
		`UPDATE analytics.events e SET team_id = s.x FROM (SELECT 1 AS x) s WHERE true`: {501, "notImplemented"},
		`INSERT INTO analytics.events (nosuch) VALUES (1)`:                              {400, "invalidQuery"},
		`INSERT INTO analytics.events (uuid) VALUES (1.5)`:                              {400, "invalidQuery"},
		`INSERT INTO analytics.events (team_id) SELECT 'a'`:                             {400, "invalidQuery"},
		`INSERT INTO analytics.events (uuid, team_id) SELECT 'a'`:                       {400, "invalidQuery"},
		`DECLARE x INT64`:                     {501, "notImplemented"},
		`CREATE VIEW analytics.v AS SELECT 1`: {501, "notImplemented"},
		`SELECT 'abc`:                         {400, "invalidQuery"},
		``:                                    {400, "invalidQuery"},
	}
}
