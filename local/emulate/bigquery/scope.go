package bigquery

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// scope is what the names in a query refer to.
type scope struct {
	catalog  *catalog
	project  string               // of the job
	dataset  *bq.DatasetReference // for tables without one; may be nil
	location string               // where all tables must be; set by the first if empty
	params   []*bq.QueryParameter
	used     int                    // of params without a name
	now      time.Time              // CURRENT_TIMESTAMP
	tables   map[tableRef]*bq.Table // that were found so far; may be nil
	scanned  scanned                // by the statement that is being planned
	joined   [][]token              // conditions of the join that the tables of a FROM clause are in
}

// resolve finds the table that a path names.
func (s *scope) resolve(path []string) (tableRef, error) {
	ref := tableRef{project: s.project}
	path = joinDomain(path)
	switch len(path) {
	case 1:
		if s.dataset == nil {
			return ref, invalid("Table %q must be qualified with a dataset (e.g. dataset.table).", path[0])
		}
		ref = tableRef{s.dataset.ProjectId, s.dataset.DatasetId, path[0]}
		if ref.project == "" {
			ref.project = s.project
		}
	case 2:
		ref.dataset, ref.table = path[0], path[1]
	case 3:
		ref = tableRef{path[0], path[1], path[2]}
	default:
		return ref, notImplemented("the table path %s", strings.Join(path, "."))
	}
	ref = s.catalog.canonical(ref)
	if strings.EqualFold(ref.dataset, "INFORMATION_SCHEMA") || strings.ContainsAny(ref.table, "*$@") {
		return ref, notImplemented("INFORMATION_SCHEMA, wildcard tables and decorators (%s)", strings.Join(path, "."))
	}
	return ref, s.locate(ref.parent())
}

// joinDomain puts a project's ID together that is in a domain and so has dots itself:
// example.com:project
// (docs.cloud.google.com/resource-manager/docs/creating-managing-projects).
func joinDomain(path []string) []string {
	for i, part := range path {
		if strings.Contains(part, ":") {
			return append([]string{strings.Join(path[:i+1], ".")}, path[i+1:]...)
		}
	}
	return path
}

// locate checks that the dataset is where the job is.
func (s *scope) locate(ref datasetRef) error {
	d, err := s.catalog.dataset(ref)
	if err != nil {
		return err
	}
	if s.location == "" {
		s.location = d.Location
	}
	if d.Location != s.location {
		return s.catalog.elsewhere(ref, s.location)
	}
	return nil
}

// read resolves the path of a table that exists.
func (s *scope) read(path []string) (tableRef, *bq.Table, error) {
	ref, err := s.resolve(path)
	if err != nil {
		return ref, nil, err
	}
	table, err := s.catalog.table(ref)
	if err == nil && s.tables != nil {
		s.tables[ref] = table
	}
	return ref, table, err
}

// param is a parameter's value as a DuckDB literal of its type. Values are spliced
// into the statement, so that its parts can be looked at apart.
func (s *scope) param(name string) (string, error) {
	if name == "?" {
		if s.used >= len(s.params) {
			return "", invalidQuery("Query parameter number %d not found", s.used+1)
		}
		s.used++
		return paramLiteral(s.params[s.used-1])
	}
	for _, p := range s.params {
		if strings.EqualFold(p.Name, name) {
			return paramLiteral(p)
		}
	}
	return "", invalidQuery("Query parameter '%s' not found", name)
}

func paramLiteral(p *bq.QueryParameter) (string, error) {
	if p.ParameterType == nil || p.ParameterValue == nil {
		return "", invalid("Query parameter '%s' has no type or value", p.Name)
	}
	if p.ParameterType.Type != "ARRAY" {
		return scalarLiteral(p.Name, p.ParameterType.Type, p.ParameterValue)
	}
	element := p.ParameterType.ArrayType
	if element == nil {
		return "", invalid("Query parameter '%s' has no element type", p.Name)
	}
	name, ok := typeName(element.Type)
	if !ok {
		return "", notImplemented("query parameters of type ARRAY<%s>", element.Type)
	}
	literals := make([]string, len(p.ParameterValue.ArrayValues))
	for i, value := range p.ParameterValue.ArrayValues {
		literal, err := scalarLiteral(p.Name, element.Type, value)
		if err != nil {
			return "", err
		}
		literals[i] = literal
	}
	return fmt.Sprintf("CAST([%s] AS %s[])", strings.Join(literals, ", "), duckType(name)), nil
}

// scalarLiteral is NULL if the value is absent, which is how the API says so.
func scalarLiteral(param, typ string, value *bq.QueryParameterValue) (string, error) {
	name, ok := typeName(typ)
	if !ok {
		return "", notImplemented("query parameters of type %s", typ)
	}
	if isNull(value) {
		return "CAST(NULL AS " + duckType(name) + ")", nil
	}
	switch name {
	case typeString:
		return quote(value.Value), nil
	case typeBytes:
		decoded, err := base64.StdEncoding.DecodeString(value.Value)
		if err != nil {
			return "", invalid("Invalid value for BYTES query parameter '%s'", param)
		}
		return bytesLiteral(string(decoded)), nil
	case typeJSON:
		return "bq_parse_json(" + quote(value.Value) + ", wide_number_mode := 'round')", nil
	}
	return "CAST(" + quote(value.Value) + " AS " + duckType(name) + ")", nil
}

// isNull tells an absent value from an empty one; see markValues.
func isNull(value *bq.QueryParameterValue) bool { return len(value.ForceSendFields) == 0 }

// markValues marks the values that the JSON of the parameters has as to be sent,
// which the API's types do not tell from absent ones when they are empty; the mark
// also keeps them when the job is recorded.
func markValues(encoded json.RawMessage, params []*bq.QueryParameter) {
	type value struct {
		Value       *string
		ArrayValues []value
	}
	var raw []struct{ ParameterValue value }
	if json.Unmarshal(encoded, &raw) != nil || len(raw) != len(params) {
		return // decoded before into params
	}
	mark := func(present *string, v *bq.QueryParameterValue) {
		if present != nil {
			v.ForceSendFields = []string{"Value"}
		}
	}
	for i, p := range params {
		if p.ParameterValue == nil {
			continue
		}
		mark(raw[i].ParameterValue.Value, p.ParameterValue)
		for k, element := range p.ParameterValue.ArrayValues {
			mark(raw[i].ParameterValue.ArrayValues[k].Value, element)
		}
	}
}

func bytesLiteral(b string) string { return "unhex('" + hex.EncodeToString([]byte(b)) + "')" }

// timeLiteral is a TIMESTAMP.
func timeLiteral(t time.Time) string {
	return "CAST('" + t.UTC().Format("2006-01-02 15:04:05.999999+00") + "' AS TIMESTAMPTZ)"
}
