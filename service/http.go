package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"tidemark/batch"
	"tidemark/consumer"
)

// stuckAfter is how long the poll loop may stand still before /healthz says so, on top of a hand-over as long as it may be
// by the configuration. It goes round several times a second, and waits at most for the destination to be resolved.
const stuckAfter = 5 * time.Minute

// Status is what /status shows.
type Status struct {
	Group string `json:"group"`
	Ready bool   `json:"ready"`
	// NotReady says why the replica is not ready.
	NotReady string `json:"not_ready,omitempty"`
	// Watermarks are the instants before which everything that came to a stream's topics is committed by the group, of the
	// streams of which that is known.
	Watermarks map[string]time.Time `json:"watermarks"`
	FlushLag   string               `json:"flush_lag"`
	Targets    []string             `json:"targets"`
	// Failing is how many batches failed to be applied at their last attempt; Stopped and Pending are how many partitions of
	// this replica are not consumed.
	Failing     int   `json:"failing"`
	Stopped     int   `json:"stopped"`
	Pending     int   `json:"pending"`
	LoadJobsDay int64 `json:"load_jobs_day"`
	// PartitionChangesDay are the changes of partitions by those loads.
	PartitionChangesDay int64         `json:"partition_changes_day"`
	Consumer            consumer.View `json:"consumer"`
	// Batches are those that are sealed and not yet committed, by stream, oldest first.
	Batches map[string][]batch.Status `json:"batches"`
}

// status describes the service at now. It never waits for the work it describes.
func (s *service) status(now time.Time) Status {
	st := Status{Group: s.cfg.Consumer.Group, NotReady: s.notReady(), LoadJobsDay: s.pacer.loads.Load(), PartitionChangesDay: s.pacer.changes.Load(), Watermarks: s.publish.view(),
		FlushLag: s.flushLag(now).Round(time.Millisecond).String(), Batches: make(map[string][]batch.Status)}
	st.Ready = st.NotReady == ""
	for _, t := range s.targets() {
		st.Targets = append(st.Targets, t.String())
	}
	session := s.session.Load()
	if session == nil {
		return st
	}
	var drivers map[string]batch.View
	st.Consumer, drivers = session.View()
	st.Stopped, st.Pending = st.Consumer.Stopped, st.Consumer.Pending
	for stream, driver := range drivers {
		st.Batches[stream] = driver.Batches
		for _, b := range driver.Batches {
			if b.Error != "" {
				st.Failing++
			}
		}
	}
	return st
}

// flushLag is for how long this replica has had something that is not committed yet.
func (s *service) flushLag(now time.Time) time.Duration {
	session := s.session.Load()
	if session == nil {
		return 0
	}
	view, drivers := session.View()
	oldest := view.Oldest
	for _, driver := range drivers {
		if oldest.IsZero() || !driver.Oldest.IsZero() && driver.Oldest.Before(oldest) {
			oldest = driver.Oldest
		}
	}
	if oldest.IsZero() || oldest.After(now) {
		return 0
	}
	return now.Sub(oldest)
}

// listen takes the HTTP address, before anything else is begun.
func (s *service) listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", s.cfg.Service.HTTPAddr)
	if err != nil {
		return nil, fmt.Errorf("TIDEMARK_HTTP_ADDR is %q; want an address of this machine with a free port: %w", s.cfg.Service.HTTPAddr, err)
	}
	return listener, nil
}

// serveHTTP serves until ctx ends.
func (s *service) serveHTTP(ctx context.Context, listener net.Listener) error {
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // nothing is lost with a scrape
	defer stop()
	s.log.Info("serving metrics and status", "addr", listener.Addr().String())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /status", s.serveStatus)
	mux.Handle("GET /metrics", promhttp.HandlerFor(prometheus.GathererFunc(s.gather), promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	return mux
}

// gather returns our own metrics and the Kafka client's.
func (s *service) gather() ([]*dto.MetricFamily, error) {
	all := prometheus.Gatherers{s.registry}
	if kafka := s.kafka.Load(); kafka != nil {
		all = append(all, kafka)
	}
	return all.Gather()
}

// healthz fails when the poll loop stands still, which a restart mends.
func (s *service) healthz(w http.ResponseWriter, _ *http.Request) {
	if session := s.session.Load(); session != nil {
		handOver := max(s.cfg.Consumer.RebalanceTimeout, s.cfg.Consumer.ShutdownTimeout)
		if view, _ := session.View(); time.Since(view.PolledAt) > stuckAfter+handOver {
			http.Error(w, fmt.Sprintf("poll loop stands still since %s", view.PolledAt.UTC().Format(time.RFC3339)), http.StatusServiceUnavailable)
			return
		}
	}
	fmt.Fprintln(w, "ok")
}

// readyz fails until the replica is a working member of the group.
func (s *service) readyz(w http.ResponseWriter, _ *http.Request) {
	if why := s.notReady(); why != "" {
		http.Error(w, why, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// notReady says why the replica is no working member of the group; empty if it is one.
func (s *service) notReady() string {
	session := s.session.Load()
	if !s.ready.Load() || session == nil {
		return "looking for brokers, topics, bucket and tables; see the log"
	}
	view, _ := session.View()
	switch {
	case !view.Joined:
		return "not a member of the consumer group yet; see the log"
	case view.Stopped > 0 && view.Stopped == len(view.Partitions):
		return fmt.Sprintf("all %d partitions of this replica are stopped: %s; %s", view.Stopped, view.Partitions[0].Problem, view.Partitions[0].Hint)
	}
	return ""
}

func (s *service) serveStatus(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(s.status(time.Now())) // the reader has gone
}
