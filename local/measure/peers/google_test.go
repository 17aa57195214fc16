package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
)

// played is Google as a peer sees it, with an empty table behind it.
type played struct {
	t      *testing.T
	api    *api
	scene  *scene
	client *http.Client
}

func play(t *testing.T) *played {
	t.Helper()
	ctx := t.Context()
	s, err := stack.Start(ctx, stack.Config{Brokers: []string{"127.0.0.1:1"}, BigQuery: bigquery.Config{Threads: 1}}) // nobody asks Kafka
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	a, err := newAPI(ctx, s)
	require.NoError(t, err)
	authority, err := newAuthority()
	require.NoError(t, err)
	g, err := startGoogle(ctx, authority, a)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(authority.pem))
	transport := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: g.addr}),
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &played{t: t, api: a, scene: &scene{stack: s}, client: &http.Client{Transport: transport, Timeout: time.Minute}}
}

// post sends a compressed body, as Google's Java client does.
func (p *played) post(url, body string) (int, map[string]any) {
	p.t.Helper()
	var compressed bytes.Buffer
	z := gzip.NewWriter(&compressed)
	_, err := z.Write([]byte(body))
	require.NoError(p.t, err)
	require.NoError(p.t, z.Close())
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, url, &compressed)
	require.NoError(p.t, err)
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	require.NoError(p.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	var reply map[string]any
	require.NoError(p.t, json.Unmarshal(raw, &reply), string(raw))
	return resp.StatusCode, reply
}

func (p *played) rows() uint64 {
	p.t.Helper()
	n, err := p.scene.countRows(p.t.Context())
	require.NoError(p.t, err)
	return n
}

const insertURL = "https://www.googleapis.com/bigquery/v2/projects/local/datasets/posthog/tables/events/insertAll"

func TestInsertAll_InsertsAllRowsOrNone(t *testing.T) {
	p := play(t)

	code, reply := p.post(insertURL, `{"rows":[
		{"insertId":"1","json":{"uuid":"a","team_id":"7","timestamp":"2026-09-01 10:00:00.123","historical_migration":true}},
		{"insertId":"2","json":{"uuid":"b","team_id":8,"timestamp":"2026-09-01T10:00:00Z","ip":null}}]}`)
	require.Equal(t, http.StatusOK, code)
	require.NotContains(t, reply, "insertErrors")
	require.EqualValues(t, 2, p.rows())

	_, reply = p.post(insertURL, `{"rows":[{"insertId":"3","json":{"uuid":"c"}},{"insertId":"4","json":{"uuid":"d","surprise":1}}]}`)
	require.Contains(t, reply, "insertErrors")
	require.EqualValues(t, 2, p.rows())
}

func TestInsertAll_LeavesOutRowsThatItHasSeen(t *testing.T) {
	p := play(t)
	for range 2 {
		code, _ := p.post(insertURL, `{"rows":[{"insertId":"1","json":{"uuid":"a"}}]}`)
		require.Equal(t, http.StatusOK, code)
	}
	require.EqualValues(t, 1, p.rows())
	require.Equal(t, 1, p.api.leftOut())
}

func TestInsertJob_LoadsJSONOnceByItsID(t *testing.T) {
	p := play(t)
	w := p.scene.stack.Storage.Bucket(stack.Bucket).Object("rows").NewWriter(t.Context())
	_, err := w.Write([]byte("{\"uuid\":\"a\",\"team_id\":1}\n{\"uuid\":\"b\",\"team_id\":2}\n"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	const job = `{"jobReference":{"projectId":"local","jobId":"one"},"configuration":{"load":{"sourceFormat":"NEWLINE_DELIMITED_JSON",
		"sourceUris":["gs://tidemark-local/rows"],"destinationTable":{"projectId":"local","datasetId":"posthog","tableId":"events"},"writeDisposition":"WRITE_APPEND"}}}`

	code, reply := p.post("https://bigquery.googleapis.com/bigquery/v2/projects/local/jobs", job)
	require.Equal(t, http.StatusOK, code, reply)
	require.Eventually(t, func() bool { return p.rows() == 2 }, time.Minute, 10*time.Millisecond)

	code, _ = p.post("https://bigquery.googleapis.com/bigquery/v2/projects/local/jobs", job)
	require.Equal(t, http.StatusConflict, code)
	require.EqualValues(t, 2, p.rows())
}

func TestGoogle_ReachesNoOtherHost(t *testing.T) {
	p := play(t)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://example.com/", http.NoBody)
	require.NoError(t, err)
	resp, err := p.client.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	require.ErrorContains(t, err, "Forbidden")
}
