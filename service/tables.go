package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tidemark/batch"
	"tidemark/destination"
	"tidemark/merge"
	"tidemark/operate"
	"tidemark/warehouse"
)

// tables are those of the configuration and of batches on their way, for an operator.
type tables struct {
	*creations
	dest  *destination.Destination
	house *warehouse.Client
}

var _ operate.Tables = tables{}

// Tables implements operate.Tables.
func (s tables) Tables(ctx context.Context, others []batch.Target) (list []operate.TableView, err error) {
	targets := s.dest.Names()
	for _, other := range others {
		if !slices.ContainsFunc(targets, func(t batch.Target) bool { return t.String() == other.String() }) {
			targets = append(targets, other)
		}
	}
	for _, t := range targets {
		one := operate.TableView{Target: t, Name: t.String(), Model: t.Model}
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
			if !errors.As(err, new(*destination.Lost)) && !errors.As(err, new(*destination.NotConfigured)) && !errors.Is(err, merge.ErrUnderivable) {
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
		err := destination.Check(ctx, lookups{s.creations}, t.String(), created, there, nil)
		if err != nil {
			return err
		}
	}
	if !there && !t.View && !s.dest.Configured(t) {
		return &destination.NotConfigured{Table: t.String()}
	}
	if t.Model == destination.EventsModel {
		return nil
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
func (s tables) Accept(ctx context.Context, t batch.Target, created time.Time) error {
	if t.Model != destination.PersonsModel {
		return s.creations.Accept(ctx, t.String(), created, nil)
	}
	made, err := s.sides(ctx, t)
	for i := range made {
		err = errors.Join(err, s.creations.Accept(ctx, merge.SideTables(t)[i].String(), made[i], nil))
	}
	return err
}

// Create implements operate.Tables.
func (s tables) Create(ctx context.Context, t batch.Target) error {
	create := func() error { return s.dest.Restore(ctx, t) }
	if s.dest.Configured(t) { // with the columns of the one before
		create = func() error { return s.dest.Create(ctx, t.String(), nil) }
	}
	if err := create(); err != nil {
		return fmt.Errorf("create table %s: %w", t, err)
	}
	return nil
}
