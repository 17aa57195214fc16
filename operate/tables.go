package operate

import (
	"context"
	"strings"
	"time"

	"tidemark/batch"
)

// Tables are those that the configuration names, and those of batches on their way.
type Tables interface {
	// Tables describes those of the configuration, and of the others those that it does not name, as they are now.
	Tables(ctx context.Context, others []batch.Target) ([]TableView, error)
	// Create makes a table that is not there. It is safe to repeat.
	Create(ctx context.Context, t batch.Target) error
	// Accept makes replicas write to the table that was made at an instant. It is safe to repeat.
	Accept(ctx context.Context, t batch.Target, created time.Time) error
}

// TableView is one of them.
type TableView struct {
	// Target is what the configuration says, or the manifest of a batch on its way.
	Target batch.Target `json:"-"`

	Name  string `json:"name"` // project.dataset.table
	Model string `json:"model"`
	// Created is when the table was made that is there; nil if there is none.
	Created *time.Time `json:"created"`
	Rows    int64      `json:"rows"`
	// Filled are the instants at which the tables of that name were made that are filled, or were.
	Filled []time.Time `json:"filled"`
	// Problem says why nothing is written to it; empty if it is well.
	Problem string `json:"problem,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// ListTables describes the tables of the configuration, and those that batches on their way are for. Where these cannot be read the
// person is told, and sees the others.
func (o *Operator) ListTables(ctx context.Context) ([]TableView, error) {
	batches, err := o.Batches(ctx)
	if err != nil {
		o.Say("tables of batches on their way are not looked at: %v", err)
	}
	var others []batch.Target
	for _, b := range batches {
		if b.manifest == nil {
			continue
		}
		for i := range b.manifest.Tables {
			others = append(others, b.manifest.Tables[i].Target)
		}
	}
	return o.Tables.Tables(ctx, others)
}

// Accepting is a table that is about to be accepted: its evidence, for a person to look at first.
type Accepting struct {
	TableView
	o *Operator
}

// Accept looks whether a table that is not the one that was filled may be written to: what it holds, or lacks, is the person's
// decision. Nothing is changed before [Accepting.Confirm]. create goes on with an empty table where there is none.
func (o *Operator) Accept(ctx context.Context, name string, create bool) (*Accepting, error) {
	list, err := o.ListTables(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range list {
		names = append(names, t.Name)
		if t.Name != name && !strings.HasSuffix(t.Name, "."+name) {
			continue
		}
		a := &Accepting{TableView: t, o: o}
		switch {
		case t.Problem == "":
			return a, refuse("table %s is well; want one that `tidemark tables` lists with a problem", t.Name)
		case t.Created == nil && !create:
			return a, refuse("table %s is not there; want it restored, or --create to go on with an empty one", t.Name)
		}
		return a, nil
	}
	return nil, refuse("found no table %q in the configuration or in a batch on its way; want one of %s", name, strings.Join(names, ", "))
}

// Confirm makes replicas write to the table as it is. It may be done again.
func (a *Accepting) Confirm(ctx context.Context) error {
	if a.Created == nil {
		if err := a.o.Tables.Create(ctx, a.Target); err != nil {
			return err
		}
		list, err := a.o.Tables.Tables(ctx, []batch.Target{a.Target})
		if err != nil {
			return err
		}
		for _, t := range list {
			if t.Name == a.Name {
				a.TableView = t
			}
		}
		if a.Created == nil {
			return refuse("table %s was created and is not there", a.Name)
		}
	}
	if err := a.o.Tables.Accept(ctx, a.Target, *a.Created); err != nil {
		return err
	}
	a.Filled, a.Problem, a.Hint = append(a.Filled, *a.Created), "", ""
	a.o.Say("table %s, made at %s with %d rows, is written to from now on", a.Name, a.Created.UTC().Format(time.RFC3339), a.Rows)
	return nil
}
