package consumer

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"tidemark/batch"
)

// Metrics are the consumer's own; the Kafka client's come from kprom.
type Metrics struct {
	rebalances prometheus.Counter
	sessions   prometheus.Counter
	held       prometheus.Gauge
	pausedNow  prometheus.Gauge
	stoppedNow *prometheus.GaugeVec
}

// NewMetrics registers the consumer's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		rebalances: prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_rebalances_total",
			Help: "Rebalances in which this replica handed partitions over."}),
		sessions: prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_sessions_total",
			Help: "Memberships in the consumer group begun; more than one means that a session ended in doubt and its undecided records were read again."}),
		held: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidemark_partitions_held",
			Help: "Partitions this replica holds."}),
		pausedNow: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidemark_fetching_paused",
			Help: "1 while nothing is fetched because the memory budget or the chain of prepared batches is full."}),
		stoppedNow: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tidemark_partition_stopped",
			Help: "1 for a partition that is no longer read because a person has to decide how to go on."}, []string{"topic", "partition"}),
	}
	reg.MustRegister(m.rebalances, m.sessions, m.held, m.pausedNow, m.stoppedNow)
	return m
}

func (m *Metrics) assigned(n int) { m.held.Set(float64(n)) }

func (m *Metrics) paused(yes bool) {
	m.pausedNow.Set(0)
	if yes {
		m.pausedNow.Set(1)
	}
}

// stopped has no series for partitions that are well.
func (m *Metrics) stopped(tp batch.TopicPartition, yes bool) {
	labels := []string{tp.Topic, strconv.Itoa(int(tp.Partition))}
	if yes {
		m.stoppedNow.WithLabelValues(labels...).Set(1)
	} else {
		m.stoppedNow.DeleteLabelValues(labels...)
	}
}
