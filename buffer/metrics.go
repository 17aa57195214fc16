package buffer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidemark/model"
)

// Metrics of the buffer:
//
//	tidemark_buffer_bytes              memory held
//	tidemark_fetched_bytes             memory that the Kafka client holds in records that are not taken in yet
//	tidemark_buffer_budget_bytes       memory allowed
//	tidemark_records_consumed_total    records by topic; each becomes one of the following
//	tidemark_rows_total                rows kept
//	tidemark_records_duplicate_total   dropped: the same event earlier in the batch
//	tidemark_records_superseded_total  of persons and distinct ids: the batch has the key in this or a later version
//	tidemark_records_skipped_total     of teams without a destination
//	tidemark_records_rejected_total    not decodable, by reason
//	tidemark_rows_nulled_total         of the rows: with NULL in a JSON column that could not hold the document
//	tidemark_parts_total               parts by what handed them over: size, budget or seal
//	tidemark_encode_duration_seconds   of one part
//
// Records of a batch that is dropped are read, and counted, again.
type Metrics struct {
	held, fetched, budget                         prometheus.Gauge
	consumed, rejected, parts                     *prometheus.CounterVec
	rows, duplicates, superseded, skipped, nulled prometheus.Counter
	encode                                        prometheus.Histogram
}

// NewMetrics registers the metrics; a second time on one registry it panics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		held:       prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidemark_buffer_bytes", Help: "Memory held by rows, seen events and parts on their way."}),
		fetched:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidemark_fetched_bytes", Help: "Memory that the Kafka client holds in records that are fetched and not taken in yet. It counts in the budget."}),
		budget:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidemark_buffer_budget_bytes", Help: "Memory at which fetching pauses (TIDEMARK_BUFFER_MEMORY)."}),
		consumed:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_records_consumed_total", Help: "Records taken into batches."}, []string{"topic"}),
		rejected:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_records_rejected_total", Help: "Records that could not become rows and were kept in a rejects part."}, []string{"reason"}),
		parts:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_parts_total", Help: "Parts by what handed them over: size, budget or seal."}, []string{"cause"}),
		rows:       prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_rows_total", Help: "Rows kept for a destination table."}),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_records_duplicate_total", Help: "Records dropped because the same event (team, UTC day, event, distinct_id and uuid) was seen earlier in the batch."}),
		superseded: prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_records_superseded_total", Help: "Records of persons and distinct ids dropped because the batch has the same or a later version of the person or distinct id."}),
		skipped:    prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_records_skipped_total", Help: "Records of teams without a destination."}),
		nulled:     prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_rows_nulled_total", Help: "Rows with NULL in a JSON column that could not hold the document."}),
		encode: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_encode_duration_seconds", Help: "Time to encode one part as Parquet.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 13), // 1 ms to 4 s
		}),
	}
	reg.MustRegister(m.held, m.fetched, m.budget, m.consumed, m.rejected, m.parts, m.rows, m.duplicates, m.superseded, m.skipped, m.nulled, m.encode)
	for _, reason := range append(model.Reasons(), ReasonPartitions, ReasonImplausible) {
		m.rejected.WithLabelValues(string(reason))
	}
	for _, c := range []cause{causeSize, causeBudget, causeSeal} {
		m.parts.WithLabelValues(string(c))
	}
	return m
}

// taken counts what n records of a topic became.
func (m *Metrics) taken(topic string, n int, c *tally) {
	m.consumed.WithLabelValues(topic).Add(float64(n))
	m.rows.Add(float64(c.rows))
	m.duplicates.Add(float64(c.Duplicates))
	m.superseded.Add(float64(c.Superseded))
	m.skipped.Add(float64(c.Skipped))
	m.nulled.Add(float64(c.Nulled))
}

func (m *Metrics) encoded(c cause, took time.Duration) {
	m.parts.WithLabelValues(string(c)).Inc()
	m.encode.Observe(took.Seconds())
}
