package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gbq "cloud.google.com/go/bigquery"
	bq "google.golang.org/api/bigquery/v2"

	"tidemark/local/emulate/stack"
)

// scratch is the bucket in which JSON rows wait as Parquet; the connector lists its own bucket and must not see them.
const scratch = "peers-scratch"

// api is what the JVM finds behind Google's hosts: the embedded BigQuery and object store, and, translated into load jobs
// of Parquet, the two things that the embedded BigQuery refuses and the connector needs: insertAll and load jobs of JSON.
type api struct {
	stack  *stack.Stack
	schema gbq.Schema
	house  http.Handler
	store  http.Handler
	names  atomic.Int64

	mu       sync.Mutex
	inserted map[string]time.Time // by insertId
	repeated int                  // rows that insertAll left out
}

// insertWindow is for how long BigQuery knows an insertId, as well as it can
// (docs.cloud.google.com/bigquery/docs/streaming-data-into-bigquery#dataconsistency: "at least one minute").
const insertWindow = time.Minute

func newAPI(ctx context.Context, s *stack.Stack) (*api, error) {
	meta, err := s.Client.Dataset(stack.Dataset).Table(stack.Table).Metadata(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.Storage.Bucket(scratch).Create(ctx, stack.Project, nil); err != nil {
		return nil, err
	}
	a := &api{stack: s, schema: meta.Schema, inserted: map[string]time.Time{}}
	var houseErr, storeErr error
	a.house, houseErr = passOn(s.BigQuery.Endpoint())
	a.store, storeErr = passOn(s.GCS.Endpoint())
	return a, errors.Join(houseErr, storeErr)
}

// ServeHTTP implements http.Handler. The hosts share no path, so they are not told apart.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == "/token" || path == "/o/oauth2/token":
		answer(w, http.StatusOK, map[string]any{"access_token": "local", "token_type": "Bearer", "expires_in": 3600})
	case r.Method == http.MethodPost && strings.HasSuffix(path, "/insertAll"):
		a.insertAll(w, r)
	case r.Method == http.MethodPost && strings.HasPrefix(path, "/bigquery/v2/") && strings.HasSuffix(path, "/jobs"):
		a.insertJob(w, r)
	case strings.HasPrefix(path, "/bigquery/"):
		a.house.ServeHTTP(w, r)
	default:
		a.store.ServeHTTP(w, r)
	}
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // an error means that the client is gone
}

// refuse answers in the form of Google's errors.
func refuse(w http.ResponseWriter, code int, reason string, err error) {
	item := map[string]any{"reason": reason, "message": err.Error()}
	answer(w, code, map[string]any{"error": map[string]any{"code": code, "message": err.Error(), "errors": []any{item}}})
}

// insertRequest is the body of insertAll.
type insertRequest struct {
	Rows []struct {
		InsertID string         `json:"insertId"`
		JSON     map[string]any `json:"json"`
	} `json:"rows"`
	SkipInvalidRows     bool   `json:"skipInvalidRows"`
	IgnoreUnknownValues bool   `json:"ignoreUnknownValues"`
	TemplateSuffix      string `json:"templateSuffix"`
}

// insertAll inserts all rows or, if one is invalid, none, and tells which. A row whose insertId was seen within a minute is
// left out: BigQuery promises no more than to try, here it always succeeds, which is in the peer's favour.
func (a *api) insertAll(w http.ResponseWriter, r *http.Request) {
	var req insertRequest
	if err := decodeNumbers(r.Body, &req); err != nil {
		refuse(w, http.StatusBadRequest, "parseError", err)
		return
	}
	options := req.TemplateSuffix != "" || req.SkipInvalidRows || req.IgnoreUnknownValues
	if options || !strings.HasSuffix(r.URL.Path, "/tables/"+stack.Table+"/insertAll") {
		refuse(w, http.StatusNotImplemented, "notImplemented", fmt.Errorf("found insertAll with options, or into another table than %s", stack.Table))
		return
	}
	rows, err := newJSONRows(a.schema)
	if err != nil {
		refuse(w, http.StatusNotImplemented, "notImplemented", err)
		return
	}
	var faults []any
	for i, row := range req.Rows {
		if err := rows.check(row.JSON); err != nil {
			faults = append(faults, map[string]any{"index": i, "errors": []any{map[string]any{"reason": "invalid", "message": err.Error()}}})
		}
	}
	if len(faults) > 0 {
		answer(w, http.StatusOK, map[string]any{"kind": "bigquery#tableDataInsertAllResponse", "insertErrors": faults})
		return
	}
	ids := make([]string, 0, len(req.Rows))
	for _, row := range req.Rows {
		if a.fresh(row.InsertID) {
			rows.add(row.JSON)
			ids = append(ids, row.InsertID)
		}
	}
	if err := a.load(r.Context(), rows, len(ids)); err != nil {
		a.forget(ids)
		refuse(w, http.StatusServiceUnavailable, "backendError", err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"kind": "bigquery#tableDataInsertAllResponse"})
}

