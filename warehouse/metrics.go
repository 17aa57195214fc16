package warehouse

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The values of the label kind.
const (
	kindLoad  = "load"
	kindQuery = "query"
)

// The values of the label result.
const (
	resultOK        = "ok"
	resultTransient = "transient"
	resultPermanent = "permanent"
)

// Metrics counts jobs.
type Metrics struct {
	submittedJobs *prometheus.CounterVec
	jobs          *prometheus.CounterVec
	duration      *prometheus.HistogramVec
	billed        prometheus.Counter
}

// NewMetrics registers the metrics of this package.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	auto := promauto.With(reg)
	m := &Metrics{
		submittedJobs: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_jobs_submitted_total",
			Help: "Jobs that BigQuery accepted from this replica, by kind (load, query). Load jobs use up the day's quota of their table, failed ones too.",
		}, []string{"kind"}),
		jobs: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_jobs_total",
			Help: "Jobs this replica saw to their end, by kind (load, query) and result (ok, transient: run again by itself, permanent: somebody has to change something).",
		}, []string{"kind", "result"}),
		duration: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tidemark_job_duration_seconds",
			Help:    "Time from the creation to the end of a job that succeeded, as BigQuery reports it, waiting for a slot included, by kind (load, query).",
			Buckets: prometheus.ExponentialBuckets(0.5, 2, 14), // up to 68 min; a load job may take 6 h
		}, []string{"kind"}),
		billed: auto.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_query_billed_bytes_total",
			Help: "Bytes that BigQuery billed for the query jobs this replica saw succeed; two replicas that wait for one job both count it. Load jobs are free of charge.",
		}),
	}
	for _, kind := range []string{kindLoad, kindQuery} {
		m.submittedJobs.WithLabelValues(kind)
		m.duration.WithLabelValues(kind)
		for _, result := range []string{resultOK, resultTransient, resultPermanent} {
			m.jobs.WithLabelValues(kind, result)
		}
	}
	return m
}

func (m *Metrics) submitted(kind string) { m.submittedJobs.WithLabelValues(kind).Inc() }

// ended counts an attempt that is done. One that was done before this call looked is not counted: whoever saw it end has
// counted it.
func (m *Metrics) ended(kind string, a *attempt, before bool, failure *Error) {
	switch {
	case before:
	case failure == nil:
		r := a.result()
		m.jobs.WithLabelValues(kind, resultOK).Inc()
		m.duration.WithLabelValues(kind).Observe(r.Ended.Sub(r.Created).Seconds())
		m.billed.Add(float64(r.Billed))
	case failure.Permanent:
		m.jobs.WithLabelValues(kind, resultPermanent).Inc()
	default:
		m.jobs.WithLabelValues(kind, resultTransient).Inc()
	}
}
