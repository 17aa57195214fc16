package destination

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"tidemark/batch"
	"tidemark/model"
)

// The names of the models in the configuration, manifests, object names and labels.
const (
	EventsModel  = "events"
	PersonsModel = "persons"
)

// Destination resolves the one destination that environment variables describe. It is safe for concurrent use.
type Destination struct {
	cfg       Config
	project   string
	warehouse Warehouse
	memory    Memory

	mu      sync.Mutex
	dataset *Dataset // as it was first seen
}

// New makes a Destination. Without a memory, which may be nil where events are not exported, tables are taken as they are found.
// It checks cfg and project (the one that holds the dataset and runs the jobs) and calls nothing yet.
func New(cfg Config, project string, w Warehouse, m Memory) (*Destination, error) {
	err := cfg.Validate()
	if project == "" {
		err = errors.Join(err, errors.New("destination has no project"))
	}
	if err != nil {
		return nil, err
	}
	return &Destination{cfg: cfg, project: project, warehouse: w, memory: m}, nil
}

// Resolved is the destination's tables as they were found.
type Resolved struct {
	Tables []ResolvedTable // one per model
	// Lost are the tables of events that are not those which were filled. Rows for them are collected and not applied.
	Lost []*Lost
	// Warnings are about what takes rows away, or may refuse some, and is a person's to change.
	Warnings []string
}

// ResolvedTable is one of them.
type ResolvedTable struct {
	// Target goes into the manifest.
	Target batch.Target
	// Columns are those of the parts. Of events they are the target's, in the same order; those of persons are fixed.
	Columns []model.Selected
	// From is the earliest time of events that a table with few partitions takes.
	From time.Time
	// StageAbove is in how many partitions rows may be before they go by a stage table.
	StageAbove int
	// Rows is how many rows the table has; 0 also if it is lost, or a view.
	Rows int64

	lost     *Lost
	warnings []string
}

// Wants says whether records of the team have a destination at all. It is called per record and touches no shared state.
func (d *Destination) Wants(team int64) bool { return d.cfg.Wants(team) }

// Resolve reads the tables of all models, creates those that are missing, and matches their columns. It is
// safe to repeat; the caller decides how often (a batch is opened with the newest answer).
//
// An [*Error] says that a table as it is can never take rows, until somebody changes it. Any other error is the warehouse's or
// the memory's.
func (d *Destination) Resolve(ctx context.Context) (Resolved, error) {
	var res Resolved
	var errs []error
	for _, kind := range []table{d.events(), d.persons()} {
		if !d.cfg.Exports(kind.model) {
			continue
		}
		resolve := d.resolve
		if kind.model == PersonsModel && d.cfg.PersonsAs == asView {
			resolve = d.resolveView
		}
		t, err := resolve(ctx, kind)
		res.Tables, errs = append(res.Tables, t), append(errs, err)
		res.Warnings = append(res.Warnings, t.warnings...)
		if t.lost != nil {
			res.Lost = append(res.Lost, t.lost)
		}
	}
	return res, errors.Join(errs...)
}

// Names are the targets of the models that are exported, as far as the configuration says: nothing is looked up.
func (d *Destination) Names() (list []batch.Target) {
	for _, kind := range []table{d.events(), d.persons()} {
		if d.cfg.Exports(kind.model) {
			list = append(list, batch.Target{View: kind.model == PersonsModel && d.cfg.PersonsAs == asView, Model: kind.model, Project: d.project, Dataset: d.cfg.Dataset, Table: kind.spec.Table, StatusTable: d.cfg.StatusTable})
		}
	}
	return list
}

// table is what tidemark knows of a model's table.
type table struct {
	model    string
	variable string // that names it
	spec     Spec   // to create it
	known    []model.Column
	needed   []string // columns that it cannot do without
}

func (d *Destination) resolve(ctx context.Context, kind table) (ResolvedTable, error) {
	ds, err := d.readDataset(ctx)
	if err != nil {
		return ResolvedTable{}, err
	}
	found, err := d.read(ctx, kind)
	var lost *Lost
	if errors.As(err, &lost) {
		found, err = d.recall(ctx, kind, ds)
	}
	if err != nil {
		return ResolvedTable{}, err
	}
	res := ResolvedTable{Target: batch.Target{Model: kind.model, Project: d.project, Location: found.Location, Dataset: d.cfg.Dataset, Table: kind.spec.Table, StatusTable: d.cfg.StatusTable, Partitions: found.Partitions}}
	if err := refuseView(kind, found, res.Target.String()); err != nil {
		return ResolvedTable{}, err
	}
	columns, faults := match(found, kind.known, kind.needed)
	if kind.model == PersonsModel {
		faults = append(faults, unmergeable(res.Target.String(), found, ds)...)
	}
	if len(faults) > 0 {
		return ResolvedTable{}, &Error{Table: res.Target.String(), Variable: kind.variable, Faults: faults}
	}
	for _, c := range columns {
		res.Columns = append(res.Columns, c.Selected)
		res.Target.Columns = append(res.Target.Columns, batch.Column{Name: c.Name, Type: c.found})
	}
	if res.lost = lost; lost == nil {
		if err := d.remember(ctx, kind, found, true, res.Target.Columns); err != nil && !errors.As(err, &res.lost) {
			return ResolvedTable{}, err
		}
	}
	res.From, res.StageAbove, res.Rows, res.warnings = d.cfg.EventsFrom.Time, d.cfg.StageAbove, found.Rows, warnings(res.Target.String(), kind.model, found)
	if kind.model == EventsModel && res.lost == nil {
		emptied, err := d.emptied(ctx, res.Target.String(), found)
		if err != nil {
			return ResolvedTable{}, err
		}
		res.warnings = append(res.warnings, emptied...)
	}
	if kind.model == PersonsModel {
		res.Target.RemoveDeleted = d.cfg.PersonDeletes == removeDeletes
		res.Columns = changeColumns(res.Columns)
	}
	return res, nil
}

