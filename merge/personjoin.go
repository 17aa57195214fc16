package merge

import (
	"strings"

	"tidemark/batch"
)

// joinSQL selects the rows that the touched keys should have, with the columns that the table has, and in any case
// is_deleted, what it is made of, and known: whether the mapping's person is there yet. Each state is read once, and the
// states of other teams not at all.
func joinSQL(t batch.Target, within bounds) string {
	columns := []string{"p.person_id IS NOT NULL AS known", "m.deleted AS mapping_deleted", "IFNULL(p.deleted, FALSE) AS person_deleted",
		"m.deleted OR IFNULL(p.deleted, FALSE) AS is_deleted"}
	for _, c := range t.Columns {
		if value := joinedColumn(c); value != "" {
			columns = append(columns, value)
		}
	}
	properties := ""
	if hasColumn(t, "properties") {
		properties = "properties, "
	}
	return `  SELECT
    ` + strings.Join(columns, ",\n    ") + `
  FROM (
    SELECT d.team_id, d.distinct_id, d.person_id, d.version, IFNULL(d.is_deleted, FALSE) AS deleted
    FROM {mapping_state} AS d
` + touchedSQL(within) + `  ) AS m
  LEFT JOIN (
    SELECT team_id, person_id, version, ` + properties + `created_at, is_identified, IFNULL(is_deleted, FALSE) AS deleted
    FROM {person_state} AS a
    WHERE ` + within.team("a") + `
  ) AS p
    ON p.team_id = m.team_id AND p.person_id = m.person_id
`
}

// touchedSQL narrows the mappings down to those that the stage touches. The row that says that a state is seeded is of team 0.
func touchedSQL(within bounds) string {
	if within.whole {
		return "    WHERE d.team_id <> 0\n"
	}
	return `    LEFT JOIN (SELECT DISTINCT team_id, distinct_id FROM {stage} WHERE distinct_id IS NOT NULL) AS i
      ON i.team_id = d.team_id AND i.distinct_id = d.distinct_id
    LEFT JOIN (SELECT DISTINCT team_id, person_id FROM {stage} WHERE distinct_id IS NULL) AS c
      ON c.team_id = d.team_id AND c.person_id = d.person_id
    WHERE (i.team_id IS NOT NULL OR c.team_id IS NOT NULL) AND ` + within.team("d") + `
`
}

// joinedColumn is the value of a column of the persons table; is_deleted stands elsewhere. SAFE: the state may hold a
// document from a time when the column was a STRING, which nobody has looked at as JSON yet. One such document must not
// hold up the table; its row has NULL. Documents that come while the column is JSON are mended, or counted and kept with
// the rejects, before they get here.
func joinedColumn(c batch.Column) string {
	switch name := strings.ToLower(c.Name); name {
	case "team_id", "distinct_id", "person_id":
		return "m." + name
	case "person_distinct_id_version":
		return "m.version AS person_distinct_id_version"
	case "person_version":
		return "p.version AS person_version"
	case "created_at", "is_identified":
		return "p." + name
	case "properties":
		if c.Type == batch.JSONType {
			return "SAFE.PARSE_JSON(p.properties, wide_number_mode => 'round') AS properties"
		}
		return "p.properties"
	case ingestedColumn:
		return "@ingested_at AS " + ingestedColumn
	}
	return ""
}