// fresh notes an insertId and says whether its row is to be inserted.
func (a *api) fresh(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at, seen := a.inserted[id]; id != "" && seen && time.Since(at) < insertWindow {
		a.repeated++
		return false
	}
	a.inserted[id] = time.Now()
	return true
}

// leftOut is how many rows insertAll has left out.
func (a *api) leftOut() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.repeated
}

func (a *api) forget(ids []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		delete(a.inserted, id)
	}
}

// load appends rows to the table. It goes on when the client is gone, as BigQuery does.
func (a *api) load(ctx context.Context, rows *jsonRows, n int) error {
	if n == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	uri, err := a.keep(ctx, rows)
	if err != nil {
		return err
	}
	source := gbq.NewGCSReference(uri)
	source.SourceFormat, source.Schema = gbq.Parquet, a.schema
	loader := a.stack.Client.Dataset(stack.Dataset).Table(stack.Table).LoaderFrom(source)
	loader.CreateDisposition, loader.WriteDisposition = gbq.CreateNever, gbq.WriteAppend
	job, err := loader.Run(ctx)
	if err != nil {
		return err
	}
	status, err := job.Wait(ctx)
	if err != nil {
		return err
	}
	return status.Err()
}

// keep stores rows as one object.
func (a *api) keep(ctx context.Context, rows *jsonRows) (uri string, err error) {
	encoded, err := rows.parquet()
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("%d.parquet", a.names.Add(1))
	w := a.stack.Storage.Bucket(scratch).Object(name).NewWriter(ctx)
	w.ChunkSize = 0 // in one request
	if _, err := w.Write(encoded); err != nil {
		return "", errors.Join(err, w.Close())
	}
	return "gs://" + scratch + "/" + name, w.Close()
}

// insertJob passes jobs on; a load job of JSON objects becomes one of a Parquet object with the same rows and job ID. A row
// that is invalid is refused at once, where BigQuery would accept the job and let it fail.
func (a *api) insertJob(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "parseError", err)
		return
	}
	var job bq.Job
	if err := json.Unmarshal(body, &job); err != nil {
		refuse(w, http.StatusBadRequest, "parseError", err)
		return
	}
	if job.Configuration != nil && job.Configuration.Load != nil && job.Configuration.Load.SourceFormat == "NEWLINE_DELIMITED_JSON" {
		if body, err = a.translate(r.Context(), &job); err != nil {
			refuse(w, http.StatusBadRequest, "invalid", err)
			return
		}
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Del("Content-Length")
	a.house.ServeHTTP(w, r)
}

// translate replaces the sources of a load job.
func (a *api) translate(ctx context.Context, job *bq.Job) ([]byte, error) {
	rows, err := newJSONRows(a.schema)
	if err != nil {
		return nil, err
	}
	load := job.Configuration.Load
	for _, uri := range load.SourceUris {
		if err := a.read(ctx, rows, uri); err != nil {
			return nil, fmt.Errorf("error while reading %s: %w", uri, err)
		}
	}
	uri, err := a.keep(ctx, rows)
	if err != nil {
		return nil, err
	}
	load.SourceFormat, load.SourceUris, load.CreateDisposition = "PARQUET", []string{uri}, "CREATE_NEVER"
	load.Schema = new(bq.TableSchema)
	for _, f := range a.schema {
		load.Schema.Fields = append(load.Schema.Fields, &bq.TableFieldSchema{Name: f.Name, Type: string(f.Type)})
	}
	return json.Marshal(job)
}

// read adds the rows of an object.
func (a *api) read(ctx context.Context, rows *jsonRows, uri string) error {
	bucket, name, ok := strings.Cut(strings.TrimPrefix(uri, "gs://"), "/")
	if !ok {
		return errors.New("want gs://bucket/object")
	}
	r, err := a.stack.Storage.Bucket(bucket).Object(name).NewReader(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // nothing is lost by a failing Close of a reader
	d := json.NewDecoder(r)
	d.UseNumber()
	for {
		var row map[string]any
		if err := d.Decode(&row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := rows.check(row); err != nil {
			return err
		}
		rows.add(row)
	}
}

func decodeNumbers(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	d.UseNumber()
	return d.Decode(v)
}
