package merge

// What the states are merged from where the stage of a batch is merged.
const (
	stagedPersons = `{stage}
  WHERE distinct_id IS NULL`
	stagedMappings = `{stage}
  WHERE distinct_id IS NOT NULL`
)

// personStateSQL keeps the latest version of each person in from. With remove, the properties of a deleted person go and
// the version stays, so that an older message that comes late does not bring the person back.
func personStateSQL(from, bounds string, remove bool) string {
	properties := "properties"
	if remove {
		properties = "IF(is_deleted, NULL, properties) AS properties"
	}
	return `MERGE {person_state} AS t
USING (
  SELECT team_id, person_id, version, is_deleted, ` + properties + `, created_at, is_identified
  FROM ` + from + `
  QUALIFY ROW_NUMBER() OVER (PARTITION BY team_id, person_id ORDER BY version DESC) = 1
) AS s
ON t.team_id = s.team_id AND t.person_id = s.person_id` + bounds + `
WHEN MATCHED AND IFNULL(t.version, -1) < s.version THEN UPDATE SET
  version = s.version, is_deleted = s.is_deleted, properties = s.properties, created_at = s.created_at, is_identified = s.is_identified
WHEN NOT MATCHED THEN
  INSERT (team_id, person_id, version, is_deleted, properties, created_at, is_identified)
  VALUES (s.team_id, s.person_id, s.version, s.is_deleted, s.properties, s.created_at, s.is_identified);
`
}

// mappingStateSQL keeps the latest version of each mapping in from.
func mappingStateSQL(from, bounds string) string {
	return `MERGE {mapping_state} AS t
USING (
  SELECT team_id, distinct_id, version, is_deleted, person_id
  FROM ` + from + `
  QUALIFY ROW_NUMBER() OVER (PARTITION BY team_id, distinct_id ORDER BY version DESC) = 1
) AS s
ON t.team_id = s.team_id AND t.distinct_id = s.distinct_id` + bounds + `
WHEN MATCHED AND IFNULL(t.version, -1) < s.version THEN UPDATE SET
  version = s.version, is_deleted = s.is_deleted, person_id = s.person_id
WHEN NOT MATCHED THEN
  INSERT (team_id, distinct_id, version, is_deleted, person_id)
  VALUES (s.team_id, s.distinct_id, s.version, s.is_deleted, s.person_id);
`
}
