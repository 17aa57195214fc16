package model

// PersonColumns returns the columns of the persons model: first those of tables
// which tidemark creates, then the further ones it fills if a table has them. The
// slice is the caller's.
//
// The created ones are the seven that PostHog documents for its BigQuery export,
// in that order, and is_deleted, which its tables have since 2025-02 though the
// documentation does not say so: without it a deleted person looks like any other.
//
// Sources: https://posthog.com/docs/cdp/batch-exports/bigquery, read 2026-09;
// https://github.com/PostHog/posthog/pull/28684.
func PersonColumns() []Column {
	return []Column{
		{Name: "team_id", Type: Int64, Created: true, Description: "ID of the PostHog team (project)."},
		{Name: "distinct_id", Type: String, Created: true, Description: "ID of a person or device that sends events. One row per team and distinct id."},
		{Name: "person_id", Type: String, Created: true, Description: "ID of the person the distinct id belongs to, a UUID."},
		{Name: "properties", Type: String, JSON: true, Created: true, Description: "All properties of the person, a JSON object."},
		{Name: "person_distinct_id_version", Type: Int64, Created: true, Description: "Version of the distinct id's belonging to the person; higher is later."},
		{Name: "person_version", Type: Int64, Created: true, Description: "Version of the person; higher is later."},
		{Name: "created_at", Type: Timestamp, Created: true, Description: "When the person was created."},
		{Name: "is_deleted", Type: Bool, Created: true, Description: "Whether the person or the distinct id was deleted."},
		{Name: "is_identified", Type: Bool, Description: "Whether the person was identified."},
		{Name: "bq_ingested_timestamp", Type: Timestamp, Description: "When the batch that last wrote the row was opened; it was written up to a period later."},
	}
}

// ChangeColumns returns the columns of the rows that changes become, in order. It
// is not a table people see: the persons table is merged from it. In rows of
// persons distinct_id is NULL; in those of mappings properties, created_at and
// is_identified are. The slice is the caller's.
func ChangeColumns() []Column {
	return []Column{
		{Name: "team_id", Type: Int64, Created: true, Description: "ID of the PostHog team (project)."},
		{Name: "person_id", Type: String, Created: true, Description: "ID of the person, a UUID in lower case."},
		{Name: "distinct_id", Type: String, Created: true, Description: "ID that the change maps to the person; NULL if the change is the person's."},
		{Name: "version", Type: Int64, Created: true, Description: "Version of the person or of the mapping; higher is later."},
		{Name: "is_deleted", Type: Bool, Created: true, Description: "Whether the change deletes the person or the mapping."},
		{Name: "properties", Type: String, JSON: true, Created: true, Description: "All properties of the person, a JSON object."},
		{Name: "created_at", Type: Timestamp, Created: true, Description: "When the person was created."},
		{Name: "is_identified", Type: Bool, Created: true, Description: "Whether the person was identified."},
	}
}
