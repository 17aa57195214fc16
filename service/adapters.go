package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"tidemark/batch"
	"tidemark/buffer"
	"tidemark/consumer"
	"tidemark/destination"
	"tidemark/loader"
	"tidemark/merge"
	"tidemark/warehouse"
)

// resolveTimeout bounds the look at the destination table when a batch is opened; the poll loop waits for it.
const resolveTimeout = 10 * time.Second

// opener opens batches for the destination as it is at that moment.
type opener struct {
	buffer *buffer.Buffer
	prefix string
	kinds  map[string]map[string]buffer.Kind // what the records of each topic are, by stream
	dest   *destination.Destination
	log    *slog.Logger
	last   *atomic.Pointer[destination.Resolved] // of the last time BigQuery answered; start-up sets it
}

// Open implements consumer.Buffers. While BigQuery does not answer, a batch is opened for the table as it was last seen:
// consuming goes on, and the batch is loaded once BigQuery is back.
func (o *opener) Open(ctx context.Context, stream string, id batch.ID, ingestedAt time.Time) (consumer.Rows, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	res, err := o.dest.Resolve(ctx)
	if err != nil {
		o.log.Warn("destination not resolved; the batch is filled for the table as it was last seen", "batch", id, "err", err, "hint", batch.HintOf(err))
		res = *o.last.Load()
	} else {
		o.last.Store(&res)
	}
	opening := buffer.Opening{ID: id, Stream: stream, Prefix: o.prefix, IngestedAt: ingestedAt, Topics: o.kinds[stream], Wants: o.dest.Wants}
	for _, t := range res.Tables {
		table := buffer.Table{Target: t.Target, Columns: t.Columns}
		switch {
		case t.Target.Model != stream: // its rows go out with another stream's batches
		case t.Target.Model == destination.PersonsModel:
			opening.Persons = table
		default:
			opening.Events = table
		}
	}
	return o.buffer.Open(opening), nil
}

// kinds says what the records of each topic are, by stream. Streams are named after the model that their records become.
func (c *Config) kinds() map[string]map[string]buffer.Kind {
	kinds := make(map[string]map[string]buffer.Kind)
	if c.Destination.Exports(destination.EventsModel) {
		kinds[destination.EventsModel] = map[string]buffer.Kind{c.Consumer.EventsTopic: buffer.Events}
	}
	if c.Destination.Exports(destination.PersonsModel) {
		kinds[destination.PersonsModel] = map[string]buffer.Kind{
			c.Consumer.PersonsTopic: buffer.Persons, c.Consumer.DistinctIDsTopic: buffer.DistinctIDs,
		}
	}
	return kinds
}

// streams are what is consumed: events, and the two topics of persons, whose batches have nothing to do with each other.
func (c *Config) streams() (streams []consumer.Stream) {
	kinds := c.kinds()
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		st := consumer.Stream{Name: name, Topics: slices.Sorted(maps.Keys(kinds[name])), Period: c.Consumer.Period}
		if name == destination.PersonsModel {
			st.Period = c.Consumer.PeriodOfPersons()
		}
		streams = append(streams, st)
	}
	return streams
}

// Wait implements consumer.Buffers.
func (o *opener) Wait(ctx context.Context) error { return o.buffer.Wait(ctx) }

// marks keeps the group's marks beside the manifests.
type marks struct{ store loader.ObjectStore }

func (m marks) Get(ctx context.Context, name string) ([]byte, error) {
	b, err := m.store.Get(ctx, name)
	if errors.Is(err, loader.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", consumer.ErrNoMark, err)
	}
	return b, err
}

func (m marks) Create(ctx context.Context, name string, data []byte) error {
	err := m.store.Put(ctx, name, data)
	if errors.Is(err, loader.ErrConflict) {
		return fmt.Errorf("%w: %w", consumer.ErrMarkExists, err)
	}
	return err
}

// applier sends a table's rows the way its model and its columns allow: persons are merged, and Parquet cannot be loaded
// into JSON columns.
type applier struct {
	direct *loader.Direct
	staged *merge.Inserter
	merged *merge.Merger
	status *merge.StatusTable
}

func newApplier(cfg Config, house *warehouse.Client, log *slog.Logger) applier {
	bucket, status := cfg.Loader.Bucket, merge.NewStatusTable(house, cfg.Consumer.Group)
	return applier{
		direct: loader.NewDirect(cfg.Loader, house), staged: merge.NewInserter(bucket, house, log),
		merged: merge.NewMerger(bucket, house, log), status: status,
	}
}

func (a applier) way(t *batch.Table) batch.Applier {
	switch {
	case t.Target.Model == destination.PersonsModel:
		return a.merged
	case t.Target.HasJSON():
		return a.staged
	}
	return a.direct
}

func (a applier) Apply(ctx context.Context, m *batch.Manifest, t *batch.Table) (int64, error) {
	return a.way(t).Apply(ctx, m, t)
}

func (a applier) Evidence(ctx context.Context, m *batch.Manifest, t *batch.Table) (batch.Evidence, error) {
	return a.way(t).Evidence(ctx, m, t)
}

// pacer keeps manifests, and knows from their names how many load jobs the group has made in the last 24 hours: names
// sort by time, whoever wrote them, so a replica that has just started knows as well as any other.
type pacer struct {
	*loader.Manifests
	log     *slog.Logger
	spacing atomic.Int64 // nanoseconds between two load jobs of the group; 0 = no limit
	used    atomic.Int64 // load jobs of the last 24 hours
}

// Put implements batch.Manifests, and looks at the quota afterwards.
func (p *pacer) Put(ctx context.Context, m *batch.Manifest) error {
	if err := p.Manifests.Put(ctx, m); err != nil {
		return err
	}
	p.refresh(ctx)
	return nil
}

// refresh counts the manifests of the last day. Failing to is harmless: the spacing stays as it was.
func (p *pacer) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	now := time.Now()
	ids, err := p.Since(ctx, now.Add(-24*time.Hour))
	if err != nil {
		p.log.Warn("load jobs of the last day not counted", "err", err)
		return
	}
	times := make([]time.Time, len(ids))
	for i, id := range ids {
		times[i] = id.Time()
	}
	spacing := batch.Pace(now, times, batch.DailyLoadJobs)
	if before := time.Duration(p.spacing.Swap(int64(spacing))); (before == 0) != (spacing == 0) {
		p.log.Warn("BigQuery's load jobs of the day: periods are lengthened so that they last", "used", len(ids), "quota", batch.DailyLoadJobs, "spacing", spacing.Round(time.Second))
	}
	p.used.Store(int64(len(ids)))
}

// Spacing implements consumer.Pacer.
func (p *pacer) Spacing() time.Duration { return time.Duration(p.spacing.Load()) }
