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
		before := o.last.Swap(&res)
		tell(o.log, res, before.Warnings)
	}
	opening := buffer.Opening{ID: id, Stream: stream, Prefix: o.prefix, IngestedAt: ingestedAt, Topics: o.kinds[stream], Wants: o.dest.Wants}
	for _, t := range res.Tables {
		table := buffer.Table{Target: t.Target, Columns: t.Columns, From: t.From, StageAbove: t.StageAbove}
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

// tell tells of tables that are not those which were filled, and of what has been a reason to warn since before.
func tell(log *slog.Logger, res destination.Resolved, before []string) {
	for _, warning := range res.Warnings {
		if !slices.Contains(before, warning) {
			log.Warn(warning)
		}
	}
	for _, lost := range res.Lost {
		log.Error("rows are not applied to a table that is not the one that was filled", "table", lost.Table, "err", lost, "hint", lost.Hint())
	}
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
	err := m.store.Put(ctx, name, data, nil)
	if errors.Is(err, loader.ErrConflict) {
		return fmt.Errorf("%w: %w", consumer.ErrMarkExists, err)
	}
	return err
}

// applier sends a table's rows the way its manifest says: persons are merged, Parquet cannot be loaded into JSON columns, and
// rows of many partitions would use up the day's changes of partitions.
type applier struct {
	direct    *loader.Direct
	staged    *merge.Inserter
	merged    *merge.Merger
	status    *merge.StatusTable
	creations *creations
	dest      *destination.Destination
	// failed notes an attempt to load that failed; nil where nobody paces by them.
	failed func(context.Context, *batch.Table)
}

func newApplier(cfg Config, house *warehouse.Client, made *creations, dest *destination.Destination, log *slog.Logger) applier {
	bucket, status := cfg.Loader.Bucket, merge.NewStatusTable(house, cfg.Consumer.Group)
	return applier{
		direct: loader.NewDirect(cfg.Loader, house), staged: merge.NewInserter(bucket, house, log),
		merged: merge.NewMerger(bucket, house, made, log), status: status, creations: made, dest: dest,
	}
}

func (a applier) way(t *batch.Table) batch.Applier {
	switch {
	case t.Target.Model == destination.PersonsModel:
		return a.merged
	case t.Direct():
		return a.direct
	}
	return a.staged
}

func (a applier) Apply(ctx context.Context, m *batch.Manifest, t *batch.Table) (int64, error) {
	created, err := a.present(ctx, t.Target, t.Rows() > 0)
	if err != nil {
		return 0, err
	}
	rows, err := a.way(t).Apply(ctx, m, t)
	var refused *warehouse.Error
	if a.failed != nil && t.Direct() && errors.As(err, &refused) && refused.Ran {
		a.failed(ctx, t)
	}
	if err == nil && rows > 0 && t.Target.Model == destination.EventsModel {
		err = a.creations.remember(ctx, t.Target.String(), created, creationMark{Rows: true})
	}
	return rows, err
}

// present sees to it that there is a table to apply rows to, and says when it was made: one of events that is not the one that was
// filled is an error, and others are made where there is none. fills says that rows are about to be applied: a table of events
// counts as filled before that, so that whoever finds it gone later knows. (The merger does the same for persons.)
func (a applier) present(ctx context.Context, t batch.Target, fills bool) (created time.Time, err error) {
	found, there, err := a.creations.house.Table(ctx, t.Project, t.Dataset, t.Table)
	if err == nil && there {
		err = destination.CheckKind(t, found)
	}
	if err != nil || t.View || there && t.Model == destination.PersonsModel { // a view is made by the merger
		return found.Created, err
	}
	memory := lookups{a.creations}
	if !there {
		if t.Model == destination.EventsModel {
			if err := destination.Check(ctx, memory, t.String(), created, false, nil); err != nil {
				return created, err
			}
		}
		if err := a.dest.Create(ctx, t.String(), t.Columns); err != nil {
			return created, err
		}
		if found, there, err = a.creations.house.Table(ctx, t.Project, t.Dataset, t.Table); err == nil && !there {
			err = fmt.Errorf("table %s was created and is not there", t)
		}
	}
	switch {
	case err != nil || t.Model == destination.PersonsModel:
		return found.Created, err
	case fills:
		return found.Created, destination.Check(ctx, a.creations, t.String(), found.Created, true, t.Columns)
	}
	return found.Created, destination.Check(ctx, memory, t.String(), found.Created, true, t.Columns)
}

// check sees to it that a table has what it should have, whether or not there is a batch for it: persons are derived again. Where
// there is one, the merger does that by itself. It says when the table was made; zero if it has never been filled.
func (a applier) check(ctx context.Context, t batch.Target) (created time.Time, err error) {
	if created, err = a.present(ctx, t, false); err != nil {
		return created, err
	}
	if t.Model == destination.PersonsModel {
		if err := a.merged.Prepare(ctx, t); err != nil {
			return created, err
		}
	}
	filled, err := a.creations.Creations(ctx, t.String())
	if err != nil || !slices.ContainsFunc(filled, created.Equal) {
		return time.Time{}, err
	}
	return created, nil
}

func (a applier) Evidence(ctx context.Context, m *batch.Manifest, t *batch.Table) (batch.Evidence, error) {
	return a.way(t).Evidence(ctx, m, t)
}

// pacer keeps manifests, and knows from their listing what the group has used of BigQuery's daily quotas: names sort by time,
// whoever wrote them, so a replica that has just started knows as well as any other.
type pacer struct {
	*loader.Manifests
	log *slog.Logger
	// partitions is how often a day the events table's partitions may be changed.
	partitions func() int
	spacing    atomic.Int64 // nanoseconds between two batches of the group that load; 0 = no limit
	loads      atomic.Int64 // load jobs of the last 24 hours
	changes    atomic.Int64 // changes of partitions of the last 24 hours
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
	uses, err := p.Since(ctx, now.Add(-24*time.Hour))
	if err != nil {
		p.log.Warn("load jobs of the last day not counted", "err", err)
		return
	}
	var used batch.Cost
	for _, u := range uses {
		used.Loads += u.Loads
		used.Partitions += u.Partitions
	}
	quota := p.partitions()
	spacing := max(batch.Pace(now, uses, batch.DailyLoadJobs, batch.LoadsOf), batch.Pace(now, uses, quota, batch.PartitionsOf))
	if before := time.Duration(p.spacing.Swap(int64(spacing))); (before == 0) != (spacing == 0) {
		p.log.Warn("BigQuery's load jobs, or changes of partitions, of the day: periods are lengthened so that they last", "loads", used.Loads, "loads_quota", batch.DailyLoadJobs,
			"partitions", used.Partitions, "partitions_quota", quota, "spacing", spacing.Round(time.Second))
	}
	p.loads.Store(int64(used.Loads))
	p.changes.Store(int64(used.Partitions))
}

// note keeps in mind that an attempt to load failed. Failing to is harmless: the quota is a little more used than is known.
func (p *pacer) note(ctx context.Context, t *batch.Table) {
	if err := p.Attempt(ctx, t); err != nil {
		p.log.Warn("a failed attempt is not counted in the day's quotas", "err", err)
	}
}

// Spacing implements consumer.Pacer.
func (p *pacer) Spacing() time.Duration { return time.Duration(p.spacing.Load()) }
