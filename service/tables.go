package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tidemark/batch"
	"tidemark/destination"
	"tidemark/merge"
	"tidemark/operate"
	"tidemark/warehouse"
)

// tables are those of the configuration, for an operator.
type tables struct {
	*creations
	dest  *destination.Destination
	house *warehouse.Client
}

var _ operate.Tables = tables{}

// Tables implements operate.Tables.
func (s tables) Tables(ctx context.Context) (list []operate.TableView, err error) {
	for _, t := range s.dest.Names() {
		one := operate.TableView{Name: t.String(), Model: t.Model}
		found, there, err := s.house.Table(ctx, t.Project, t.Dataset, t.Table)
		if err != nil {
			return nil, err
		}
		if there {
			one.Created, one.Rows = &found.Created, found.Rows
		}
		if one.Filled, err = s.Creations(ctx, one.Name); err != nil {
			return nil, err
		}
		if err := s.problem(ctx, t, found.Created, there); err != nil {
			if !errors.As(err, new(*destination.Lost)) && !errors.Is(err, merge.ErrUnderivable) {
				return nil, err
			}
			one.Problem, one.Hint = err.Error(), batch.HintOf(err)
		}
		list = append(list, one)
	}
	return list, nil
}

// problem says why nothing is written to a table.
func (s tables) problem(ctx context.Context, t batch.Target, created time.Time, there bool) error {
	if t.Model == destination.EventsModel {
		return destination.Check(ctx, lookups{s.creations}, t.String(), created, there, nil)
	}
	made, err := s.sides(ctx, t)
	if err != nil || made == nil || !there {
		return err
	}
	return merge.Derivable(ctx, lookups{s.creations}, t, created, made)
}

// sides says when the side tables of persons were made, in the order of [merge.SideTables]; nil unless all are there.
func (s tables) sides(ctx context.Context, t batch.Target) (made []time.Time, err error) {
	for _, side := range merge.SideTables(t) {
		created, there, err := s.house.CreatedAt(ctx, side.Project, side.Dataset, side.Table)
		if err != nil || !there {
			return nil, err
		}
		made = append(made, created)
	}
	return made, nil
}

// Accept implements operate.Tables. Of persons the side tables are accepted as they are: what each knows and the other does not is
// merged by version, the rows of the table into them, and then the table is derived.
func (s tables) Accept(ctx context.Context, name string, created time.Time) error {
	for _, t := range s.dest.Names() {
		if t.String() != name || t.Model != destination.PersonsModel {
			continue
		}
		made, err := s.sides(ctx, t)
		for i := range made {
			err = errors.Join(err, s.creations.Accept(ctx, merge.SideTables(t)[i].String(), made[i], nil))
		}
		return err
	}
	return s.creations.Accept(ctx, name, created, nil)
}

// Create implements operate.Tables.
func (s tables) Create(ctx context.Context, name string) error {
	if err := s.dest.Create(ctx, name, nil); err != nil {
		return fmt.Errorf("create table %s: %w", name, err)
	}
	return nil
}
