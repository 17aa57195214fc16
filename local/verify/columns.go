package verify

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/bigquery"
)

// column is one that can be checked against the message.
type column int

const (
	colUUID column = iota
	colEvent
	colProperties
	colElements
	colSet
	colSetOnce
	colDistinctID
	colTeamID
	colIP
	colSiteURL
	colTimestamp
	colPersonID
	colPersonProperties
	colPersonMode
	colCreatedAt
	colElementsChain
	colHistorical
	colKafkaTimestamp

	numColumns = iota
)

// name returns the column's name in the table.
func (c column) name() string {
	return [numColumns]string{
		"uuid", "event", "properties", "elements", "set", "set_once", "distinct_id", "team_id", "ip", "site_url", "timestamp",
		"person_id", "person_properties", "person_mode", "created_at", "elements_chain", "historical_migration", "_kafka_timestamp",
	}[c]
}

// document tells whether the column holds JSON documents.
func (c column) document() bool {
	return c == colProperties || c == colSet || c == colSetOnce || c == colPersonProperties
}

// Columns says which of the columns that can be checked a table has.
type Columns struct {
	list []column
	json [numColumns]bool // of type JSON
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

// digest is what is kept of cells: a hash that decides, and a byte per column
// that names the column when it does not match.
type digest struct {
	sum     [16]byte
	columns [numColumns]byte
}

// digest hashes the values of the table's columns.
func (c Columns) digest(values *cells) digest {
	var d digest
	sums := make([]byte, 0, numColumns*sha256.Size)
	for _, col := range c.list {
		value := &values[col]
		sum := [sha256.Size]byte{} // no text hashes to this: NULL
		if !value.null {
			sum = sha256.Sum256([]byte(value.text))
		}
		d.columns[col] = sum[0]
		sums = append(sums, sum[:]...)
	}
	total := sha256.Sum256(sums)
	copy(d.sum[:], total[:])
	return d
}

// differing names the columns in which two digests differ.
func (c Columns) differing(a, b digest) string {
	var names []string
	for _, col := range c.list {
		if a.columns[col] != b.columns[col] {
			names = append(names, col.name())
		}
	}
	if names == nil {
		return "a column" // its byte happens to be the same
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
