package merge

import (
	"context"
	"fmt"
	"time"

	"tidemark/batch"
)

// seed tells the side tables what the persons table knows already, from another exporter or from before a side table was
// dropped: otherwise a person's next change would reach only distinct ids that have come through tidemark, and a distinct
// id that moves to a person whom only the table knows would have no row.
//
// The job is named after the instants at which the side tables and the table were made, so it runs once for each set of them:
// again for a table that was restored. It merges by version and conflicts with merges, so another run, or one beside them,
// would do no harm.
func (m *Merger) seed(ctx context.Context, t batch.Target, created time.Time, made []time.Time, withStatus bool) error {
	sql, err := seedSQL(t, withStatus)
	if err != nil {
		return err
	}
	kind := kindSeed
	for _, side := range made {
		kind += fmt.Sprintf("_%d", side.UnixMilli())
	}
	if !t.View {
		kind += fmt.Sprintf("_%d", created.UnixMilli())
	}
	if _, err := m.warehouse.Query(ctx, fencedJob(t, kind, sql, withStatus)); err != nil {
		return fmt.Errorf("seed the side tables of %s: %w", t, err)
	}
	return nil
}

// seedSQL merges the rows of the persons table into the states as if they were messages, and marks the states as seeded.
//
// is_deleted does not say which half of a row it is about, and only rows with the person's latest version say anything of
// the person as it is: where all of those have it, it is taken for the person's, and where only some have, for their
// mappings'.
//
// A view has no rows of its own: then there is nothing to tell, and the states are only marked.
func seedSQL(t batch.Target, withStatus bool) (string, error) {
	fence := fenceSQL("merged_at = CURRENT_TIMESTAMP()", withStatus)
	marks := []string{seededSQL("{person_state}", "person_id"), seededSQL("{mapping_state}", "distinct_id")}
	if t.View {
		return transaction(t, append([]string{fence}, marks...))
	}
	properties := ownColumn(t, "properties", "STRING")
	if t.HasJSON() { // TO_JSON_STRING makes the text "null" of NULL
		properties = "IF(" + properties + " IS NULL, NULL, TO_JSON_STRING(" + properties + "))"
	}
	// The columns are listed: a table of somebody's may have others, which may be called deleted or latest.
	rows := `(
    SELECT team_id, distinct_id, person_id, person_version, person_distinct_id_version, properties, created_at, is_identified,
      latest, deleted, COUNTIF(latest AND NOT deleted) OVER (PARTITION BY team_id, person_id) = 0 AS person_deleted
    FROM (
      SELECT team_id, distinct_id, person_id, person_version, person_distinct_id_version, ` + properties + ` AS properties, ` +
		ownColumn(t, "created_at", "TIMESTAMP") + ` AS created_at, ` + ownColumn(t, "is_identified", "BOOL") + ` AS is_identified,
        IFNULL(` + ownColumn(t, "is_deleted", "BOOL") + `, FALSE) AS deleted,
        IFNULL(person_version, -1) = MAX(IFNULL(person_version, -1)) OVER (PARTITION BY team_id, person_id) AS latest
      FROM {persons}
      WHERE team_id IS NOT NULL AND distinct_id IS NOT NULL AND person_id IS NOT NULL
    )
  )`
	persons := `(
    SELECT team_id, person_id, person_version AS version, person_deleted AS is_deleted, properties, created_at, is_identified
    FROM ` + rows + `
  )
  WHERE TRUE`
	mappings := `(
    SELECT team_id, distinct_id, person_distinct_id_version AS version, latest AND deleted AND NOT person_deleted AS is_deleted, person_id
    FROM ` + rows + `
  )
  WHERE TRUE`
	return transaction(t, append([]string{fence, personStateSQL(persons, "", t.RemoveDeleted), mappingStateSQL(mappings, "")}, marks...))
}

// seededSQL puts a row into a state that says that it is seeded: of team 0, which no message can have.
func seededSQL(state, key string) string {
	return `INSERT INTO ` + state + ` (team_id, ` + key + `)
SELECT 0, 'seeded'
FROM UNNEST([1])
WHERE NOT EXISTS (SELECT 1 FROM ` + state + ` WHERE team_id = 0);
`
}

// assertSeededSQL refuses to merge into a state that another replica has just made again and not seeded yet.
const assertSeededSQL = `ASSERT EXISTS (SELECT 1 FROM {person_state} WHERE team_id = 0) AND EXISTS (SELECT 1 FROM {mapping_state} WHERE team_id = 0) AS 'a side table is new and does not know the rows of the persons table yet; if it was emptied by hand, drop it';
`

// ownColumn is a column of the persons table, or NULL where the table does not have it.
func ownColumn(t batch.Target, name, typ string) string {
	if hasColumn(t, name) {
		return name
	}
	return "CAST(NULL AS " + typ + ")"
}
