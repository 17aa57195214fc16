package service

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidemark/batch"
)

// metrics observes batches and reads gauges from the running session at every scrape.
type metrics struct {
	steps      *prometheus.HistogramVec
	failures   *prometheus.CounterVec
	batches    *prometheus.CounterVec
	rows       *prometheus.CounterVec
	watermarks *prometheus.GaugeVec
	partitions *prometheus.GaugeVec
	// committed is told of every batch whose end offsets are committed.
	committed func(*batch.Manifest)
}

var _ batch.Observer = (*metrics)(nil)

func newMetrics(reg prometheus.Registerer, s *service) *metrics {
	m := &metrics{
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tidemark_batch_step_duration_seconds",
			Help: "Duration of the steps of a batch.", Buckets: prometheus.ExponentialBuckets(0.005, 3, 12)}, []string{"step"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_batch_step_failures_total",
			Help: "Failed attempts of the steps of a batch."}, []string{"step"}),
		batches: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_batches_committed_total",
			Help: "Batches committed, by what sealed them: boundary, size, revoke or shutdown. One whose partitions several replicas hold counts at one of them."}, []string{"reason"}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_rows_committed_total",
			Help: "Rows of committed batches, by model."}, []string{"model"}),
		watermarks: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tidemark_watermark_timestamp_seconds",
			Help: "Unix time before which every record that came to a stream's topics is committed by the group, by stream: the same on every replica. No series while it is not known."}, []string{"stream"}),
		partitions: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tidemark_table_partitions",
			Help: "Partitions of a table that is partitioned, expired ones that are not deleted yet included, by table; looked at once a period by the replica that writes tidemark_status. BigQuery allows 10,000: alert above 9,500."}, []string{"table"}),
	}
	for _, step := range []string{"upload", "manifest", "prepare", "apply", "commit", "judge", "idle", "publish"} {
		m.steps.WithLabelValues(step)
		m.failures.WithLabelValues(step)
	}
	for _, reason := range []string{"boundary", "size", "revoke", "shutdown"} {
		m.batches.WithLabelValues(reason)
	}
	for _, model := range s.cfg.Destination.Models {
		m.rows.WithLabelValues(model)
	}
	reg.MustRegister(m.steps, m.failures, m.batches, m.rows, m.watermarks, m.partitions)
	m.gauges(reg, s)
	return m
}

// gauges are read when they are scraped, so that a lag grows while nothing happens.
func (m *metrics) gauges(reg prometheus.Registerer, s *service) {
	gauge := func(name, help string, value func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("tidemark_flush_lag_seconds", "For how long this replica has had something that is not yet committed: records, and partitions that it cannot consume; 0 if there is nothing. Alert when it stays above two periods.",
		func() float64 { return s.flushLag(time.Now()).Seconds() })
	gauge("tidemark_batches_uncommitted", "Batches that are sealed and not yet committed.",
		func() float64 { return float64(len(s.status(time.Now()).Batches)) })
	gauge("tidemark_batches_failing", "Batches whose last attempt to be applied failed; /status says why and what to do.",
		func() float64 { return float64(s.status(time.Now()).Failing) })
	gauge("tidemark_load_jobs_day", "Load jobs into the events table that the group made in the last 24 hours, failed ones included. BigQuery allows 1,500.",
		func() float64 { return float64(s.pacer.loads.Load()) })
	gauge("tidemark_partition_changes_day", "Partitions of the events table that the group's load jobs changed in the last 24 hours, each counted by every job that touched it. BigQuery allows 30,000, or 11,000 if the table is partitioned by the time of ingestion.",
		func() float64 { return float64(s.pacer.changes.Load()) })
	gauge("tidemark_load_job_spacing_seconds", "Spacing of the group's batches at which load jobs and changes of partitions last the day; 0 while the quotas do not matter. Above 0 periods are lengthened.",
		func() float64 { return s.pacer.Spacing().Seconds() })
}

// watermark shows how far a stream is complete.
func (m *metrics) watermark(stream string, through time.Time) {
	m.watermarks.WithLabelValues(stream).Set(float64(through.UnixMilli()) / 1000)
}

// Step implements batch.Observer.
func (m *metrics) Step(step string, took time.Duration, err error) {
	m.steps.WithLabelValues(step).Observe(took.Seconds())
	if err != nil {
		m.failures.WithLabelValues(step).Inc()
	}
}

// Committed implements batch.Observer.
func (m *metrics) Committed(b *batch.Manifest, whole bool) {
	m.committed(b)
	if !whole {
		return
	}
	m.batches.WithLabelValues(b.Reason).Inc()
	for i := range b.Tables {
		m.rows.WithLabelValues(b.Tables[i].Target.Model).Add(float64(b.Tables[i].Rows()))
	}
}
