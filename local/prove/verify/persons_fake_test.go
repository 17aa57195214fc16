package verify

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/option"

	"tidemark/local/generator"
)

// personWarehouse answers for a table of persons.
type personWarehouse struct {
	*warehouse
	schema bigquery.Schema
	table  [][]bigquery.Value // in the order of the schema
}

func newPersonWarehouse(t *testing.T, schema bigquery.Schema, table [][]bigquery.Value) *personWarehouse {
	return &personWarehouse{&warehouse{t: t}, schema, table}
}

func (w *personWarehouse) client() *bigquery.Client {
	server := httptest.NewServer(w)
	w.t.Cleanup(server.Close)
	c, err := bigquery.NewClient(w.t.Context(), "p", option.WithEndpoint(server.URL+"/bigquery/v2/"), option.WithoutAuthentication())
	require.NoError(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	return c
}

func (w *personWarehouse) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/datasets/d/tables/persons"):
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(map[string]any{"schema": w.wireSchema(w.schema)})
	case strings.HasSuffix(r.URL.Path, "/queries") && r.Method == http.MethodPost:
		rw.Header().Set("Content-Type", "application/json")
		var request struct{ Query string }
		_ = json.NewDecoder(r.Body).Decode(&request)
		if w.onRead != nil {
			w.once.Do(w.onRead)
		}
		w.mu.Lock()
		w.jobs = append(w.jobs, w.selected(request.Query))
		id := len(w.jobs) - 1
		w.mu.Unlock()
		w.page(rw, id, 0)
	default:
		w.warehouse.ServeHTTP(rw, r)
	}
}

// selected answers SELECT names FROM table.
func (w *personWarehouse) selected(sql string) func(page int) map[string]any {
	list, table, _ := strings.Cut(strings.TrimPrefix(sql, "SELECT "), " FROM ")
	require.Equal(w.t, "`p.d.persons`", table)
	var schema bigquery.Schema
	var columns []int
	for _, name := range strings.Split(list, ", ") {
		i := slices.IndexFunc(w.schema, func(f *bigquery.FieldSchema) bool { return "`"+f.Name+"`" == name })
		require.GreaterOrEqual(w.t, i, 0, name)
		schema, columns = append(schema, w.schema[i]), append(columns, i)
	}
	rows := make([][]bigquery.Value, len(w.table))
	for i, row := range w.table {
		for _, column := range columns {
			rows[i] = append(rows[i], row[column])
		}
	}
	return w.pages(schema, rows)
}

// personSchema has everything that a table of persons may have.
func personSchema(documents bigquery.FieldType) bigquery.Schema {
	return bigquery.Schema{
		{Name: "team_id", Type: bigquery.IntegerFieldType}, {Name: "distinct_id", Type: bigquery.StringFieldType},
		{Name: "person_id", Type: bigquery.StringFieldType}, {Name: "properties", Type: documents},
		{Name: "person_distinct_id_version", Type: bigquery.IntegerFieldType}, {Name: "person_version", Type: bigquery.IntegerFieldType},
		{Name: "created_at", Type: bigquery.TimestampFieldType}, {Name: "is_deleted", Type: bigquery.BooleanFieldType},
		{Name: "is_identified", Type: bigquery.BooleanFieldType}, {Name: "bq_ingested_timestamp", Type: bigquery.TimestampFieldType},
		{Name: "unknown_here", Type: bigquery.StringFieldType},
	}
}

// plainPerson is a message of either topic, read by encoding/json.
type plainPerson struct {
	TeamID     json.RawMessage `json:"team_id"`
	ID         string
	PersonID   string `json:"person_id"`
	DistinctID string `json:"distinct_id"`
	Properties string
	CreatedAt  string `json:"created_at"`
	Version    int64
	IsDeleted  int `json:"is_deleted"`
	Identified int `json:"is_identified"`
	team       int64
}

// personTable is what a straightforward loader makes of messages, in the order of
// personSchema and sorted by key.
func personTable(t *testing.T, messages []generator.PersonMessage, deletes Deletes, documents bigquery.FieldType) [][]bigquery.Value {
	persons, mappings := map[string]plainPerson{}, map[string]plainPerson{}
	for _, m := range messages {
		if m.Rejected {
			continue
		}
		var v plainPerson
		require.NoError(t, json.Unmarshal(m.Value, &v), "%s", m.Value)
		require.NoError(t, json.Unmarshal([]byte(strings.Trim(string(v.TeamID), `"`)), &v.team))
		into, key := persons, strconv.FormatInt(v.team, 10)+"/"+strings.ToLower(v.ID)
		if m.Topic == generator.MappingTopic {
			into, key = mappings, strconv.FormatInt(v.team, 10)+"/"+v.DistinctID
		}
		if before, ok := into[key]; !ok || before.Version < v.Version {
			into[key] = v
		}
	}
	var table [][]bigquery.Value
	for _, key := range slices.Sorted(maps.Keys(mappings)) {
		m := mappings[key]
		p, ok := persons[strconv.FormatInt(m.team, 10)+"/"+strings.ToLower(m.PersonID)]
		deleted := p.IsDeleted+m.IsDeleted > 0
		if !ok || deleted && deletes == DeletesRemove {
			continue
		}
		created, err := time.Parse(time.DateTime, p.CreatedAt)
		require.NoError(t, err)
		properties := p.Properties
		if documents == bigquery.JSONFieldType {
			properties = reformatted(t, mend(properties))
		}
		table = append(table, []bigquery.Value{
			m.team, m.DistinctID, strings.ToLower(m.PersonID), properties, m.Version, p.Version, created, deleted, p.Identified == 1, kafkaTime, "",
		})
	}
	return table
}
