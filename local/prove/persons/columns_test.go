package persons

import (
	"fmt"
	"testing"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"

	"tidemark/local/prove/verify"
)

const keyColumns = "team_id INT64, distinct_id STRING, person_id STRING, person_distinct_id_version INT64, person_version INT64"

// Tables have the columns that people gave them: those that are missing are not missed, whatever else there is, and in
// whatever order and case.
func TestMerge_TablesHaveTheColumnsTheyHave(t *testing.T) {
	tables := map[string]string{
		"only the needed":        keyColumns,
		"as tidemark creates it": keyColumns + ", properties STRING, created_at TIMESTAMP, is_deleted BOOL",
		"all, JSON":              fmt.Sprintf(allColumns, "JSON"),
		"no properties":          keyColumns + ", created_at TIMESTAMP, is_identified BOOL, bq_ingested_timestamp TIMESTAMP",
		"properties alone":       "properties JSON, " + keyColumns,
		"in capitals":            "IS_DELETED BOOL, Person_Version INT64, PERSON_ID STRING, Team_Id INT64, distinct_ID STRING, Person_Distinct_ID_Version INT64",
		"with others":            "zone STRING, " + fmt.Sprintf(allColumns, "STRING") + ", `order` INT64, tags ARRAY<STRING>, score FLOAT64",
	}
	lanes := someLanes(997)
	for _, deletes := range []verify.Deletes{verify.DeletesMark, verify.DeletesRemove} {
		t.Run(string(deletes), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, name := range sorted(tables) {
				p := w.peopleWith(variant{deletes: deletes}, tables[name])
				if p.verbatim = true; name == "in capitals" {
					p.countOnly = true // verify wants the names as tidemark writes them
				}
				require.NoError(t, p.run(lanes), name)
			}
		})
	}
}

// someLanes are every n-th of everyLane.
func someLanes(n int) (lanes []lane) {
	for i, l := range everyLane() {
		if i%n == 0 {
			lanes = append(lanes, l)
		}
	}
	return lanes
}

// What people keep in columns of their own stays there, and new rows have nothing in them.
func TestMerge_LeavesColumnsItDoesNotKnowAlone(t *testing.T) {
	p := newWorld(t).peopleWith(variant{deletes: verify.DeletesMark}, fmt.Sprintf(allColumns, "STRING")+", note STRING, score INT64 ")
	merge := func(facts ...fact) {
		all := messages(1, facts...)
		require.NoError(t, p.merge(p.seal(all), all))
	}
	merge(mapping("d", "P", 0), person("P", 0))
	p.exec("UPDATE " + p.sql() + " SET note = 'mine', score = 7 WHERE TRUE")
	merge(person("P", 1), mapping("e", "P", 0))
	merge(mapping("d", "Q", 1), person("Q", 0))
	notes := func(id string) []gbq.Value {
		return []gbq.Value{p.scalar("SELECT note FROM " + p.sql() + " WHERE distinct_id = '" + id + "'"), p.scalar("SELECT score FROM " + p.sql() + " WHERE distinct_id = '" + id + "'")}
	}
	require.Equal(t, []gbq.Value{"mine", int64(7)}, notes("d"))
	require.Equal(t, []gbq.Value{nil, nil}, notes("e"))
}

// A column that is added later is filled from then on, in the rows that change.
func TestMerge_ColumnsMayChangeBetweenBatches(t *testing.T) {
	p := newWorld(t).peopleWith(variant{deletes: verify.DeletesMark}, keyColumns+", properties STRING")
	p.verbatim = true
	merge := func(facts ...fact) {
		all := messages(1, facts...)
		require.NoError(t, p.merge(p.seal(all), all))
	}
	merge(mapping("d", "P", 0), person("P", 0), person("Q", 0))
	p.exec("ALTER TABLE " + p.sql() + " ADD COLUMN is_deleted BOOL")
	p.exec("ALTER TABLE " + p.sql() + " ADD COLUMN bq_ingested_timestamp TIMESTAMP")
	p.resolve()
	merge(mapping("d", "Q", 1), person("Q", 100).gone(), mapping("e", "P", 0))
	require.EqualValues(t, 2, p.scalar("SELECT COUNT(*) FROM "+p.sql()+" WHERE bq_ingested_timestamp = TIMESTAMP '"+p.clock.Format(time.DateTime)+"+00'"))
}
