package service

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"tidemark/buffer"
	"tidemark/consumer"
	"tidemark/loader"
	"tidemark/warehouse"
)

// recorder is a Registerer that remembers the collectors.
type recorder struct {
	prometheus.Registerer
	collectors []prometheus.Collector
}

func (r *recorder) MustRegister(cs ...prometheus.Collector) {
	r.collectors = append(r.collectors, cs...)
	r.Registerer.MustRegister(cs...)
}

func (r *recorder) Register(c prometheus.Collector) error {
	r.collectors = append(r.collectors, c)
	return r.Registerer.Register(c)
}

var describe = regexp.MustCompile(`fqName: "([^"]*)", help: "((?:[^"\\]|\\.)*)".*variableLabels: \{([^}]*)\}`)

func TestDocs_Metrics(t *testing.T) {
	r := &recorder{Registerer: prometheus.NewRegistry()}
	newMetrics(r, &service{log: slog.New(slog.DiscardHandler), pacer: new(pacer)})
	consumer.NewMetrics(r)
	buffer.NewMetrics(r)
	loader.NewMetrics(r)
	warehouse.NewMetrics(r)

	var rows []string
	for _, c := range r.collectors {
		for _, d := range descriptions(c) {
			m := describe.FindStringSubmatch(d)
			require.NotNil(t, m, d)
			require.True(t, strings.HasPrefix(m[1], "tidemark_"), m[1])
			require.True(t, strings.HasSuffix(m[2], "."), "%s: help is a sentence, found %q", m[1], m[2])
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |\n", m[1], kind(c), m[3], m[2]))
		}
	}
	slices.Sort(rows)
	var b bytes.Buffer
	b.WriteString("# Metrics\n\nServed at `/metrics`. This page is generated from the code (`make docs`). The Kafka client adds its own metrics, named `tidemark_kafka_…` (see franz-go's kprom), and Go's `go_…` and `process_…` are there as well.\n\n")
	b.WriteString("| Metric | Kind | Labels | Meaning |\n|---|---|---|---|\n")
	for _, row := range rows {
		b.WriteString(row)
	}
	docs(t, "metrics.md", b.Bytes())
}

func descriptions(c prometheus.Collector) (list []string) {
	ch := make(chan *prometheus.Desc, 16)
	c.Describe(ch)
	close(ch)
	for d := range ch {
		list = append(list, d.String())
	}
	return list
}

func kind(c prometheus.Collector) string {
	switch c.(type) {
	case *prometheus.HistogramVec, interface{ Observe(float64) }:
		return "histogram"
	case *prometheus.CounterVec:
		return "counter"
	case *prometheus.GaugeVec, interface{ Set(float64) }:
		return "gauge"
	case interface{ Inc() }:
		return "counter"
	default: // read when scraped
		return "gauge"
	}
}
