package destination

import (
	"fmt"
	"slices"
	"strings"

	"tidemark/batch"
	"tidemark/model"
)

// matched is a known column that the table has, with the table's type.
type matched struct {
	model.Selected
	found string
}

// match returns the known columns that the table has, in the order of known, or everything that makes the table
// impossible to load, needed columns that are missing among it. Names are compared without regard to case, as BigQuery does
// (cloud.google.com/bigquery/docs/schemas#column_names): a column UUID is the known column uuid, and a table cannot have
// both.
func match(table Table, known []model.Column, needed []string) (columns []matched, faults []string) {
	if table.Kind != "" && table.Kind != "TABLE" {
		return nil, []string{fmt.Sprintf("it is of the kind %s; want a TABLE", table.Kind)}
	}
	for _, field := range table.Fields {
		if field.Required {
			faults = append(faults, required(field))
		}
	}
	for _, c := range known {
		need := slices.Contains(needed, c.Name)
		i := slices.IndexFunc(table.Fields, func(f Field) bool { return strings.EqualFold(f.Name, c.Name) })
		if i < 0 && need {
			faults = append(faults, fmt.Sprintf("column %s is missing; want %s: rows are merged by it", c.Name, wanted(c)))
		}
		if i < 0 {
			continue
		}
		field := table.Fields[i]
		if field.Repeated || !accepts(c, field.Type) {
			faults = append(faults, fmt.Sprintf("column %s has type %s; want %s", field.Name, typeName(field), wanted(c)))
			continue
		}
		loadable := field.Type == batch.JSONType
		columns = append(columns, matched{model.Selected{Column: c, Loadable: loadable}, field.Type})
	}
	if len(faults) == 0 && len(columns) == 0 {
		faults = append(faults, fmt.Sprintf("it has none of the known columns (%s, %s, %s, …)", known[0].Name, known[1].Name, known[2].Name))
	}
	return columns, faults
}

// required explains why a REQUIRED column is refused, known or not: an unknown one would get no value, and for a known
// one the load job's schema says NULLABLE, which BigQuery answers with "Field … has changed mode from REQUIRED to
// NULLABLE" (googleapis/google-cloud-python issue 8093).
func required(f Field) string {
	return fmt.Sprintf("column %s is REQUIRED; want NULLABLE (ALTER COLUMN %s DROP NOT NULL)", f.Name, f.Name)
}

// accepts says whether the column's values can be loaded into a table column of a type. The types must be equal, except
// that a JSON document fits STRING and JSON.
func accepts(c model.Column, found string) bool {
	return found == c.Type.String() || c.JSON && found == batch.JSONType
}

func wanted(c model.Column) string {
	if c.JSON {
		return c.Type.String() + " or " + batch.JSONType
	}
	return c.Type.String()
}

func typeName(f Field) string {
	if f.Repeated {
		return "ARRAY<" + f.Type + ">"
	}
	return f.Type
}
