package service

import (
	"context"
	"errors"
	"fmt"

	"tidemark/batch"
	"tidemark/destination"
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
		if t.Model == destination.EventsModel && len(one.Filled) > 0 {
			var lost *destination.Lost
			if err := destination.Check(ctx, s, one.Name, found.Created, there, nil); errors.As(err, &lost) {
				one.Problem, one.Hint = lost.Error(), batch.HintOf(lost)
			} else if err != nil {
				return nil, err
			}
		}
		list = append(list, one)
	}
	return list, nil
}

// Create implements operate.Tables.
func (s tables) Create(ctx context.Context, name string) error {
	if err := s.dest.Create(ctx, name); err != nil {
		return fmt.Errorf("create table %s: %w", name, err)
	}
	return nil
}
