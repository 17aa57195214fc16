package merge

import (
	"fmt"
	"slices"
	"strings"

	"tidemark/batch"
)

// mergeStatement returns the script that merges a stage of person changes; withStatus says that it updates the row of the
// status table as well.
//
// Versions are not negative, so -1 stands for NULL: older than any. Each version is compared on its own, a person's with
// the same person's and a mapping's with the same distinct id's, so that nothing older ever replaces anything newer,
// whatever arrives first and however it is cut into batches.
func mergeStatement(s stage, withStatus bool) (string, []batch.Param, error) {
	t, keys := s.table.Target, s.table.Keys
	if keys == nil {
		return "", nil, fmt.Errorf("manifest %s has no keys for table %s", s.manifest.ID, t)
	}
	sql, err := mergeSQL(t, s.name(), *keys, withStatus)
	params := append(boundsOf(*keys).params(), batch.Param{Name: "batch", Value: s.manifest.ID.String()}, batch.Param{Name: "rows", Value: s.table.Rows()})
	if withStatus {
		params = append(params, batch.Param{Name: "table_name", Value: t.Table})
	}
	if hasColumn(t, ingestedColumn) {
		params = append(params, batch.Param{Name: "ingested_at", Value: s.manifest.IngestedAt})
	}
	return sql, params, err
}

const ingestedColumn = "bq_ingested_timestamp"

func hasColumn(t batch.Target, name string) bool {
	return slices.ContainsFunc(t.Columns, func(c batch.Column) bool { return strings.EqualFold(c.Name, name) })
}

// mergeSQL is the script for the columns that the persons table has and for the kinds of changes in the stage: a MERGE
// with an UPDATE is billed for its whole target, so one without rows is left out.
func mergeSQL(t batch.Target, stage string, keys batch.Keys, withStatus bool) (string, error) {
	statements := []string{fenceSQL("last_batch = @batch, last_batch_rows = @rows, merged_at = CURRENT_TIMESTAMP()", withStatus) + assertStageSQL + assertSeededSQL}
	var doubled string
	within := boundsOf(keys)
	if len(within.persons) > 0 {
		statements = append(statements, personStateSQL(stagedPersons, within.person(), t.RemoveDeleted))
		doubled += doubledSQL("{person_state}", "person_id", "distinct_id IS NULL", within.person())
	}
	if len(within.distinctIDs) > 0 {
		statements = append(statements, mappingStateSQL(stagedMappings, within.distinctID()))
		doubled += doubledSQL("{mapping_state}", "distinct_id", "distinct_id IS NOT NULL", within.distinctID())
	}
	statements = append(statements, doubled)
	if !t.View {
		persons, err := personsSQL(t, within)
		if err != nil {
			return "", err
		}
		statements = append(statements, persons, doubledPersonsSQL(within))
	}
	staged, err := tableSQL(t.Project, t.Dataset, stage)
	if err != nil {
		return "", err
	}
	sql, err := transaction(t, statements)
	return strings.ReplaceAll(sql, "{stage}", staged), err
}

// assertStageSQL: a stage is loaded once and not changed.
const assertStageSQL = `ASSERT (SELECT COUNT(*) FROM {stage}) = @rows AS 'the stage table does not hold the rows that were loaded into it';
`

