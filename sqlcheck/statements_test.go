package sqlcheck

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/batch"
	"tidemark/merge"
	"tidemark/model"
)

// allParams are the parameters that statements in the golden files may use.
func allParams() []batch.Param {
	params := []batch.Param{{Name: "through", Value: time.Time{}}, {Name: "created", Value: time.Time{}}, {Name: "ingested_at", Value: time.Time{}}}
	names := []string{"batch", "table_name", "consumer_group", "model"}
	numbers := []string{"rows"}
	for i := range 3 { // ranges
		for _, kind := range []string{"", "person_", "distinct_id_"} {
			numbers = append(numbers, fmt.Sprintf("%sfirst_team_%d", kind, i), fmt.Sprintf("%slast_team_%d", kind, i))
		}
		names = append(names, fmt.Sprintf("person_first_%d", i), fmt.Sprintf("person_last_%d", i), fmt.Sprintf("distinct_id_first_%d", i), fmt.Sprintf("distinct_id_last_%d", i))
	}
	for _, name := range numbers {
		params = append(params, batch.Param{Name: name, Value: int64(0)})
	}
	for _, name := range names {
		params = append(params, batch.Param{Name: name, Value: ""})
	}
	return params
}

// schemaOf has the tables that a golden file is about. Which type persons' properties have is said here, not guessed
// from the statement: one that forgets to parse them, or parses what is not to be JSON, is refused.
func schemaOf(t *testing.T, file string) schema {
	json := []string{"merge_created_columns_json.sql", "merge_all_columns_remove.sql", "seed_all_columns_json_remove.sql", "derive_all_columns_json_remove.sql", "view_all_columns_json_remove.sql"}
	switch name := filepath.Base(file); {
	case strings.HasPrefix(name, "insert_"):
		return eventsSchema(t)
	case slices.Contains(json, name):
		return personsSchema(t, batch.JSONType)
	default:
		return personsSchema(t, "STRING")
	}
}

// The golden files hold every shape of statement that package merge can send.
func TestStatements_AreGoogleSQL(t *testing.T) {
	a := newAnalyzer(t)
	golden, err := filepath.Glob("../merge/testdata/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, golden)
	for _, file := range golden {
		sql, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, a.analyze(string(sql), schemaOf(t, file), allParams()), file)
		statements, err := a.split(string(sql))
		require.NoError(t, err)
		// Every statement of a script ends its line, and single statements end without a semicolon.
		require.Len(t, statements, max(1, strings.Count(string(sql), ";\n")), file)
	}
}

// replaced is a memory of side tables, and of a table that was made again since.
type replaced struct{ table string }

func (r replaced) Known(_ context.Context, table string, _ time.Time, _ []batch.Column) (bool, error) {
	return table != r.table, nil
}
func (r replaced) Creations(_ context.Context, table string) ([]time.Time, error) {
	return []time.Time{{}}, nil
}
func (replaced) Accept(context.Context, string, time.Time, []batch.Column) error { return nil }

// record has package merge apply a batch, and publish, on a warehouse that keeps what it was asked for.
func record(t *testing.T, tgt batch.Target, keys *batch.Keys) *recorder {
	r, log, m := newRecorder(tgt), slog.New(slog.DiscardHandler), manifest(tgt, keys)
	status := merge.NewStatusTable(r, "g")
	var applier batch.Applier = merge.NewInserter("bucket", r, log)
	if keys != nil {
		applier = merge.NewMerger("bucket", r, replaced{tgt.String()}, log)
	}
	_, err := applier.Apply(t.Context(), m, &m.Tables[0])
	require.NoError(t, err)
	require.NoError(t, status.Publish(t.Context(), tgt, time.Time{}, m.IngestedAt, nil))
	require.NoError(t, status.Publish(t.Context(), tgt, m.IngestedAt, m.IngestedAt, m))
	return r
}

// What is sent is analyzed with exactly the parameters that are sent along, against the tables that were made for it.
func TestSentStatements_AreGoogleSQLWithTheirParameters(t *testing.T) {
	a := newAnalyzer(t)
	sent := func(tgt batch.Target, keys *batch.Keys) {
		r := record(t, tgt, keys)
		want := 4 // the INSERT or MERGE, the status table's row, and two UPDATEs of it
		if keys != nil {
			want += 3 // the fence's row, the side tables are seeded, and the table is derived, or the query of the view
		}
		require.Len(t, r.sent, want)
		for _, job := range r.sent {
			require.NoError(t, a.analyze(job.SQL, r.tables, job.Params))
		}
	}
	created := func(c model.Column) bool { return c.Created }
	keys := []batch.Keys{
		{LastPerson: "1", LastDistinctID: "b"}, {LastPerson: "1"}, {LastDistinctID: "b"},
		{Persons: []batch.KeyRange{{FirstTeam: 1, LastTeam: 1, First: "a", Last: "b"}, {FirstTeam: 3, LastTeam: 7, First: "c", Last: "d"}}, DistinctIDs: []batch.KeyRange{{FirstTeam: 9, LastTeam: 9, First: "a", Last: "b"}}},
	}
	for _, json := range []string{"STRING", batch.JSONType} {
		for _, keep := range []func(model.Column) bool{created, nil, neededForPersons} {
			persons := target("persons", columnsOf(model.PersonColumns(), json, keep))
			for _, k := range keys {
				sent(persons, &k)
				removing := persons
				removing.RemoveDeleted = true
				sent(removing, &k)
				removing.View = true
				sent(removing, &k)
			}
		}
		for _, keep := range []func(model.Column) bool{created, nil} {
			sent(target("events", columnsOf(model.EventColumns(), json, keep)), nil)
		}
	}
}

