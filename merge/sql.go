package merge

import (
	"fmt"
	"strings"

	"tidemark/batch"
)

// insertSQL moves all rows of the stage into the target. wide_number_mode 'round' lets BigQuery take a number that has
// no exact FLOAT64, as it does in JSON it loads by itself, where the default fails the statement, and with it the batch
// (cloud.google.com/bigquery/docs/reference/standard-sql/json_functions#parse_json).
//
// Both column lists are spelled out: a target has further columns, in any order.
func insertSQL(t batch.Target, stage string) (string, error) {
	into, err := tableSQL(t.Project, t.Dataset, t.Table)
	if err != nil {
		return "", err
	}
	from, err := tableSQL(t.Project, t.Dataset, stage)
	if err != nil {
		return "", err
	}
	names, values := make([]string, len(t.Columns)), make([]string, len(t.Columns))
	for i, c := range t.Columns {
		if names[i], err = columnSQL(c.Name); err != nil {
			return "", err
		}
		values[i] = names[i]
		if c.Type == batch.JSONType {
			values[i] = fmt.Sprintf("PARSE_JSON(%s, wide_number_mode => 'round')", names[i])
		}
	}
	const sep = ",\n  "
	return fmt.Sprintf("INSERT INTO %s (\n  %s\n)\nSELECT\n  %s\nFROM %s\n", into, strings.Join(names, sep), strings.Join(values, sep), from), nil
}

// tableSQL quotes a table's full name. Names that would need escaping are refused: the configuration allows none, and a
// manifest that has one was written by something else.
func tableSQL(project, dataset, table string) (string, error) {
	// A project ID may have a domain: example.com:project.
	if !plain(project, "-.:") || !plain(dataset, "") || !plain(table, "-") {
		return "", fmt.Errorf("table name %q has characters other than letters, digits, _ and -", project+"."+dataset+"."+table)
	}
	return "`" + project + "." + dataset + "." + table + "`", nil
}

// columnSQL quotes a column's name: some, like set, are keywords.
func columnSQL(name string) (string, error) {
	if !plain(name, "") {
		return "", fmt.Errorf("column name %q has characters other than letters, digits and _", name)
	}
	return "`" + name + "`", nil
}

// plain says whether name has only ASCII letters, digits, underscores, and what extra lists.
func plain(name, extra string) bool {
	for _, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && !(r >= '0' && r <= '9') && r != '_' && !strings.ContainsRune(extra, r) {
			return false
		}
	}
	return name != ""
}
