package bigquery

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
	"google.golang.org/api/googleapi"
)

// request is a call of an API method.
type request struct {
	op      string
	path    string
	project string
	dataset string
	table   string
	job     string
	query   url.Values
	ifMatch string
	body    []byte
}

// endpointFunc has the method's effect and returns what to answer; nil is no content.
type endpointFunc func(context.Context, *request) (any, error)

// handler serves the methods below the path that the client's endpoint has: the
// client resolves projects/… against it, whatever it is.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, e := range s.routes() {
		mux.Handle(pattern, s.endpointHandler(e.op, e.f))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		// Uploads, streaming inserts, models, routines: a client does not repeat a 501.
		writeError(w, notImplemented("%s %s", r.Method, r.URL.Path))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, base := range []string{"/bigquery/v2/", "/bigquery/"} {
			if rest, ok := strings.CutPrefix(r.URL.Path, base); ok {
				r.URL.Path, r.URL.RawPath = "/"+rest, ""
				break
			}
		}
		mux.ServeHTTP(w, r)
	})
}

// route is a method's name and what it does.
type route struct {
	op string
	f  endpointFunc
}

// routes maps patterns to methods
// (docs.cloud.google.com/bigquery/docs/reference/rest).
func (s *Server) routes() map[string]route {
	const datasets, tables = "/projects/{project}/datasets", "/projects/{project}/datasets/{dataset}/tables"
	const jobs, queries = "/projects/{project}/jobs", "/projects/{project}/queries"
	return map[string]route{
		"POST " + datasets:                  {"datasets.insert", s.datasetsInsert},
		"GET " + datasets:                   {"datasets.list", s.datasetsList},
		"GET " + datasets + "/{dataset}":    {"datasets.get", s.datasetsGet},
		"PATCH " + datasets + "/{dataset}":  {"datasets.patch", s.datasetsPatch},
		"DELETE " + datasets + "/{dataset}": {"datasets.delete", s.datasetsDelete},
		"POST " + tables:                    {"tables.insert", s.tablesInsert},
		"GET " + tables:                     {"tables.list", s.tablesList},
		"GET " + tables + "/{table}":        {"tables.get", s.tablesGet},
		"PATCH " + tables + "/{table}":      {"tables.patch", s.tablesPatch},
		"DELETE " + tables + "/{table}":     {"tables.delete", s.tablesDelete},
		"POST " + tables + "/{table}":       {"tables.testIamPermissions", s.tablesTestIamPermissions},
		"GET " + tables + "/{table}/data":   {"tabledata.list", s.tabledataList},
		"POST " + jobs:                      {"jobs.insert", s.jobsInsert},
		"GET " + jobs:                       {"jobs.list", s.jobsList},
		"GET " + jobs + "/{job}":            {"jobs.get", s.jobsGet},
		"POST " + jobs + "/{job}/cancel":    {"jobs.cancel", s.jobsCancel},
		"POST " + queries:                   {"jobs.query", s.jobsQuery},
		"GET " + queries + "/{job}":         {"jobs.getQueryResults", s.jobsGetQueryResults},
	}
}

// endpointHandler reads the request, has the faults before and after its effect,
// and answers.
func (s *Server) endpointHandler(op string, f endpointFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave, ok := s.enter()
		if !ok {
			panic(http.ErrAbortHandler)
		}
		defer leave()
		req, err := readRequest(op, r)
		if err != nil {
			writeError(w, err)
			return
		}
		call := req.call()
		if s.broken(w, r, s.cfg.Faults.Request(Before, call)) {
			return
		}
		reply, err := f(r.Context(), req)
		if s.broken(w, r, s.cfg.Faults.Request(After, call)) {
			return
		}
		if err != nil {
			writeError(w, err)
			return
		}
		writeReply(w, reply)
	})
}

