package verify

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/option"
)

// warehouse answers the few calls that this package makes, in BigQuery's wire
// format and in small pages, from rows in memory.
type warehouse struct {
	t        *testing.T
	schema   bigquery.Schema
	rows     []Row
	unplaced int
	onRead   func() // called once before the first query is answered

	once sync.Once
	mu   sync.Mutex
	jobs []func(page int) map[string]any
}

const pageSize = 300

func (w *warehouse) client() *bigquery.Client {
	server := httptest.NewServer(w)
	w.t.Cleanup(server.Close)
	c, err := bigquery.NewClient(w.t.Context(), "p", option.WithEndpoint(server.URL+"/bigquery/v2/"), option.WithoutAuthentication())
	require.NoError(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	return c
}

func (w *warehouse) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	path := r.URL.Path
	switch {
	case strings.Contains(path, "/datasets/d/tables/events"):
		_ = json.NewEncoder(rw).Encode(map[string]any{"schema": w.wireSchema(w.schema)})
	case strings.HasSuffix(path, "/queries") && r.Method == http.MethodPost:
		var request struct{ Query string }
		_ = json.NewDecoder(r.Body).Decode(&request)
		if w.onRead != nil {
			w.once.Do(w.onRead)
		}
		w.mu.Lock()
		w.jobs = append(w.jobs, w.answer(request.Query))
		id := len(w.jobs) - 1
		w.mu.Unlock()
		w.page(rw, id, 0)
	case strings.Contains(path, "/queries/"):
		id, _ := strconv.Atoi(path[strings.LastIndex(path, "/")+1:])
		page, _ := strconv.Atoi(r.URL.Query().Get("pageToken"))
		w.page(rw, id, page)
	default:
		rw.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(rw, `{"error":{"code":404,"message":"not found","errors":[{"reason":"notFound"}]}}`)
	}
}

func (w *warehouse) page(rw http.ResponseWriter, id, page int) {
	w.mu.Lock()
	job := w.jobs[id]
	w.mu.Unlock()
	reply := job(page)
	reply["jobComplete"] = true
	reply["jobReference"] = map[string]any{"projectId": "p", "jobId": strconv.Itoa(id), "location": "US"}
	_ = json.NewEncoder(rw).Encode(reply)
}

// answer recognises the three queries.
func (w *warehouse) answer(sql string) func(page int) map[string]any {
	integer := func(name string) *bigquery.FieldSchema {
		return &bigquery.FieldSchema{Name: name, Type: bigquery.IntegerFieldType}
	}
	if strings.HasPrefix(sql, "SELECT COUNT(*)") {
		return w.pages(bigquery.Schema{integer("f0_")}, [][]bigquery.Value{{int64(w.unplaced)}})
	}
	match := regexp.MustCompile("`_kafka_partition` = (\\d+) ").FindStringSubmatch(sql)
	partition, err := strconv.Atoi(match[1])
	if err != nil {
		panic(err)
	}
	selected := bigquery.Schema{integer("_kafka_offset")}
	c, _ := NewColumns(w.schema)
	var rows [][]bigquery.Value
	if strings.Contains(sql, "SHA256(") {
		for _, r := range w.rows {
			if int(r.Partition) == partition {
				values := c.cells(r.Values)
				sum := c.digest(&values).sum
				rows = append(rows, []bigquery.Value{r.Offset, base64.StdEncoding.EncodeToString(sum[:])})
			}
		}
		return w.pages(append(selected, &bigquery.FieldSchema{Name: "f0_", Type: bigquery.BytesFieldType}), rows)
	}
	for _, name := range c.Names() {
		for _, field := range w.schema {
			if field.Name == name {
				selected = append(selected, field)
			}
		}
	}
	for _, r := range w.rows {
		if int(r.Partition) == partition {
			rows = append(rows, append([]bigquery.Value{r.Offset}, r.Values...))
		}
	}
	return w.pages(selected, rows)
}

func (w *warehouse) pages(schema bigquery.Schema, rows [][]bigquery.Value) func(int) map[string]any {
	return func(page int) map[string]any {
		start, end := min(page*pageSize, len(rows)), min((page+1)*pageSize, len(rows))
		var wire []any
		for _, row := range rows[start:end] {
			var cells []any
			for _, value := range row {
				cells = append(cells, map[string]any{"v": wireValue(value)})
			}
			wire = append(wire, map[string]any{"f": cells})
		}
		reply := map[string]any{"schema": w.wireSchema(schema), "rows": wire, "totalRows": strconv.Itoa(len(rows))}
		if end < len(rows) {
			reply["pageToken"] = strconv.Itoa(page + 1)
		}
		return reply
	}
}

func (w *warehouse) wireSchema(schema bigquery.Schema) map[string]any {
	var fields []map[string]any
	for _, field := range schema {
		fields = append(fields, map[string]any{"name": field.Name, "type": string(field.Type)})
	}
	return map[string]any{"fields": fields}
}

func wireValue(value bigquery.Value) any {
	switch value := value.(type) {
	case nil:
		return nil
	case time.Time:
		return strconv.FormatInt(value.UnixMicro(), 10)
	}
	return fmt.Sprint(value)
}
