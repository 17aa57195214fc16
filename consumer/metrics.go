package consumer

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidemark/batch"
)

// Metrics are the consumer's own; the Kafka client's come from kprom.
type Metrics struct {
	rebalances prometheus.Counter
	sessions   prometheus.Counter
	held       prometheus.Gauge
	pending    prometheus.Gauge
	lag        prometheus.Gauge
	pausedNow  prometheus.Gauge
	fullNow    *prometheus.GaugeVec
	stoppedNow *prometheus.GaugeVec
	blockedFor *prometheus.GaugeVec
}

// NewMetrics registers the consumer's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	vector := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		rebalances: prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_rebalances_total",
			Help: "Rebalances in which this replica handed partitions over."}),
		sessions: prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_sessions_total",
			Help: "Memberships in the consumer group begun; more than one means that a session ended in doubt and its undecided records were read again."}),
		held:    gauge("tidemark_partitions_held", "Partitions this replica consumes."),
		pending: gauge("tidemark_partitions_pending", "Partitions that are assigned to this replica and not taken over yet; /status says why. They are tried again by themselves."),
		lag:     gauge("tidemark_fetch_lag_records", "Offsets between what this replica has consumed and the ends of its partitions."),
		pausedNow: gauge("tidemark_fetching_paused",
			"1 while nothing is fetched because the memory budget is used up or every stream has as many prepared batches as it may."),
		fullNow: vector("tidemark_stream_full",
			"1 while nothing of the stream is fetched, because as many of its batches are prepared and not applied as may be.", "stream"),
		stoppedNow: vector("tidemark_partition_stopped",
			"1 for a partition that is not read because a person has to do something; /status says what.", "topic", "partition"),
		blockedFor: vector("tidemark_open_transaction_seconds",
			"For how long an open transaction has kept the next records of a partition from being read; no series for partitions that are well.", "topic", "partition"),
	}
	reg.MustRegister(m.rebalances, m.sessions, m.held, m.pending, m.lag, m.pausedNow, m.fullNow, m.stoppedNow, m.blockedFor)
	return m
}

// assigned counts the partitions by phase, and what they have to be read.
func (m *Metrics) assigned(partitions map[batch.TopicPartition]*partition) {
	held, waiting := 0, 0
	var lag int64
	for _, p := range partitions {
		switch p.phase {
		case pending:
			waiting++
		case taken, consuming:
			held++
			lag += max(0, p.end-p.pos)
		case stopped:
		}
	}
	m.held.Set(float64(held))
	m.pending.Set(float64(waiting))
	m.lag.Set(float64(lag))
}

func (m *Metrics) paused(yes bool) { m.pausedNow.Set(flag(yes)) }

func (m *Metrics) full(stream string, yes bool) { m.fullNow.WithLabelValues(stream).Set(flag(yes)) }

func flag(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// stopped has no series for partitions that are well.
func (m *Metrics) stopped(tp batch.TopicPartition, yes bool) {
	if yes {
		m.stoppedNow.WithLabelValues(labels(tp)...).Set(1)
	} else {
		m.stoppedNow.DeleteLabelValues(labels(tp)...)
	}
}

// blocked has no series for partitions that are well.
func (m *Metrics) blocked(tp batch.TopicPartition, since, now time.Time) {
	if !since.IsZero() && now.Sub(since) >= transactionPatience {
		m.blockedFor.WithLabelValues(labels(tp)...).Set(now.Sub(since).Seconds())
	} else {
		m.blockedFor.DeleteLabelValues(labels(tp)...)
	}
}

// forget drops the series of a partition that is no longer assigned.
func (m *Metrics) forget(tp batch.TopicPartition) {
	m.stoppedNow.DeleteLabelValues(labels(tp)...)
	m.blockedFor.DeleteLabelValues(labels(tp)...)
}

func labels(tp batch.TopicPartition) []string {
	return []string{tp.Topic, strconv.Itoa(int(tp.Partition))}
}
