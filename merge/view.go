package merge

import (
	"strings"

	"tidemark/batch"
)

// View is a view that people ask for.
type View struct {
	Table       string
	Description string
	SQL         string // its query
}

// personsView is persons as a view over the states: what the table would hold, joined by who reads it. Merges then need no MERGE
// into a third table, which is most of what they are billed for.
func personsView(t batch.Target) (View, error) {
	sql, err := viewSQL(t)
	return View{
		Table: t.Table, SQL: sql,
		Description: "PostHog persons, one row per team and distinct id: a view over " + t.Table + personSuffix + " and " + t.Table + mappingSuffix + "; made by tidemark",
	}, err
}

// viewSQL joins the states as the MERGE into the persons table does: a mapping without a known person has no row.
func viewSQL(t batch.Target) (string, error) {
	var columns []string
	for _, c := range t.Columns {
		value := joinedColumn(c)
		switch strings.ToLower(c.Name) {
		case "is_deleted":
			value = deletedSQL + " AS is_deleted"
		case ingestedColumn:
			continue // when a row was written is not known of a row that nobody writes
		}
		if value != "" {
			columns = append(columns, value)
		}
	}
	where := ""
	if t.RemoveDeleted {
		where = "WHERE NOT (" + deletedSQL + ")\n"
	}
	return named(`SELECT
  `+strings.Join(columns, ",\n  ")+`
FROM {mapping_state} AS m
JOIN {person_state} AS p ON p.team_id = m.team_id AND p.person_id = m.person_id
`+where, t)
}

const deletedSQL = "IFNULL(m.is_deleted, FALSE) OR IFNULL(p.is_deleted, FALSE)"
