package merge

import (
	"fmt"
	"strings"

	"tidemark/batch"
)

// bounds are the conditions that narrow down what the script reads: clustered tables are read by the block, and BigQuery leaves
// out blocks of which constants and parameters tell that nothing in them can match
// (cloud.google.com/bigquery/docs/querying-clustered-tables, 2026-08). All of a batch's keys lie within them.
type bounds struct {
	persons, distinctIDs, teams []batch.KeyRange
	whole                       bool // all keys there are, not those of a stage
}

func boundsOf(k batch.Keys) bounds {
	return bounds{persons: k.PersonRanges(), distinctIDs: k.DistinctIDRanges(), teams: k.Teams()}
}

// person and distinctID are conditions on a state's key, to be put behind others.
func (b bounds) person() string     { return keysSQL("person", "person_id", b.persons) }
func (b bounds) distinctID() string { return keysSQL("distinct_id", "distinct_id", b.distinctIDs) }

func keysSQL(name, column string, ranges []batch.KeyRange) string {
	var all []string
	for i := range ranges {
		all = append(all, fmt.Sprintf("t.team_id BETWEEN @%[1]s_first_team_%[3]d AND @%[1]s_last_team_%[3]d AND t.%[2]s BETWEEN @%[1]s_first_%[3]d AND @%[1]s_last_%[3]d", name, column, i))
	}
	return "\n  AND (" + strings.Join(all, "\n    OR ") + ")"
}

// team is a condition on the team of a table by its alias.
func (b bounds) team(alias string) string {
	if b.whole {
		return "TRUE"
	}
	var all []string
	for i := range b.teams {
		all = append(all, fmt.Sprintf("%s.team_id BETWEEN @first_team_%[2]d AND @last_team_%[2]d", alias, i))
	}
	if len(all) == 0 { // a stage without rows is not merged
		return "FALSE"
	}
	return "(" + strings.Join(all, " OR ") + ")"
}

// params are the values.
func (b bounds) params() (params []batch.Param) {
	for i, r := range b.teams {
		params = append(params, param("first_team_%d", i, r.FirstTeam), param("last_team_%d", i, r.LastTeam))
	}
	for name, ranges := range map[string][]batch.KeyRange{"person": b.persons, "distinct_id": b.distinctIDs} {
		for i, r := range ranges {
			params = append(params, param(name+"_first_team_%d", i, r.FirstTeam), param(name+"_last_team_%d", i, r.LastTeam),
				param(name+"_first_%d", i, r.First), param(name+"_last_%d", i, r.Last))
		}
	}
	return params
}

func param(name string, i int, value any) batch.Param {
	return batch.Param{Name: fmt.Sprintf(name, i), Value: value}
}
