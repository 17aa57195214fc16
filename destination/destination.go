package destination

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tidemark/batch"
	"tidemark/model"
)

// EventsModel is the name of the events model in manifests, object names and labels.
const EventsModel = "events"

// Destination resolves the one destination that environment variables describe. It is safe for concurrent use.
type Destination struct {
	cfg       Config
	project   string
	warehouse Warehouse
}

// New checks cfg and project (the one that holds the dataset and runs the jobs) and calls nothing yet.
func New(cfg Config, project string, w Warehouse) (*Destination, error) {
	err := cfg.Validate()
	if project == "" {
		err = errors.Join(err, errors.New("destination has no project"))
	}
	if err != nil {
		return nil, err
	}
	return &Destination{cfg: cfg, project: project, warehouse: w}, nil
}

// Resolved is a destination table as it was found.
type Resolved struct {
	// Target goes into the manifest.
	Target batch.Target
	// Columns are what the decoder has to produce, in the order of Target.Columns.
	Columns []model.Selected
	// ReadAt is when the table was read; columns added later are not in Columns.
	ReadAt time.Time
}

// Wants says whether records of the team have a destination at all. It is called per record and touches no shared state.
func (d *Destination) Wants(team int64) bool { return d.cfg.Wants(team) }

// Resolve reads the events table, creates it if there is none, and matches its columns. now is recorded as ReadAt. It is
// safe to repeat; the caller decides how often (a batch is opened with the newest answer).
//
// An [*Error] says that the table as it is can never take rows, until somebody changes it. Any other error is the
// warehouse's.
func (d *Destination) Resolve(ctx context.Context, now time.Time) (Resolved, error) {
	table, err := d.read(ctx)
	if err != nil {
		return Resolved{}, err
	}
	target := batch.Target{Model: EventsModel, Project: d.project, Location: table.Location, Dataset: d.cfg.Dataset, Table: d.cfg.EventsTable}
	columns, faults := match(table, model.EventColumns())
	if len(faults) > 0 {
		return Resolved{}, &Error{Table: target.String(), Faults: faults}
	}
	res := Resolved{Target: target, ReadAt: now}
	for _, c := range columns {
		res.Columns = append(res.Columns, c.Selected)
		res.Target.Columns = append(res.Target.Columns, batch.Column{Name: c.Name, Type: c.found})
	}
	return res, nil
}

// read returns the events table, creating it first where it does not exist. Another replica may create it at the same
// moment, so what counts is always what is read back.
func (d *Destination) read(ctx context.Context) (Table, error) {
	table, found, err := d.warehouse.Table(ctx, d.project, d.cfg.Dataset, d.cfg.EventsTable)
	if err != nil || found {
		return table, err
	}
	if err := d.warehouse.EnsureTable(ctx, d.spec()); err != nil {
		return Table{}, err
	}
	table, found, err = d.warehouse.Table(ctx, d.project, d.cfg.Dataset, d.cfg.EventsTable)
	if err == nil && !found {
		err = fmt.Errorf("table %s.%s.%s was created and is not there", d.project, d.cfg.Dataset, d.cfg.EventsTable)
	}
	return table, err
}

// spec is the events table tidemark creates: the columns PostHog documents for its own BigQuery export, in daily
// partitions of the event's time, so that a query over a few days of a few events reads just those.
func (d *Destination) spec() Spec {
	spec := Spec{
		Project: d.project, Dataset: d.cfg.Dataset, Table: d.cfg.EventsTable,
		Description: "PostHog events, each exactly once; written by tidemark",
		JSON:        d.cfg.JSONColumns,
		PartitionBy: "timestamp", ClusterBy: []string{"team_id", "event"},
	}
	for _, c := range model.EventColumns() {
		if c.Created {
			spec.Columns = append(spec.Columns, c)
		}
	}
	return spec
}
