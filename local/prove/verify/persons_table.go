package verify

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"
)

// personColumns are the columns of a table of persons that can be checked, but for
// its key.
type personColumns struct {
	names     []string
	documents Columns // which only says whether properties are JSON
}

// ingested is a column whose value nobody can know.
const ingested = "bq_ingested_timestamp"

// newPersonColumns picks the columns to check from a table's schema. The table
// must have team_id, distinct_id and person_id. Columns unknown here are not
// looked at, and those that it lacks are not missed.
func newPersonColumns(schema bigquery.Schema) (personColumns, error) {
	types := map[string]bigquery.FieldType{}
	for _, field := range schema {
		types[field.Name] = field.Type
	}
	var missing []string
	for _, name := range []string{"team_id", "distinct_id", "person_id"} {
		if types[name] == "" {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return personColumns{}, fmt.Errorf("table has no %s; want the columns of persons", strings.Join(missing, ", "))
	}
	var c personColumns
	for _, name := range []string{"person_id", "properties", "person_distinct_id_version", "person_version", "created_at", "is_deleted", "is_identified", ingested} {
		if types[name] != "" {
			c.names = append(c.names, name)
		}
	}
	c.documents.json[colProperties] = types["properties"] == bigquery.JSONFieldType
	return c, nil
}

// wanted returns the value that a row has to have in a column.
func (c personColumns) wanted(name string, row PersonRow) cell {
	switch name {
	case "person_id":
		return cell{text: row.PersonID}
	case "properties":
		return c.documents.documentCell(colProperties, row.Properties.StringVal)
	case "person_distinct_id_version":
		return cell{text: strconv.FormatInt(row.MappingVersion, 10)}
	case "person_version":
		return cell{text: strconv.FormatInt(row.PersonVersion, 10)}
	case "created_at":
		if !row.CreatedAt.Valid {
			return cell{null: true}
		}
		return micros(row.CreatedAt.Timestamp)
	case "is_deleted":
		return cell{text: strconv.FormatBool(row.IsDeleted)}
	case "is_identified":
		return cell{text: strconv.FormatBool(row.IsIdentified)}
	}
	return cell{}
}

// found returns the value that a row has, in the form in which it is compared.
func (c personColumns) found(name string, value bigquery.Value) cell {
	switch name {
	case "person_id":
		return c.documents.cell(colPersonID, value)
	case "properties":
		return c.documents.cell(colProperties, value)
	}
	found := c.documents.cell(colKafkaTimestamp, value)
	if name == ingested {
		return cell{null: found.null}
	}
	return found
}

// selectSQL selects the key and the columns of all rows.
func (c personColumns) selectSQL(table string) string {
	return "SELECT `team_id`, `distinct_id`, `" + strings.Join(c.names, "`, `") + "` FROM " + table
}

// readPersons compares all rows of the table.
func readPersons(ctx context.Context, client *bigquery.Client, table string, c *personComparison) error {
	it, err := client.Query(c.columns.selectSQL(table)).Read(ctx)
	if err != nil {
		return err
	}
	it.PageInfo().MaxSize = pageRows
	for {
		var values []bigquery.Value
		err := it.Next(&values)
		if errors.Is(err, iterator.Done) {
			return nil
		}
		if err != nil {
			return err
		}
		c.row(values)
	}
}
