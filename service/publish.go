package service

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"tidemark/batch"
	"tidemark/destination"
	"tidemark/merge"
)

// publisher keeps complete_through in the status table: after every commit, and once a period, so that it moves on while
// there is nothing to export. It publishes what the whole group has committed, and so does every replica.
type publisher struct {
	status *merge.StatusTable
	// complete says up to which instant each topic is committed.
	complete func(context.Context) (map[string]time.Time, error)
	targets  func() []batch.Target // the tables as last resolved
	topics   map[string][]string   // by model
	every    time.Duration
	metrics  *metrics
	log      *slog.Logger
	wake     chan struct{} // capacity 1: something was committed

	mu   sync.Mutex
	last map[string]*batch.Manifest // the newest committed batch of each table that is not published yet

	published map[string]time.Time // by table, by this process
}

func newPublisher(s *service) *publisher {
	return &publisher{
		status: s.state, complete: s.complete, targets: s.targets, topics: s.cfg.topics(), every: s.cfg.Consumer.Period,
		metrics: s.metrics, log: s.log, wake: make(chan struct{}, 1),
		last: make(map[string]*batch.Manifest), published: make(map[string]time.Time),
	}
}

// committed notes a batch. It does not block.
func (p *publisher) committed(m *batch.Manifest) {
	p.mu.Lock()
	for i := range m.Tables {
		p.last[m.Tables[i].Target.String()] = m
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default: // asked for already
	}
}

// run publishes until ctx ends. Failing to is no reason to stop: the table says how far it was complete before.
func (p *publisher) run(ctx context.Context) error {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		case <-tick.C:
		}
		start := time.Now()
		err := p.publish(ctx)
		if ctx.Err() != nil {
			return nil
		}
		p.metrics.Step("publish", time.Since(start), err)
		if err != nil {
			p.log.Warn("status table not updated; it is again with the next batch", "err", err, "hint", batch.HintOf(err))
		}
	}
}

// publish updates the rows of the tables for which there is something new. A table that fails does not hold up the others.
func (p *publisher) publish(ctx context.Context) error {
	complete, err := p.complete(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	last := maps.Clone(p.last)
	p.mu.Unlock()
	var errs []error
	for _, t := range p.targets() {
		through := earliestOf(complete, p.topics[t.Model])
		m, name := last[t.String()], t.String()
		if t.StatusTable == "" || through.IsZero() || m == nil && !through.After(p.published[name]) {
			continue
		}
		if t.Model == destination.PersonsModel {
			m = nil // the merge itself has written its batch
		}
		if err := p.status.Publish(ctx, t, through, m); err != nil {
			errs = append(errs, err)
			continue
		}
		p.published[name] = through
		p.done(name, last[name])
	}
	return errors.Join(errs...)
}

// done forgets a batch that is published, unless a newer one has taken its place.
func (p *publisher) done(table string, m *batch.Manifest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last[table] == m {
		delete(p.last, table)
	}
}

// earliestOf returns the earliest instant of the topics, zero if that of one is not known.
func earliestOf(complete map[string]time.Time, topics []string) (through time.Time) {
	for i, topic := range topics {
		t, known := complete[topic]
		if !known {
			return time.Time{}
		}
		if i == 0 || t.Before(through) {
			through = t
		}
	}
	return through
}

// targets are the tables as BigQuery last described them.
func (s *service) targets() (targets []batch.Target) {
	if res := s.resolved.Load(); res != nil {
		for _, t := range res.Tables {
			targets = append(targets, t.Target)
		}
	}
	return targets
}

// topics are the topics of every model that is exported.
func (c *Config) topics() map[string][]string {
	topics := make(map[string][]string)
	if c.Destination.Exports(destination.EventsModel) {
		topics[destination.EventsModel] = []string{c.Consumer.EventsTopic}
	}
	if c.Destination.Exports(destination.PersonsModel) {
		topics[destination.PersonsModel] = []string{c.Consumer.PersonsTopic, c.Consumer.DistinctIDsTopic}
	}
	return topics
}