// changeColumns are the columns of the parts of persons: the same whatever the table has, because what it has no row for
// yet is kept as well. Only what a document may hold depends on the table.
func changeColumns(of []model.Selected) []model.Selected {
	loadable := slices.ContainsFunc(of, func(c model.Selected) bool { return c.Loadable })
	var columns []model.Selected
	for _, c := range model.ChangeColumns() {
		columns = append(columns, model.Selected{Column: c, Loadable: c.JSON && loadable})
	}
	return columns
}

// readDataset describes the dataset, which is read once: what matters of it is what new tables get.
func (d *Destination) readDataset(ctx context.Context) (Dataset, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dataset == nil {
		ds, err := d.warehouse.Dataset(ctx, d.project, d.cfg.Dataset)
		if err != nil {
			return ds, err
		}
		if len(unfit(ds)) > 0 { // somebody may mend it
			return ds, nil
		}
		d.dataset = &ds
	}
	return *d.dataset, nil
}

// emptied tells of a table of events that took rows and has none. BigQuery keeps the creation time of one that is truncated.
func (d *Destination) emptied(ctx context.Context, name string, found Table) ([]string, error) {
	if found.Rows > 0 {
		return nil, nil
	}
	took, err := d.memory.Took(ctx, name, found.Created)
	if err != nil || !took {
		return nil, err
	}
	return []string{fmt.Sprintf("table %s took rows and has none: it was truncated, its rows were deleted, or all its partitions have expired. Events are not exported again: bring them back from the dataset's time travel, or from PostHog", name)}, nil
}

// recall describes a table that is gone as it was when it was filled last: its stream is collected meanwhile, and others are not
// held up.
func (d *Destination) recall(ctx context.Context, kind table, ds Dataset) (Table, error) {
	columns, err := d.memory.Columns(ctx, kind.name())
	found := Table{Kind: "TABLE", Location: ds.Location, Partitions: kind.spec.Partitions, Fields: fieldsOf(kind.withColumns(columns))}
	return found, err
}

// remember finds out whether a table is the one that was filled, and has the columns of one that is remembered. One of persons that
// is not can be derived again, and with a table that never took a row nothing is lost.
func (d *Destination) remember(ctx context.Context, kind table, found Table, there bool, columns []batch.Column) error {
	if kind.model == PersonsModel {
		return nil
	}
	filled, err := d.memory.Creations(ctx, kind.name())
	if err != nil || len(filled) == 0 {
		return err
	}
	return Check(ctx, d.memory, kind.name(), found.Created, there, columns)
}

// read returns a table, creating it first where it does not exist. Another replica may create it at the same moment, so
// what counts is always what is read back.
func (d *Destination) read(ctx context.Context, kind table) (Table, error) {
	spec := kind.spec
	found, there, err := d.warehouse.Table(ctx, spec.Project, spec.Dataset, spec.Table)
	if err != nil || there {
		return found, err
	}
	if err := d.remember(ctx, kind, found, false, nil); err != nil {
		return found, err
	}
	if err := d.Create(ctx, kind.name(), nil); err != nil {
		return Table{}, err
	}
	found, there, err = d.warehouse.Table(ctx, spec.Project, spec.Dataset, spec.Table)
	if err == nil && !there {
		err = fmt.Errorf("table %s.%s.%s was created and is not there", spec.Project, spec.Dataset, spec.Table)
	}
	return found, err
}

// events is the events table: when tidemark creates it, with the columns PostHog documents for its own BigQuery export,
// in partitions of the event's time, so that a query over a few days of a few events reads just those.
func (d *Destination) events() table {
	return table{
		model: EventsModel, variable: "TIDEMARK_EVENTS_TABLE", known: model.EventColumns(),
		spec: Spec{
			Project: d.project, Dataset: d.cfg.Dataset, Table: d.cfg.EventsTable,
			Description: "PostHog events, each exactly once; written by tidemark",
			Columns:     created(model.EventColumns()), JSON: d.cfg.JSONColumns,
			Partitions: d.cfg.partitions(), ClusterBy: []string{"team_id", "event"},
		},
	}
}

// persons is the persons table, clustered by its key, so that a merge, and a join with a few distinct ids, reads little.
func (d *Destination) persons() table {
	return table{
		model: PersonsModel, variable: "TIDEMARK_PERSONS_TABLE", known: model.PersonColumns(),
		needed: []string{"team_id", "distinct_id", "person_id", "person_version", "person_distinct_id_version"},
		spec: Spec{
			Project: d.project, Dataset: d.cfg.Dataset, Table: d.cfg.PersonsTable,
			Description: "PostHog persons, one row per team and distinct id; written by tidemark",
			Columns:     created(model.PersonColumns()), JSON: d.cfg.JSONColumns,
			ClusterBy: []string{"team_id", "distinct_id"},
		},
	}
}

func created(columns []model.Column) []model.Column {
	return slices.DeleteFunc(columns, func(c model.Column) bool { return !c.Created })
}
