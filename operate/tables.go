package operate

import (
	"context"
	"strings"
	"time"
)

// Tables are those that the configuration names.
type Tables interface {
	// Tables describes them as they are now.
	Tables(ctx context.Context) ([]TableView, error)
	// Create makes a table that is not there. It is safe to repeat.
	Create(ctx context.Context, name string) error
	// Accept makes replicas write to the table that was made at an instant. It is safe to repeat.
	Accept(ctx context.Context, name string, created time.Time) error
}

// TableView is one of them.
type TableView struct {
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

// Accepting is a table that is about to be accepted: its evidence, for a person to look at first.
type Accepting struct {
	TableView
	o *Operator
}

// Accept looks whether a table that is not the one that was filled may be written to: what it holds, or lacks, is the person's
// decision. Nothing is changed before [Accepting.Confirm]. create goes on with an empty table where there is none.
func (o *Operator) Accept(ctx context.Context, name string, create bool) (*Accepting, error) {
	list, err := o.Tables.Tables(ctx)
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
	return nil, refuse("found no table %q in the configuration; want one of %s", name, strings.Join(names, ", "))
}

// Confirm makes replicas write to the table as it is. It may be done again.
func (a *Accepting) Confirm(ctx context.Context) error {
	if a.Created == nil {
		if err := a.o.Tables.Create(ctx, a.Name); err != nil {
			return err
		}
		list, err := a.o.Tables.Tables(ctx)
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
	if err := a.o.Tables.Accept(ctx, a.Name, *a.Created); err != nil {
		return err
	}
	a.Filled, a.Problem, a.Hint = append(a.Filled, *a.Created), "", ""
	a.o.Say("table %s, made at %s with %d rows, is written to from now on", a.Name, a.Created.UTC().Format(time.RFC3339), a.Rows)
	return nil
}
