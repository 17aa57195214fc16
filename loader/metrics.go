package loader

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of the bucket:
//
//	tidemark_uploads_total           objects created
//	tidemark_upload_bytes_total      their bytes
//	tidemark_upload_duration_seconds from the first attempt to the acknowledgement
//	tidemark_upload_failures_total   failed attempts, repeated or not
type Metrics struct {
	uploads, bytes, failures prometheus.Counter
	duration                 prometheus.Histogram
}

// NewMetrics registers the metrics; a second time on one registry it panics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	m := &Metrics{
		uploads:  counter("tidemark_uploads_total", "Objects created in Cloud Storage."),
		bytes:    counter("tidemark_upload_bytes_total", "Bytes of the objects created in Cloud Storage."),
		failures: counter("tidemark_upload_failures_total", "Attempts to create an object in Cloud Storage that failed, repeated or not."),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidemark_upload_duration_seconds",
			Help:    "Time from the first attempt to create an object until Cloud Storage acknowledged it.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 15), // 10 ms to 164 s
		}),
	}
	reg.MustRegister(m.duration)
	return m
}

func (m *Metrics) uploaded(bytes int, took time.Duration) {
	m.uploads.Inc()
	m.bytes.Add(float64(bytes))
	m.duration.Observe(took.Seconds())
}
