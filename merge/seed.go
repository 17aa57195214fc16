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
// The job is named after the instants at which the side tables were made, so it runs once for each pair of them. It
// merges by version and conflicts with merges, so another run, or one beside them, would do no harm.
func (m *Merger) seed(ctx context.Context, t batch.Target, made []time.Time) error {
	sql, err := seedSQL(t)
	if err != nil {
		return err
	}
	base := batch.TableJobBase(t, kindSeed)
	for _, created := range made {
		base += fmt.Sprintf("_%d", created.UnixMilli())
	}
	_, err = m.warehouse.Query(ctx, batch.QueryJob{
		JobRef: batch.JobRef{Project: t.Project, Location: t.Location, Base: base},
		SQL:    sql,
		Params: []batch.Param{{Name: "table_name", Value: t.Table}},
		Labels: map[string]string{"model": t.Model},
	})
	if err != nil {
		return fmt.Errorf("seed the side tables of %s: %w", t, err)
	}
	return nil
}

// seedSQL merges the rows of the persons table into the states as if they were messages. is_deleted does not say which
// half of a row it is about: it is taken for the person's where all rows of the person have it, and for the mapping's
// where only some have.
func seedSQL(t batch.Target) (string, error) {
	deleted := "IFNULL(" + ownColumn(t, "is_deleted", "BOOL") + ", FALSE)"
	personDeleted := "LOGICAL_AND(" + deleted + ") OVER (PARTITION BY team_id, person_id)"
	properties := ownColumn(t, "properties", "STRING")
	if t.HasJSON() { // TO_JSON_STRING makes the text "null" of NULL
		properties = "IF(" + properties + " IS NULL, NULL, TO_JSON_STRING(" + properties + "))"
	}
	persons := `(
    SELECT team_id, person_id, person_version AS version, ` + personDeleted + ` AS is_deleted, ` + properties + ` AS properties, ` +
		ownColumn(t, "created_at", "TIMESTAMP") + ` AS created_at, ` + ownColumn(t, "is_identified", "BOOL") + ` AS is_identified
    FROM {persons}
  )
  WHERE team_id IS NOT NULL AND person_id IS NOT NULL`
	mappings := `(
    SELECT team_id, distinct_id, person_distinct_id_version AS version, ` + deleted + ` AND NOT ` + personDeleted + ` AS is_deleted, person_id
    FROM {persons}
  )
  WHERE team_id IS NOT NULL AND distinct_id IS NOT NULL AND person_id IS NOT NULL`
	return transaction(t, []string{
		fenceSQL("updated_at = CURRENT_TIMESTAMP()"), personStateSQL(persons, "", t.RemoveDeleted), mappingStateSQL(mappings, ""),
	})
}

// ownColumn is a column of the persons table, or NULL where the table does not have it.
func ownColumn(t batch.Target, name, typ string) string {
	if hasColumn(t, name) {
		return name
	}
	return "CAST(NULL AS " + typ + ")"
}
