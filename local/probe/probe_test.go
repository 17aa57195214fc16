package probe

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/loader"
	"tidemark/local/bigquery"
	"tidemark/local/harness"
	"tidemark/local/stack"
	"tidemark/probe"
)

// world is embedded services, and what the command is configured with for them.
type world struct {
	*stack.Stack
	cfg    probe.Config
	faults *bigquery.FaultScript
	said   *lines
}

// lines keeps the progress.
type lines struct {
	mu   sync.Mutex
	all  []string
	seen func(string)
}

func (l *lines) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprintf(format, args...))
	if l.seen != nil {
		l.seen(l.all[len(l.all)-1])
	}
}

func start(t *testing.T) *world {
	faults := bigquery.NewFaultScript()
	s := harness.StartStack(t, stack.Config{
		Brokers: []string{"unused"}, NoTable: true, BigQuery: bigquery.Config{Async: true, Faults: faults},
	})
	return &world{s, probe.Config{
		Project: stack.Project, Dataset: stack.Dataset,
		Loader:           loader.Config{Bucket: stack.Bucket, Prefix: "tidemark", Compression: "zstd", GCSEndpoint: s.GCS.Endpoint()},
		BigQueryEndpoint: s.BigQuery.Endpoint(),
		MaxCost:          probe.DefaultMaxCost, MergeBytes: 1_200_000, Overlap: 2 * time.Second,
	}, faults, &lines{}}
}

func (w *world) run(t *testing.T, ctx context.Context) (*probe.Report, error) {
	t.Helper()
	report, err := probe.Run(ctx, w.cfg, probe.Connect(w.cfg), w.said.say)
	var table strings.Builder
	report.WriteTable(&table)
	t.Log(table.String())
	return report, err
}

func TestProbe_EmbeddedServicesAnswerAsDocumented(t *testing.T) {
	w := start(t)
	report, err := w.run(t, t.Context())
	require.NoError(t, err)
	for _, l := range w.said.all {
		t.Log(l)
	}
	require.Zero(t, report.Count(probe.Different))
}
