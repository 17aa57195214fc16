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
		ds, err := d.readDataset(ctx)
		if err != nil {
			return err
		}
		if faults := unfit(ds); len(faults) > 0 { // a column with a collation cannot be clustered by, either
			return &Error{Table: name, Variable: kind.variable, Faults: faults}
		}
		if filled == nil && d.memory != nil {
			if filled, err = d.memory.Columns(ctx, name); err != nil {
				return err
			}
		}
		return d.warehouse.EnsureTable(ctx, kind.withColumns(filled))
	}
	return fmt.Errorf("table %s is none of the configuration", name)
}

// withColumns is what is created where a table with these columns was filled before: batches on their way are for them.
func (t table) withColumns(filled []batch.Column) Spec {
	if len(filled) == 0 {
		return t.spec
	}
	spec := t.spec
	spec.JSON, spec.Columns = false, nil
	for _, known := range t.known {
		for _, c := range filled {
			if strings.EqualFold(c.Name, known.Name) {
				spec.Columns = append(spec.Columns, known)
				spec.JSON = spec.JSON || c.Type == batch.JSONType
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
