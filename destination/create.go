package destination

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tidemark/batch"
	"tidemark/model"
)

// Create makes a table by its full name, unless it is there, whatever was there before, with the columns that are to be filled: nil
// stands for those that were filled of the one before. It is safe to repeat.
func (d *Destination) Create(ctx context.Context, name string, filled []batch.Column) error {
	for _, kind := range []table{d.events(), d.persons()} {
		if kind.name() != name {
			continue
		}
		if kind.model == PersonsModel && d.cfg.PersonsAs == asView {
			return &Error{Table: name, Variable: kind.variable, Faults: []string{"it is not there, a batch on its way is for a TABLE of that name, and TIDEMARK_PERSONS_AS is view; want TIDEMARK_PERSONS_AS=table until no batch is on its way (`tidemark batches`)"}}
		}
		return d.create(ctx, kind, filled)
	}
	return &NotConfigured{name}
}

func (d *Destination) create(ctx context.Context, kind table, filled []batch.Column) error {
	ds, err := d.readDataset(ctx)
	if err != nil {
		return err
	}
	if faults := unfit(ds); len(faults) > 0 { // a column with a collation cannot be clustered by, either
		return &Error{Table: kind.name(), Variable: kind.variable, Faults: faults}
	}
	if filled == nil && d.memory != nil {
		if filled, err = d.memory.Columns(ctx, kind.name()); err != nil {
			return err
		}
	}
	return d.warehouse.EnsureTable(ctx, kind.withColumns(filled))
}

// Restore makes the table of a batch on its way, unless it is there: one that the configuration does not name any more, too. A
// person asks for it. It is safe to repeat.
func (d *Destination) Restore(ctx context.Context, t batch.Target) error {
	for _, kind := range []table{d.events(), d.persons()} {
		if kind.model != t.Model {
			continue
		}
		kind.spec.Project, kind.spec.Dataset, kind.spec.Table = t.Project, t.Dataset, t.Table
		return d.create(ctx, kind, t.Columns)
	}
	return fmt.Errorf("table %s is of the model %q; want %s or %s", t, t.Model, EventsModel, PersonsModel)
}

// Configured says whether the configuration names the table.
func (d *Destination) Configured(t batch.Target) bool {
	return slices.ContainsFunc(d.Names(), func(n batch.Target) bool { return n.String() == t.String() })
}

// NotConfigured means that a table is not there which a batch on its way is for, and which the configuration does not name: it is
// not made again without a person.
type NotConfigured struct {
	Table string // project.dataset.table
}

// Error says what was found.
func (e *NotConfigured) Error() string {
	return fmt.Sprintf("table %s is not there, and a batch on its way is for it; the configuration names another one", e.Table)
}

// Hint says what an operator can do.
func (e *NotConfigured) Hint() string {
	return "restore or rename the table back; or go on with an empty one of that name by `tidemark tables accept TABLE --create`; or have the batch's records read again, into the table that is configured now, by `tidemark batches void ID`"
}

// withColumns is what is created where a table with these columns was filled before: batches on their way are for them.
func (t table) withColumns(filled []batch.Column) Spec {
	if len(filled) == 0 {
		return t.spec
	}
	spec := t.spec
	spec.JSON, spec.Columns = true, nil
	for _, known := range t.known {
		for _, c := range filled {
			if strings.EqualFold(c.Name, known.Name) {
				known.JSON = c.Type == batch.JSONType // each as it was
				spec.Columns = append(spec.Columns, known)
			}
		}
	}
	spec.ClusterBy = slices.DeleteFunc(slices.Clone(spec.ClusterBy), func(name string) bool {
		return !slices.ContainsFunc(spec.Columns, func(c model.Column) bool { return c.Name == name })
	})
	if p := spec.Partitions; p != nil && !slices.ContainsFunc(spec.Columns, func(c model.Column) bool { return c.Name == p.Column }) {
		spec.Partitions = nil
	}
	return spec
}

// name is the table's full one.
func (t table) name() string { return t.spec.Project + "." + t.spec.Dataset + "." + t.spec.Table }