// broken suffers the fault, and reports true if there is nothing more to answer.
func (s *Server) broken(w http.ResponseWriter, r *http.Request, fault Fault) bool {
	if err := pause(r.Context(), fault.Delay, fault.Hold); err != nil || fault.Drop {
		panic(http.ErrAbortHandler) // net/http's way to cut a connection quietly
	}
	if fault.Case != "" {
		writeError(w, s.catalog.phrases.refuse(fault.Case, deniedAbout(tableRef{r.PathValue("project"), r.PathValue("dataset"), r.PathValue("table")})))
	} else if fault.Status != 0 {
		reason := fault.Reason
		if reason == "" {
			reason = statusReason(fault.Status)
		}
		writeError(w, &apiError{code: fault.Status, reason: reason, message: "injected"})
	}
	return fault.breaks()
}

// maxBody is BigQuery's limit for a request, by which a load job with 10,000 long
// URIs fits (docs.cloud.google.com/bigquery/quotas#api_request_quotas: 10 MB).
const maxBody = 10 << 20

func readRequest(op string, r *http.Request) (*request, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, invalid("Read request: %v", err)
	}
	return &request{
		op:      op,
		path:    r.URL.Path,
		project: r.PathValue("project"),
		dataset: r.PathValue("dataset"),
		table:   r.PathValue("table"),
		job:     r.PathValue("job"),
		query:   r.URL.Query(),
		ifMatch: r.Header.Get("If-Match"),
		body:    body,
	}, nil
}

// call is the request as faults see it.
func (r *request) call() Call {
	call := Call{Op: r.op, Path: r.path, Table: r.table, JobID: r.job}
	switch r.op {
	case "jobs.insert":
		var job bq.Job
		if r.decode(&job) == nil {
			if job.JobReference != nil {
				call.JobID = job.JobReference.JobId
			}
			if c := job.Configuration; c != nil && c.Load != nil && c.Load.DestinationTable != nil {
				call.Table = c.Load.DestinationTable.TableId
			}
		}
	case "tables.insert":
		var table bq.Table
		if r.decode(&table) == nil && table.TableReference != nil {
			call.Table = table.TableReference.TableId
		}
	case "tables.testIamPermissions":
		call.Table, _, _ = strings.Cut(r.table, ":")
	}
	return call
}

// decode reads the body, which a client library has made.
func (r *request) decode(v any) error {
	if err := json.Unmarshal(r.body, v); err != nil {
		return invalid("Invalid JSON payload received: %v", err)
	}
	return nil
}

func (r *request) datasetRef() datasetRef { return datasetRef{r.project, r.dataset} }

func (r *request) tableRef() tableRef { return tableRef{r.project, r.dataset, r.table} }

func writeReply(w http.ResponseWriter, reply any) {
	if reply == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if table, ok := reply.(tableReply); ok {
		table.write(w)
		return
	}
	_ = json.NewEncoder(w).Encode(reply) // an error means that the client is gone
}

// tableReply is a reply with rows that are encoded already. An encoder would look
// at every byte of them once more.
type tableReply struct {
	fields map[string]any // at least one
	rows   []json.RawMessage
}

func (t tableReply) write(w io.Writer) {
	fields := mustJSON(t.fields)
	b := bufio.NewWriterSize(w, 64<<10)
	_, _ = b.WriteString(strings.TrimSuffix(fields, "}")) // errors of b stay, and mean that the client is gone
	separator := `,"rows":[`
	for _, row := range t.rows {
		_, _ = b.WriteString(separator)
		_, _ = b.Write(row)
		separator = ","
	}
	if len(t.rows) == 0 {
		_, _ = b.WriteString(separator)
	}
	_, _ = b.WriteString("]}\n")
	_ = b.Flush()
}

// writeError answers in the form that googleapi.CheckResponse reads.
func writeError(w http.ResponseWriter, err error) {
	e := asAPIError(err)
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(e.code)
	_, _ = fmt.Fprintf(w, `{"error":%s}`, mustJSON(map[string]any{ // as above
		"code":    e.code,
		"message": e.message,
		"errors":  []googleapi.ErrorItem{{Reason: e.reason, Message: e.message}},
	}))
}
