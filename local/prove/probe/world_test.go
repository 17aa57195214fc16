package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/iterator"

	"tidemark/loader"
	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
	"tidemark/probe"
)

// world is embedded services, and what the command is configured with for them.
type world struct {
	*stack.Stack
	cfg    probe.Config
	faults *bigquery.FaultScript
	said   lines
}

// lines keeps the progress, and shows each line to seen.
type lines struct {
	mu   sync.Mutex
	all  []string
	seen func(line string)
}

func (l *lines) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprintf(format, args...))
	if l.seen != nil {
		l.seen(l.all[len(l.all)-1])
	}
}

// start starts embedded services, without a Kafka, which no probe needs.
func start(t *testing.T) *world {
	t.Helper()
	faults := bigquery.NewFaultScript()
	s := harness.StartStack(t, stack.Config{
		Brokers: []string{"unused"}, NoTable: true,
		// With a thread for each query, one that keeps a transaction open takes no worker away from the others.
		BigQuery: bigquery.Config{Async: true, Faults: faults, Threads: 1},
	})
	return &world{Stack: s, faults: faults, cfg: probe.Config{
		Project: stack.Project, Dataset: stack.Dataset,
		Loader:           loader.Config{Bucket: stack.Bucket, Prefix: "tidemark", Compression: "zstd", GCSEndpoint: s.GCS.Endpoint()},
		BigQueryEndpoint: s.BigQuery.Endpoint(),
		MaxCost:          probe.DefaultMaxCost, MergeBytes: 1_200_000, Overlap: 1500 * time.Millisecond,
	}}
}

// run runs probes, all if none are named.
func (w *world) run(ctx context.Context, t *testing.T, only ...string) (*probe.Report, error) {
	t.Helper()
	cfg := w.cfg
	cfg.Only = only
	report, err := probe.Run(ctx, cfg, probe.Connect(cfg), w.said.say)
	var table strings.Builder
	report.WriteTable(&table)
	t.Log("\n" + table.String())
	return report, err
}

// answerOf finds the answer of a question, which there must be once.
func answerOf(t *testing.T, report *probe.Report, id string) (found probe.Answer) {
	t.Helper()
	n := 0
	for _, a := range report.Answers {
		if a.Question == id {
			found = a
			n++
		}
	}
	require.Equal(t, 1, n, "answers of %s", id)
	return found
}

// remains lists what a run could have left behind: tables, datasets and objects.
func (w *world) remains(t *testing.T) (names []string) {
	t.Helper()
	tables := w.Client.Dataset(stack.Dataset).Tables(t.Context())
	for table, err := tables.Next(); !errors.Is(err, iterator.Done); table, err = tables.Next() {
		require.NoError(t, err)
		names = append(names, table.TableID)
	}
	datasets := w.Client.Datasets(t.Context())
	for dataset, err := datasets.Next(); !errors.Is(err, iterator.Done); dataset, err = datasets.Next() {
		require.NoError(t, err)
		if dataset.DatasetID != stack.Dataset {
			names = append(names, dataset.DatasetID)
		}
	}
	objects := w.Storage.Bucket(stack.Bucket).Objects(t.Context(), &storage.Query{})
	for object, err := objects.Next(); !errors.Is(err, iterator.Done); object, err = objects.Next() {
		require.NoError(t, err)
		names = append(names, object.Name)
	}
	return names
}

// proxy stands between the command and BigQuery, and changes the bodies of its requests and replies.
func proxy(t *testing.T, endpoint string, request func(path string, body []byte) []byte, reply func(path string, body []byte) []byte) string {
	t.Helper()
	target, err := url.Parse(endpoint)
	require.NoError(t, err)
	change := func(body io.ReadCloser, header http.Header, path string, by func(string, []byte) []byte) (io.ReadCloser, int64) {
		b, err := io.ReadAll(body)
		if err == nil && by != nil {
			b = by(path, b)
		}
		header.Set("Content-Length", strconv.Itoa(len(b)))
		return io.NopCloser(bytes.NewReader(b)), int64(len(b))
	}
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Accept-Encoding")
			if r.Out.Body != nil {
				r.Out.Body, r.Out.ContentLength = change(r.Out.Body, r.Out.Header, r.In.Method+" "+r.In.URL.Path, request)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			r.Body, r.ContentLength = change(r.Body, r.Header, r.Request.Method+" "+r.Request.URL.Path, reply)
			return nil
		},
	}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return server.URL
}
