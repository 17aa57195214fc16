package verify

import (
	"fmt"
	"strings"

	"cloud.google.com/go/bigquery"
)

// column is one that can be checked against the message.
type column int

// The long ones come last: whoever concatenates copies what came before, again
// and again.
const (
	colUUID column = iota
	colEvent
	colDistinctID
	colTeamID
	colIP
	colSiteURL
	colTimestamp
	colPersonID
	colPersonMode
	colCreatedAt
	colHistorical
	colKafkaTimestamp
	colSet
	colSetOnce
	colElements
	colElementsChain
	colPersonProperties
	colProperties

	numColumns = iota
)

// name returns the column's name in the table.
func (c column) name() string {
	return [numColumns]string{
		"uuid", "event", "distinct_id", "team_id", "ip", "site_url", "timestamp", "person_id", "person_mode", "created_at",
		"historical_migration", "_kafka_timestamp", "set", "set_once", "elements", "elements_chain", "person_properties", "properties",
	}[c]
}

// document tells whether the column holds JSON documents.
func (c column) document() bool {
	return c == colProperties || c == colSet || c == colSetOnce || c == colPersonProperties
}

// Columns says which of the columns that can be checked a table has.
type Columns struct {
	list []column
	json [numColumns]bool   // of type JSON
	text [numColumns]string // SQL of the value in the form in which it is compared; "" where there is none
}

// NewColumns picks the columns to check from a table's schema. The table must
// say where each row came from (_kafka_topic, _kafka_partition, _kafka_offset)
// and have uuid and team_id. Columns unknown here are not looked at.
func NewColumns(schema bigquery.Schema) (Columns, error) {
	types := map[string]bigquery.FieldType{}
	for _, field := range schema {
		types[field.Name] = field.Type
	}
	var missing []string
	for _, name := range []string{"_kafka_topic", "_kafka_partition", "_kafka_offset", "uuid", "team_id"} {
		if types[name] == "" {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return Columns{}, fmt.Errorf("table has no %s; want them to tell where rows came from", strings.Join(missing, ", "))
	}
	var c Columns
	for col := column(0); col < numColumns; col++ {
		if kind := types[col.name()]; kind != "" {
			c.list = append(c.list, col)
			c.json[col] = kind == bigquery.JSONFieldType
			c.text[col] = textSQL(col, kind)
		}
	}
	return c, nil
}

// Names returns the names of the columns, in the order of Row.Values.
func (c Columns) Names() []string {
	names := make([]string, len(c.list))
	for i, col := range c.list {
		names[i] = col.name()
	}
	return names
}

// cell is a value in the form in which it is compared: text, or NULL.
type cell struct {
	text string
	null bool
}

// cells are the values of a message or row.
type cells [numColumns]cell
