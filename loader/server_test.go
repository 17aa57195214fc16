package loader

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

const testBucket = "bucket"

// fault replaces the reply of the next requests of one operation.
type fault struct {
	op     string // upload, attrs, read, list or bucket
	count  int
	status int // 0: the connection is cut
	reason string
	text   string // the message; empty is the reason
	apply  bool   // the request has its effect first: the reply is lost
	hang   bool   // no reply until the client gives up
}

// server is the part of Cloud Storage's JSON API that the adapter uses, with faults.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	objects  map[string][]byte
	metadata map[string]map[string]string // of the objects that have some
	faults   []*fault
	requests map[string]int // by operation
}

func newServer(t testing.TB) *server {
	s := &server{objects: map[string][]byte{}, metadata: map[string]map[string]string{}, requests: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// store returns the adapter, pointed at the server.
func (s *server) store(t testing.TB) *GCS {
	cfg := Config{Bucket: testBucket, Prefix: "tm", Compression: zstdName, GCSEndpoint: s.URL}
	require.NoError(t, cfg.Validate())
	g, err := NewGCS(t.Context(), cfg, NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	return g
}

func (s *server) inject(f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.count = max(f.count, 1)
	s.faults = append(s.faults, &f)
}

func (s *server) count(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[op]
}

func (s *server) object(name string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[name]
}

// ServeHTTP applies the fault around the true answer.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := operation(r)
	f := s.next(op)
	switch {
	case f == nil:
		s.answer(w, r, op)
		return
	case f.hang:
		_, _ = io.Copy(io.Discard, r.Body) // so that the server notices when the client leaves
		<-r.Context().Done()
		return
	case f.apply:
		s.answer(httptest.NewRecorder(), r, op)
	}
	if f.status == 0 {
		panic(http.ErrAbortHandler)
	}
	refuseWith(w, f.status, f.reason, cmp.Or(f.text, f.reason))
}

func (s *server) next(op string) *fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[op]++
	i := slices.IndexFunc(s.faults, func(f *fault) bool { return f.op == op && f.count > 0 })
	if i < 0 {
		return nil
	}
	s.faults[i].count--
	return s.faults[i]
}

func operation(r *http.Request) string {
	rest, inBucket := strings.CutPrefix(r.URL.Path, "/storage/v1/b/"+testBucket)
	switch {
	case strings.HasPrefix(r.URL.Path, "/upload/"):
		return "upload"
	case !inBucket:
		return "other"
	case rest == "":
		return "bucket"
	case rest == "/o":
		return "list"
	case r.URL.Query().Get("alt") == "media":
		return "read"
	}
	return "attrs"
}

func (s *server) answer(w http.ResponseWriter, r *http.Request, op string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/storage/v1/b/"+testBucket+"/o/")
	data, exists := s.objects[name]
	switch {
	case op == "upload":
		s.upload(w, r)
	case op == "bucket":
		reply(w, map[string]any{"name": testBucket, "location": "EU", "locationType": "dual-region",
			"customPlacementConfig": map[string]any{"dataLocations": []string{"EUROPE-WEST1", "EUROPE-WEST4"}}})
	case op == "list":
		s.list(w, r)
	case !exists:
		refuse(w, http.StatusNotFound, "notFound")
	case op == "read":
		w.Header().Set("X-Goog-Hash", "crc32c="+encodeCRC(checksum(data)))
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data)
	default:
		reply(w, resource(name, data))
	}
}

func (s *server) upload(w http.ResponseWriter, r *http.Request) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || r.URL.Query().Get("uploadType") != "multipart" || r.URL.Query().Get("ifGenerationMatch") != "0" {
		refuse(w, http.StatusBadRequest, "not an upload in one request with a precondition")
		return
	}
	parts := multipart.NewReader(r.Body, params["boundary"])
	var meta struct {
		Name, Crc32c string
		Metadata     map[string]string
	}
	part, err := parts.NextPart()
	if err == nil {
		err = json.NewDecoder(part).Decode(&meta)
	}
	if err == nil {
		part, err = parts.NextPart()
	}
	var data []byte
	if err == nil {
		data, err = io.ReadAll(part)
	}
	_, exists := s.objects[meta.Name]
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest, err.Error())
	case exists:
		refuse(w, http.StatusPreconditionFailed, "conditionNotMet")
	case meta.Crc32c != encodeCRC(checksum(data)):
		refuse(w, http.StatusBadRequest, "checksum")
	default:
		s.objects[meta.Name], s.metadata[meta.Name] = data, meta.Metadata
		reply(w, resource(meta.Name, data))
	}
}

// list answers in pages of two.
func (s *server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var names []string
	for name := range s.objects {
		if strings.HasPrefix(name, q.Get("prefix")) && name >= q.Get("startOffset") && name > q.Get("pageToken") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	answer := map[string]any{}
	if len(names) > 2 {
		names = names[:2]
		answer["nextPageToken"] = names[1]
	}
	items := []any{}
	for _, name := range names {
		items = append(items, map[string]any{"name": name, "metadata": s.metadata[name]})
	}
	answer["items"] = items
	reply(w, answer)
}

func resource(name string, data []byte) map[string]any {
	return map[string]any{"bucket": testBucket, "name": name, "size": fmt.Sprint(len(data)), "crc32c": encodeCRC(checksum(data)), "generation": "7"}
}

func encodeCRC(crc uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, reason string) { refuseWith(w, status, reason, reason) }

func refuseWith(w http.ResponseWriter, status int, reason, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": status, "message": text, "errors": []any{map[string]any{"reason": reason, "message": text}},
	}})
}
