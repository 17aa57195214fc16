package destination

import (
	"context"
	"errors"
	"fmt"
	"slices"

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

// Resolved is the destination's tables as they were found.
type Resolved struct {
	Tables []ResolvedTable // one per model
}

// ResolvedTable is one of them.
type ResolvedTable struct {
	// Target goes into the manifest.
	Target batch.Target
	// Columns are those of the parts. Of events they are the target's, in the same order; those of persons are fixed.
	Columns []model.Selected
}

// Wants says whether records of the team have a destination at all. It is called per record and touches no shared state.
func (d *Destination) Wants(team int64) bool { return d.cfg.Wants(team) }

// Resolve reads the tables of all models, creates those that are missing, and matches their columns. It is
// safe to repeat; the caller decides how often (a batch is opened with the newest answer).
//
// An [*Error] says that a table as it is can never take rows, until somebody changes it. Any other error is the
// warehouse's.
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
	}
	return res, errors.Join(errs...)
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
	found, err := d.read(ctx, kind.spec)
	if err != nil {
		return ResolvedTable{}, err
	}
	res := ResolvedTable{Target: batch.Target{Model: kind.model, Project: d.project, Location: found.Location, Dataset: d.cfg.Dataset, Table: kind.spec.Table, StatusTable: d.cfg.StatusTable}}
	if err := refuseView(kind, found, res.Target.String()); err != nil {
		return ResolvedTable{}, err
	}
	columns, faults := match(found, kind.known, kind.needed)
	if len(faults) > 0 {
		return ResolvedTable{}, &Error{Table: res.Target.String(), Variable: kind.variable, Faults: faults}
	}
	for _, c := range columns {
		res.Columns = append(res.Columns, c.Selected)
		res.Target.Columns = append(res.Target.Columns, batch.Column{Name: c.Name, Type: c.found})
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

// read returns a table, creating it first where it does not exist. Another replica may create it at the same moment, so
// what counts is always what is read back.
func (d *Destination) read(ctx context.Context, spec Spec) (Table, error) {
	found, there, err := d.warehouse.Table(ctx, spec.Project, spec.Dataset, spec.Table)
	if err != nil || there {
		return found, err
	}
	if err := d.warehouse.EnsureTable(ctx, spec); err != nil {
		return Table{}, err
	}
	found, there, err = d.warehouse.Table(ctx, spec.Project, spec.Dataset, spec.Table)
	if err == nil && !there {
		err = fmt.Errorf("table %s.%s.%s was created and is not there", spec.Project, spec.Dataset, spec.Table)
	}
	return found, err
}

// events is the events table: when tidemark creates it, with the columns PostHog documents for its own BigQuery export,
// in daily partitions of the event's time, so that a query over a few days of a few events reads just those.
func (d *Destination) events() table {
	return table{
		model: EventsModel, variable: "TIDEMARK_EVENTS_TABLE", known: model.EventColumns(),
		spec: Spec{
			Project: d.project, Dataset: d.cfg.Dataset, Table: d.cfg.EventsTable,
			Description: "PostHog events, each exactly once; written by tidemark",
			Columns:     created(model.EventColumns()), JSON: d.cfg.JSONColumns,
			PartitionBy: "timestamp", ClusterBy: []string{"team_id", "event"},
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