// neededForPersons says which columns every persons table has.
func neededForPersons(c model.Column) bool {
	return slices.Contains([]string{"team_id", "distinct_id", "person_id", "person_distinct_id_version", "person_version"}, c.Name)
}

// The README shows analysts queries; they are GoogleSQL, too, on tables with either type of documents.
func TestReadme_QueriesAreGoogleSQL(t *testing.T) {
	a := newAnalyzer(t)
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, blocks)
	for _, json := range []string{"STRING", batch.JSONType} {
		made := personsSchema(t, json)
		tables := schema{
			"acme.posthog.events":          columnsOf(model.EventColumns(), json, nil),
			"acme.posthog.persons":         made[personsTable],
			"acme.posthog.tidemark_status": made["acme-prod.posthog.tidemark_status"],
		}
		for _, block := range blocks {
			require.NoError(t, a.analyze(block[1], tables, nil), block[1])
		}
	}
}

// Without these refusals the tests above would prove nothing.
func TestAnalyzer_RefusesWhatBigQueryRefuses(t *testing.T) {
	a := newAnalyzer(t)
	tables := personsSchema(t, batch.JSONType).with(eventsTable, eventsSchema(t)[eventsTable])
	tables["stage"] = eventsSchema(t)[stageTable]
	for sql, want := range map[string]string{
		"INSERT INTO {events} (properties) SELECT properties FROM stage":      "type STRING",
		"INSERT INTO {events} (nothing) SELECT uuid FROM stage":               "nothing",
		"INSERT INTO {events} (uuid, event) SELECT uuid FROM stage":           "column",
		"INSERT INTO {events} (set) SELECT PARSE_JSON(`set`) FROM stage":      "SET",
		"INSERT INTO {events} (team_id) SELECT uuid FROM stage":               "INT64",
		"SELECT PARSE_JSON(properties, wide_number => 'round') FROM stage":    "wide_number",
		"SELECT properties FROM {events} GROUP BY properties":                 "JSON",
		"SELECT DISTINCT properties FROM {events}":                            "JSON",
		"SELECT 1 FROM {persons} AS a JOIN {persons} AS b USING (properties)": "JSON",
		"DELETE FROM {events} WHERE properties = JSON '{}'":                   "JSON",
		"DELETE FROM {events}":                              "WHERE",
		"SELECT uuid::INT64 FROM {events}":                  "Syntax error",
		"SELECT 1 FROM `acme-prod.posthog.no`":              "acme-prod.posthog.no",
		"SELECT @nothing":                                   "nothing",
		"UPDATE {persons} SET person_id = @rows WHERE TRUE": "INT64",
		"SELECT 1; SELECT 2 SELECT 3":                       "Syntax error",
		"SELECT 1; BEGIN TRANSACTION; SELECT nothing FROM {persons}; COMMIT TRANSACTION;": "statement 3 of 4",
		"ASSERT (SELECT COUNT(*) FROM {persons}) AS 'a number is no condition'; SELECT 1": "BOOL",
	} {
		sql = strings.NewReplacer("{events}", "`"+eventsTable+"`", "{persons}", "`"+personsTable+"`").Replace(sql)
		err := a.analyze(sql, tables, allParams())
		require.Error(t, err, sql)
		require.Contains(t, fmt.Sprint(err), want, sql)
	}
}

// The same for one fault in a script of ours, which GoogleSQL accepts without it.
func TestAnalyzer_RefusesScriptsWithOneFault(t *testing.T) {
	a := newAnalyzer(t)
	golden, err := os.ReadFile("../merge/testdata/merge_all_columns_remove.sql")
	require.NoError(t, err)
	tables := personsSchema(t, batch.JSONType)
	require.NoError(t, a.analyze(string(golden), tables, allParams()))
	for _, c := range []struct{ old, fault, want string }{
		{"s.version", "s.versions", "versions"},
		{"SAFE.PARSE_JSON(p.properties, wide_number_mode => 'round') AS properties", "p.properties", "type STRING"},
		{"@ingested_at", "@ingested", "ingested"},
		{"t.person_id IS DISTINCT FROM s.person_id", "t.properties IS DISTINCT FROM s.properties", "JSON"},
		{"last_batch = @batch", "last_batch = @rows", "INT64"},
		{"BETWEEN @first_team_0 AND @last_team_0", "BETWEEN @person_first_0 AND @person_last_0", "BETWEEN"},
		{"\nCOMMIT", "\nMERGE", "Syntax error"},
	} {
		faulty := strings.Replace(string(golden), c.old, c.fault, 1)
		require.NotEqual(t, string(golden), faulty, c.old)
		err := a.analyze(faulty, tables, allParams())
		require.Error(t, err, c.fault)
		require.Contains(t, fmt.Sprint(err), c.want, c.fault)
	}
	other := personsSchema(t, "STRING")
	require.ErrorContains(t, a.analyze(string(golden), other, allParams()), "JSON", "the persons table has STRING")
	for _, p := range allParams() {
		if !strings.Contains(string(golden), "@"+p.Name) {
			continue
		}
		without := slices.DeleteFunc(allParams(), func(q batch.Param) bool { return q.Name == p.Name })
		require.ErrorContains(t, a.analyze(string(golden), tables, without), p.Name, "undeclared")
	}
}
