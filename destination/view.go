package destination

import (
	"context"
	"fmt"

	"tidemark/batch"
)

// The values of [Config.PersonsAs].
const (
	asTable = "table"
	asView  = "view"
)

// viewKind is BigQuery's name of the kind of a view.
const viewKind = "VIEW"

// resolveView resolves persons that are a view over the side tables. A view that does not exist has the columns that a table
// would be created with; the first merge makes it, for it needs the side tables. One that exists is used as it is.
func (d *Destination) resolveView(ctx context.Context, kind table) (ResolvedTable, error) {
	target := batch.Target{Model: kind.model, Project: d.project, Dataset: d.cfg.Dataset, Table: kind.spec.Table, StatusTable: d.cfg.StatusTable,
		RemoveDeleted: d.cfg.PersonDeletes == removeDeletes, View: true}
	found, there, err := d.warehouse.Table(ctx, d.project, d.cfg.Dataset, kind.spec.Table)
	if err != nil {
		return ResolvedTable{}, err
	}
	ds, err := d.readDataset(ctx)
	if err != nil {
		return ResolvedTable{}, err
	}
	if !there {
		found = Table{Kind: viewKind, Location: ds.Location, Fields: fieldsOf(kind.spec)}
	}
	target.Location = found.Location
	if found.Kind != viewKind {
		return ResolvedTable{}, &Error{Table: target.String(), Variable: kind.variable, Faults: []string{fmt.Sprintf(
			"it is of the kind %s and TIDEMARK_PERSONS_AS is view; want a VIEW, or nothing of that name: drop or rename it, which no batch on its way may be for (`tidemark batches`), or set TIDEMARK_PERSONS_AS=table", found.Kind)}}
	}
	found.Kind = "" // looked at
	columns, faults := match(found, kind.known, kind.needed)
	faults = append(faults, unfit(ds)...) // the side tables would have it
	if len(faults) > 0 {
		return ResolvedTable{}, &Error{Table: target.String(), Variable: kind.variable, Faults: faults}
	}
	res := ResolvedTable{Target: target}
	for _, c := range columns {
		res.Columns = append(res.Columns, c.Selected)
		res.Target.Columns = append(res.Target.Columns, batch.Column{Name: c.Name, Type: c.found})
	}
	res.Columns = changeColumns(res.Columns)
	return res, nil
}

// fieldsOf are the columns of a table that is created by the spec.
func fieldsOf(spec Spec) (fields []Field) {
	for _, c := range spec.Columns {
		f := Field{Name: c.Name, Type: c.Type.String()}
		if spec.JSON && c.JSON {
			f.Type = batch.JSONType
		}
		fields = append(fields, f)
	}
	return fields
}

// CheckKind refuses persons that are of another kind by now than when a batch on its way was opened. Its error is an [*Error].
func CheckKind(t batch.Target, found Table) error {
	isView := found.Kind == viewKind
	if t.Model != PersonsModel || isView == t.View {
		return nil
	}
	was, as := "TABLE", asTable
	if t.View {
		was, as = viewKind, asView
	}
	return &Error{Table: t.String(), Variable: "TIDEMARK_PERSONS_TABLE", Faults: []string{fmt.Sprintf(
		"it is of the kind %s, and a batch on its way is for a %s of that name; want it back (drop or rename what is there, and set TIDEMARK_PERSONS_AS=%s) until `tidemark batches` is empty: only then may TIDEMARK_PERSONS_AS be changed",
		found.Kind, was, as)}}
}

// refuseView says what to do about a view where persons are to be a table.
func refuseView(kind table, found Table, name string) error {
	if kind.model != PersonsModel || found.Kind != viewKind {
		return nil
	}
	return &Error{Table: name, Variable: kind.variable, Faults: []string{
		"it is of the kind VIEW and TIDEMARK_PERSONS_AS is table; want a TABLE, or nothing of that name: set TIDEMARK_PERSONS_AS=view, or, once no batch is on its way (`tidemark batches`), drop it, and the table is filled from its side tables; or name another table, which is filled from the topics' start by a new TIDEMARK_GROUP"}}
}