// personsSQL merges the join of the two states, for the keys that the stage touches: the distinct ids in it, and all
// distinct ids of the persons in it. The rows that it compares with are normally made of the same states, and then a row
// is either equal or older. In a table that somebody else has filled, one side may be newer, and stays.
//
// A distinct id that was moved to a person who is not known yet has no row until that person comes. Its old row would
// say something that is no longer true, and whether there is an old row at all depends on the order of arrival.
func personsSQL(t batch.Target, within bounds) (string, error) {
	var person, all []string // columns of the person's side; all that are filled
	for _, c := range t.Columns {
		name, err := columnSQL(c.Name)
		if err != nil {
			return "", err
		}
		all = append(all, name)
		if isPersonColumn(c.Name) {
			person = append(person, name)
		}
	}
	ingested, mapping := intersect(all, "`"+ingestedColumn+"`"), []string{"`person_distinct_id_version`"}
	deleted := func(value string) (set []string) {
		for _, column := range intersect(all, "`is_deleted`") {
			set = append(set, column+" = "+value)
		}
		return set
	}
	insert, remove := "WHEN NOT MATCHED AND s.known THEN", ""
	if t.RemoveDeleted {
		insert, remove = "WHEN NOT MATCHED AND s.known AND NOT s.is_deleted THEN", removeSQL
	}
	return `MERGE {persons} AS t
USING (
` + joinSQL(t, within) + `) AS s
ON t.team_id = s.team_id AND t.distinct_id = s.distinct_id AND ` + within.team("t") + `
WHEN MATCHED AND NOT s.known AND t.person_id IS DISTINCT FROM s.person_id AND ` + newerMapping + ` THEN DELETE
` + remove + `WHEN MATCHED AND ` + newerMapping + ` AND (t.person_id IS DISTINCT FROM s.person_id OR ` + newerPerson + `) THEN UPDATE SET
  ` + assign(deleted("s.is_deleted"), []string{"`person_id`"}, mapping, person, ingested) + `
WHEN MATCHED AND ` + newerMapping + ` THEN UPDATE SET
  ` + assign(deleted(keptPersonDeleted), mapping, ingested) + `
WHEN MATCHED AND t.person_id = s.person_id AND ` + newerPerson + ` THEN UPDATE SET
  ` + assign(deleted(keptMappingDeleted), person, ingested) + `
` + insert + `
  INSERT (` + strings.Join(all, ", ") + `)
  VALUES (s.` + strings.Join(all, ", s.") + `);
`, nil
}

const (
	newerMapping = "IFNULL(t.person_distinct_id_version, -1) < IFNULL(s.person_distinct_id_version, -1)"
	newerPerson  = "IFNULL(t.person_version, -1) < IFNULL(s.person_version, -1)"

	// Of a row that keeps one side, because the table's is newer, is_deleted is made of that side as far as it is known.
	// What is said of a newer person, or of one that has not come yet, is in the row; of a newer mapping nothing is known,
	// and the one in the state is not true any more.
	keptPersonDeleted  = "s.mapping_deleted OR IF(IFNULL(t.person_version, -1) <= s.person_version, s.person_deleted, IFNULL(t.is_deleted, FALSE))"
	keptMappingDeleted = "s.person_deleted OR s.mapping_deleted AND IFNULL(t.person_distinct_id_version, -1) <= IFNULL(s.person_distinct_id_version, -1)"

	// removeSQL deletes the rows of deleted mappings and of deleted persons, unless the table knows something newer of
	// just that.
	removeSQL = `WHEN MATCHED AND s.mapping_deleted AND IFNULL(t.person_distinct_id_version, -1) <= IFNULL(s.person_distinct_id_version, -1) THEN DELETE
WHEN MATCHED AND s.person_deleted AND (t.person_id = s.person_id AND IFNULL(t.person_version, -1) <= IFNULL(s.person_version, -1)
  OR t.person_id IS DISTINCT FROM s.person_id AND ` + newerMapping + `) THEN DELETE
`
)

// isPersonColumn says whether a column of the persons table comes from the person's side of the join.
func isPersonColumn(name string) bool {
	switch strings.ToLower(name) {
	case "properties", "person_version", "created_at", "is_identified":
		return true
	}
	return false
}

func intersect(columns []string, wanted ...string) (found []string) {
	for _, w := range wanted {
		if slices.ContainsFunc(columns, func(c string) bool { return strings.EqualFold(c, w) }) {
			found = append(found, w)
		}
	}
	return found
}

// assign sets columns to the source's values, behind what is set already.
func assign(sets []string, columns ...[]string) string {
	for _, column := range slices.Concat(columns...) {
		sets = append(sets, column+" = s."+column)
	}
	return strings.Join(sets, ", ")
}
