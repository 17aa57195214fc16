package bigquery

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
)

// datasetRef names a dataset.
type datasetRef struct{ project, dataset string }

func (r datasetRef) String() string { return r.project + ":" + r.dataset }

// tableRef names a table.
type tableRef struct{ project, dataset, table string }

func (r tableRef) parent() datasetRef { return datasetRef{r.project, r.dataset} }

func (r tableRef) String() string { return r.project + ":" + r.dataset + "." + r.table }

// dotted is how some of BigQuery's messages write the table.
func (r tableRef) dotted() string { return r.project + "." + r.dataset + "." + r.table }

// key names the dataset in the store; project IDs may have colons and dots.
func (r datasetRef) key() string { return r.project + "/" + r.dataset }

// key names the table in the store.
func (r tableRef) key() string { return r.parent().key() + "/" + r.table }

// schema is the DuckDB schema that holds the dataset's tables, quoted.
func (r datasetRef) schema() string { return ident(exact(r.String())) }

// physical is the DuckDB table, quoted and with its schema.
func (r tableRef) physical() string { return r.parent().schema() + "." + ident(exact(r.table)) }

// exact makes a name that DuckDB, which ignores case, tells apart from those that
// differ in case only, as BigQuery does
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/lexical#case_sensitivity).
// A name in lower case stays what it is, so that messages read well; # occurs in
// no BigQuery name.
func exact(name string) string {
	if strings.ToLower(name) == name {
		return name
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name)) // never fails
	return fmt.Sprintf("%s#%016x", name, hash.Sum64())
}

// ident quotes an identifier for DuckDB.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quote makes a DuckDB string literal. A NUL would end the statement's text, so it
// is spliced in.
func quote(s string) string {
	literal := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if !strings.ContainsRune(literal, 0) {
		return literal
	}
	return "(" + strings.ReplaceAll(literal, "\x00", "' || chr(0) || '") + ")"
}

// idents quotes each of names and joins them with commas.
func idents(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = ident(name)
	}
	return strings.Join(quoted, ", ")
}

// Limits of names: docs.cloud.google.com/bigquery/docs/datasets#dataset-naming,
// /tables#table_naming (there more generous: any letter, mark, number, connector,
// dash or space), /schemas#column_names and /reference/rest/v2/JobReference.
const (
	datasetPattern = `^[A-Za-z0-9_]+$`
	tablePattern   = `^[\p{L}\p{M}\p{N}\p{Pc}\p{Pd}\p{Zs}]+$`
	columnPattern  = `^[A-Za-z_][A-Za-z0-9_]*$`
	jobPattern     = `^[A-Za-z0-9_-]+$`
)

const (
	maxName       = 1024 // bytes of the names of datasets and tables, characters of a job's
	maxColumnName = 300
)

// checkName refuses a name that is too long or does not match the pattern.
func checkName(what, name, pattern string) error {
	if matched, err := regexp.MatchString(pattern, name); err != nil || !matched || len(name) > maxName {
		return invalid("Invalid %s ID %q", what, name)
	}
	return nil
}

// checkColumnName also refuses BigQuery's reserved prefixes.
func checkColumnName(name string) error {
	if err := checkName("column", name, columnPattern); err != nil {
		return err
	}
	if len(name) > maxColumnName {
		return invalid("Invalid field name %q: longer than %d characters", name, maxColumnName)
	}
	upper := strings.ToUpper(name)
	for _, prefix := range []string{"_TABLE_", "_FILE_", "_PARTITION", "_ROW_TIMESTAMP", "__ROOT__", "_COLIDENTIFIER", "_CHANGE_"} {
		if strings.HasPrefix(upper, prefix) {
			return invalid("Invalid field name %q: the prefix %s is reserved", name, prefix)
		}
	}
	return nil
}

// sameLocation writes multi-regions in upper case and regions in lower case, as
// BigQuery does whatever it is given; none is US.
func sameLocation(location string) string {
	switch upper := strings.ToUpper(location); upper {
	case "":
		return "US"
	case "US", "EU":
		return upper
	}
	return strings.ToLower(location)
}
