package warehouse

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

// An emulator is reached under the same paths as Google, without credentials.
func TestNew_EndpointNeedsNoCredentials(t *testing.T) {
	b := newBigQuery(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || !strings.HasPrefix(r.URL.Path, "/bigquery/v2/projects/") {
			http.Error(w, "want no credentials and the usual path", http.StatusBadRequest)
			return
		}
		res, err := b.RoundTrip(r)
		if err == nil {
			defer func() { _ = res.Body.Close() }()
			w.WriteHeader(res.StatusCode)
			_, err = io.Copy(w, res.Body)
		}
		if err != nil {
			panic(http.ErrAbortHandler) // drops the connection
		}
	}))
	t.Cleanup(server.Close)
	cfg := Config{Project: "proj", BigQueryEndpoint: server.URL, BigQueryCallTimeout: time.Minute, BigQueryPollMax: time.Second}
	c, err := New(t.Context(), cfg, slog.New(slog.DiscardHandler), NewMetrics(prometheus.NewRegistry()))
	require.NoError(t, err)
	loc, err := c.Location(t.Context(), "proj", "ds")
	require.NoError(t, err)
	require.Equal(t, "EU", loc)
	require.NoError(t, c.Close())
}

func TestNew_RefusesConfigWithFaults(t *testing.T) {
	_, err := New(t.Context(), Config{}, slog.New(slog.DiscardHandler), NewMetrics(prometheus.NewRegistry()))
	require.ErrorContains(t, err, "TIDEMARK_PROJECT")
}

func TestMetrics_CountWhatThisReplicaSaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.failUpTo(1, plan{reason: "backendError"})
		b.plans["tidemark_b_load-g2"] = plan{reason: "invalid"}
		c := b.client()
		_, err := c.Load(t.Context(), loadJob())
		require.Error(t, err)
		_, err = c.Load(t.Context(), loadJob())
		require.Error(t, err)
		_, err = c.Load(t.Context(), loadJob())
		require.NoError(t, err)
		_, err = c.Query(t.Context(), batch.QueryJob{JobRef: batch.JobRef{Project: "proj", Location: "EU", Base: "q"}, SQL: "INSERT …"})
		require.NoError(t, err)
		_, err = c.Load(t.Context(), loadJob())
		require.NoError(t, err, "done before: not counted again")
		for result, want := range map[string]float64{resultOK: 1, resultTransient: 1, resultPermanent: 1} {
			require.Equal(t, want, testutil.ToFloat64(c.metrics.jobs.WithLabelValues(kindLoad, result)), result)
		}
		require.EqualValues(t, 3, testutil.ToFloat64(c.metrics.submittedJobs.WithLabelValues(kindLoad)))
		require.EqualValues(t, 10<<20, testutil.ToFloat64(c.metrics.billed))
	})
}

// Two projects are two clients of the library: it submits jobs to the project it was made for.
func TestLoad_IntoTheProjectOfTheManifest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, job := newBigQuery(t), loadJob()
		job.Project = "older"
		_, err := b.client().Load(t.Context(), job)
		require.NoError(t, err)
		require.Contains(t, b.jobs, "older/EU/tidemark_b_load-g1")
	})
}
