package model

import "github.com/apache/arrow/go/v17/arrow"

// Column is one column tidemark knows how to fill.
type Column struct {
	Name string // exact name in the table
	Type Type   // type of the values

	// JSON says that the values are JSON documents. A table may have such a
	// column as STRING or as JSON.
	JSON bool
	// Created says that the column is part of tables which tidemark creates. The
	// others are filled where a table has them.
	Created bool
	// Description is set as the BigQuery description of a created column.
	Description string
}

// EventColumns returns the columns of the events model: first the twelve that
// PostHog documents for its BigQuery export, in that order, then the further
// ones tidemark fills if a table has them. The slice is the caller's.
//
// Source: https://posthog.com/docs/cdp/batch-exports/bigquery, read 2026-09.
func EventColumns() []Column {
	return append(documentedEventColumns(), optionalEventColumns()...)
}

func documentedEventColumns() []Column {
	return []Column{
		{Name: "uuid", Type: String, Created: true, Description: "Unique ID of the event."},
		{Name: "event", Type: String, Created: true, Description: "Name of the event."},
		{Name: "properties", Type: String, JSON: true, Created: true, Description: "All properties of the event, a JSON object."},
		{Name: "elements", Type: String, Created: true, Description: "Elements of an autocaptured event as a JSON string. Deprecated by PostHog."},
		{Name: "set", Type: String, JSON: true, Created: true, Description: "Person properties to set, a JSON object: $set of the properties."},
		{Name: "set_once", Type: String, JSON: true, Created: true, Description: "Person properties to set unless they are set, a JSON object: $set_once of the properties."},
		{Name: "distinct_id", Type: String, Created: true, Description: "ID of the person or device that sent the event."},
		{Name: "team_id", Type: Int64, Created: true, Description: "ID of the PostHog team (project)."},
		{Name: "ip", Type: String, Created: true, Description: "IP address of the sender: $ip of the properties."},
		{Name: "site_url", Type: String, Created: true, Description: "Always empty. Deprecated by PostHog."},
		{Name: "timestamp", Type: Timestamp, Created: true, Description: "When the event happened."},
		{Name: "bq_ingested_timestamp", Type: Timestamp, Created: true, Description: "When the batch that brought the event was opened; the row is there up to a period later."},
	}
}

func optionalEventColumns() []Column {
	return []Column{
		{Name: "person_id", Type: String, Description: "ID of the person when the event was ingested."},
		{Name: "person_properties", Type: String, JSON: true, Description: "Properties of the person when the event was ingested, a JSON object."},
		{Name: "person_mode", Type: String, Description: "How the person was processed: full, propertyless or force_upgrade."},
		{Name: "created_at", Type: Timestamp, Description: "When PostHog's ingestion wrote the event."},
		{Name: "elements_chain", Type: String, Description: "Elements of an autocaptured event, as PostHog stores them."},
		{Name: "historical_migration", Type: Bool, Description: "Whether the event came with a historical import."},
		{Name: "_kafka_topic", Type: String, Description: "Kafka topic the event was read from."},
		{Name: "_kafka_partition", Type: Int64, Description: "Kafka partition the event was read from."},
		{Name: "_kafka_offset", Type: Int64, Description: "Offset of the event in its Kafka partition."},
		{Name: "_kafka_timestamp", Type: Timestamp, Description: "Timestamp of the Kafka record."},
	}
}

// Selected is a column that a destination table has and tidemark fills.
type Selected struct {
	Column

	// Loadable says that the table's column has the type JSON, so that its text
	// has to pass PARSE_JSON. It is only meaningful if Column.JSON is set.
	Loadable bool
}

// Schema returns the Arrow schema of the selected columns, in their order. All
// fields are nullable, as are all columns of PostHog's tables.
func Schema(cols []Selected) *arrow.Schema {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type.Arrow(), Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}
