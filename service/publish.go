package service

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"tidemark/batch"
	"tidemark/consumer"
	"tidemark/merge"
)

// checkMost and checkLeast bound how often it is looked how far the group has committed: a few requests to Kafka.
const checkMost, checkLeast = 250 * time.Millisecond, 10 * time.Second

// warnEvery bounds how often a failure that goes on is told of.
const warnEvery = time.Minute

// publishTimeout bounds one publication: a statement that BigQuery lets wait for hours must not keep the next one back, which
// says more. checkTimeout bounds what comes before: a table of persons may be derived for hours, which goes on in BigQuery and is
// attached to by the next look, and other tables are not to wait for that.
const publishTimeout, checkTimeout = 5 * time.Minute, time.Minute

// retryLeast and retryMost bound the pause after a table that was not told of.
const retryLeast, retryMost = time.Second, 5 * time.Minute

// publisher looks how far the whole group has committed each stream, shows it as a metric, and once per table and period, on one
// replica of the stream, looks whether the table has what it should have, and tells complete_through in the status table, if there
// is one.
type publisher struct {
	status *merge.StatusTable
	// watermarks says how far each stream is complete; nothing while that is not known.
	watermarks func(context.Context) (map[string]consumer.Watermark, error)
	targets    func() []batch.Target // the tables as last resolved
	// check sees to it that a table has what it should have, and says when it was made; zero if it was never filled.
	check func(context.Context, batch.Target) (time.Time, error)
	// count says how many partitions a table has.
	count   func(ctx context.Context, project, dataset, table string) (int64, error)
	streams []consumer.Stream
	metrics *metrics
	log     *slog.Logger
	wake    chan struct{} // capacity 1: something was committed

	mu       sync.Mutex
	last     map[string]*batch.Manifest // the newest batch of each table that this replica has committed and not published
	complete map[string]time.Time       // by stream; it never goes back

	published map[string]time.Time // by table, by this process
	failing   map[string]*failing  // by table
	warned    time.Time            // when a failure was last told of
}

// failing is a table that could not be told of.
type failing struct {
	backoff batch.Backoff
	until   time.Time // before which it is not tried again
}

func newPublisher(s *service) *publisher {
	return &publisher{
		status: s.applier.status, check: s.applier.check, count: s.house.Partitions, watermarks: s.watermarks, targets: s.targets, streams: s.cfg.streams(), metrics: s.metrics, log: s.log,
		wake: make(chan struct{}, 1), last: make(map[string]*batch.Manifest), complete: make(map[string]time.Time),
		published: make(map[string]time.Time), failing: make(map[string]*failing),
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

// run looks and publishes until ctx ends. Failing to is no reason to stop: the table says how far it was complete before.
func (p *publisher) run(ctx context.Context) error {
	every := checkLeast
	for _, st := range p.streams {
		every = max(checkMost, min(every, st.Period/4))
	}
	tick := time.NewTicker(every)
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
		if err != nil && time.Since(p.warned) >= warnEvery {
			p.warned = time.Now()
			p.log.Warn("a table not looked at, or its complete_through not told; trying again", "err", err, "hint", batch.HintOf(err))
		}
	}
}

// publish looks how far the streams are complete and tells of the tables for which that has got into a new period. A table that
// fails does not hold up the others, and is tried again after a pause.
func (p *publisher) publish(ctx context.Context) error {
	marks, err := p.watermarks(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, st := range p.streams {
		mark := marks[st.Name]
		if mark.Through.IsZero() {
			continue
		}
		through := p.advance(st.Name, mark.Through)
		for _, t := range p.targets() {
			if mark.Publish && t.Model == st.Name && p.due(t, through, st.Period) {
				err := p.tell(ctx, t, through)
				p.note(t, err)
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// advance notes how far a stream is complete and returns the latest that is known. A partition that was idle for long and
// gets a record counts as complete up to its last commit, which is no news.
func (p *publisher) advance(stream string, through time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if through.After(p.complete[stream]) {
		p.complete[stream] = through
	}
	p.metrics.watermark(stream, p.complete[stream])
	return p.complete[stream]
}

// note keeps in mind until when a table that failed rests.
func (p *publisher) note(t batch.Target, err error) {
	name := t.String()
	if err == nil {
		delete(p.failing, name)
		return
	}
	f := p.failing[name]
	if f == nil {
		f = &failing{backoff: batch.Backoff{Min: retryLeast, Max: retryMost}}
		p.failing[name] = f
	}
	f.until = time.Now().Add(f.backoff.Next())
}

// due says that the table is complete up to an instant in a later period than what was published, and does not rest.
func (p *publisher) due(t batch.Target, through time.Time, period time.Duration) bool {
	if f := p.failing[t.String()]; f != nil && time.Now().Before(f.until) {
		return false
	}
	before := p.published[t.String()]
	return batch.PeriodAt(through, period).Start.After(batch.PeriodAt(before, period).Start)
}

// tell looks at a table, and publishes how far it is complete.
func (p *publisher) tell(ctx context.Context, t batch.Target, through time.Time) error {
	name := t.String()
	p.mu.Lock()
	last := p.last[name]
	p.mu.Unlock()
	checking, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	created, err := p.check(checking, t)
	if err != nil {
		return err
	}
	if t.StatusTable != "" {
		publishing, cancel := context.WithTimeout(ctx, publishTimeout)
		defer cancel()
		if err := p.status.Publish(publishing, t, created, through, last); err != nil {
			return err
		}
	}
	p.published[name] = through
	p.showPartitions(ctx, t)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last[name] == last {
		delete(p.last, name)
	}
	return nil
}

// showPartitions counts a table's partitions. Where that fails the next publication does it.
func (p *publisher) showPartitions(ctx context.Context, t batch.Target) {
	if t.Partitions == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	n, err := p.count(ctx, t.Project, t.Dataset, t.Table)
	if err != nil {
		p.log.Warn("partitions of a table not counted", "table", t.String(), "err", err, "hint", batch.HintOf(err))
		return
	}
	p.metrics.partitions.WithLabelValues(t.String()).Set(float64(n))
}

// view returns how far the streams are complete, of those of which that is known.
func (p *publisher) view() map[string]time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.complete)
}

// watermarks says how far the group has committed each stream; nothing while no session runs.
func (s *service) watermarks(ctx context.Context) (map[string]consumer.Watermark, error) {
	session := s.session.Load()
	if session == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	return session.Watermarks(ctx)
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
