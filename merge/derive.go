package merge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"tidemark/batch"
)

// Memory knows the tables that were filled before, by when BigQuery made them.
type Memory interface {
	// Known says whether the table that was made at an instant is one that is filled. The first of a name that is seen is,
	// from then on.
	Known(ctx context.Context, table string, created time.Time, columns []batch.Column) (bool, error)
	// Creations are the instants at which tables of the name were made that were filled, in ascending order.
	Creations(ctx context.Context, table string) ([]time.Time, error)
	// Accept marks a table as one that is filled, in these columns; those of the one before if they are nil. It is safe to repeat.
	Accept(ctx context.Context, table string, created time.Time, columns []batch.Column) error
}

// ErrUnderivable means that the table of persons and a side table of it were made again: what they held is nowhere else.
var ErrUnderivable = errors.New("a side table was made again, and there is no table of persons from which it can be filled, for that is a view or was made again, too, so that neither can be derived from the other")

// SideTables are t's side tables, as far as their names go.
func SideTables(t batch.Target) []batch.Target {
	persons, mappings := t, t
	persons.Table, mappings.Table = personState(t).Table, mappingState(t).Table
	return []batch.Target{persons, mappings}
}

// state says which of t's tables are the ones that were filled: the table itself, and both of its side tables.
func state(ctx context.Context, memory Memory, t batch.Target, created time.Time, made []time.Time) (table, sides bool, err error) {
	if table, err = tableKnown(ctx, memory, t, created, made); err != nil {
		return false, false, err
	}
	sides = true
	for i, side := range SideTables(t) {
		before, err := memory.Creations(ctx, side.String())
		if err != nil {
			return false, false, err
		}
		if !table && !t.View && len(before) == 0 && made[i].After(created) { // it came after what is not the table that was filled
			sides = false
			continue
		}
		known, err := memory.Known(ctx, side.String(), made[i], nil)
		if err != nil {
			return false, false, err
		}
		sides = sides && known
	}
	return table, sides, nil
}

// tableKnown says whether the table itself is the one that was filled. A view holds nothing. A table that is seen for the first time
// and is younger than its side tables came after a view, or after a table that nobody remembers.
func tableKnown(ctx context.Context, memory Memory, t batch.Target, created time.Time, made []time.Time) (bool, error) {
	if t.View {
		return false, nil
	}
	before, err := memory.Creations(ctx, t.String())
	if err != nil {
		return false, err
	}
	if len(before) == 0 && slices.ContainsFunc(made, created.After) {
		return false, nil
	}
	return memory.Known(ctx, t.String(), created, t.Columns)
}

// Derivable says whether the table, or its side tables, can be made of the others, given when they were made. Its error wraps
// [ErrUnderivable].
func Derivable(ctx context.Context, memory Memory, t batch.Target, created time.Time, made []time.Time) error {
	table, sides, err := state(ctx, memory, t, created, made)
	if err == nil && !table && !sides {
		err = &underivable{t.String()}
	}
	return err
}

// rebuild sees to it that a table of persons that was deleted, restored or made again has what it should: it is derived again,
// whole, from the side tables. made is when these were made; new ones have been seeded from the table.
func (m *Merger) rebuild(ctx context.Context, t batch.Target, created time.Time, made []time.Time, withStatus bool) error {
	if m.memory == nil {
		return nil
	}
	table, sides, err := state(ctx, m.memory, t, created, made)
	switch {
	case err != nil, table && sides, t.View && sides:
		return err
	case table:
		m.log.Warn("side tables were made again, and filled from the table", "table", t.String())
	case sides:
		kind := fmt.Sprintf("%s_%d", kindDerive, created.UnixMilli()) // so it runs once
		if err := m.derive(ctx, t, kind, created, withStatus); err != nil {
			return err
		}
		m.log.Warn("the table had been made again; it was derived from its side tables", "table", t.String(), "made_at", created)
	default:
		return &underivable{t.String()}
	}
	return m.accept(ctx, t, created, made)
}

func (m *Merger) accept(ctx context.Context, t batch.Target, created time.Time, made []time.Time) error {
	errs := []error{m.memory.Accept(ctx, t.String(), created, t.Columns)}
	for i, side := range SideTables(t) {
		errs = append(errs, m.memory.Accept(ctx, side.String(), made[i], nil))
	}
	return errors.Join(errs...)
}

// derive runs the job that derives the table. It merges by version and conflicts with merges, so another run, or one beside them,
// would do no harm. at is when the rows are said to be written.
func (m *Merger) derive(ctx context.Context, t batch.Target, kind string, at time.Time, withStatus bool) error {
	sql, err := deriveSQL(t, withStatus)
	if err != nil {
		return err
	}
	job := fencedJob(t, kind, sql, withStatus)
	if hasColumn(t, ingestedColumn) {
		job.Params = append(job.Params, batch.Param{Name: "ingested_at", Value: at})
	}
	if _, err := m.warehouse.Query(ctx, job); err != nil {
		return fmt.Errorf("derive %s from its side tables: %w", t, err)
	}
	return nil
}

// emptied says whether the table has no row although both side tables have some besides their marks: it was truncated, or none of
// its persons has a distinct id that is known.
func (m *Merger) emptied(ctx context.Context, t batch.Target) (bool, error) {
	if t.View || m.memory == nil {
		return false, nil
	}
	rows, err := m.warehouse.Rows(ctx, t.Project, t.Dataset, t.Table)
	if err != nil || rows > 0 {
		return false, err
	}
	for _, side := range SideTables(t) {
		if rows, err = m.warehouse.Rows(ctx, side.Project, side.Dataset, side.Table); err != nil || rows <= 1 {
			return false, err
		}
	}
	return true, nil
}

// refill derives a table that was truncated: BigQuery keeps its creation time, and the side tables know what it had. A table that
// has no row for good is derived once by each process, which finds nothing. The job's name stays until it has succeeded, so that
// whoever could not wait for it attaches to it.
func (m *Merger) refill(ctx context.Context, t batch.Target, there sides) (sides, error) {
	empty, err := m.emptied(ctx, t)
	if err != nil || !empty || there.refilled {
		there.refilled = empty && err == nil
		return there, err
	}
	m.mu.Lock()
	kind := m.refills[t.String()]
	if kind == "" {
		kind = kindDerive + "_" + uuid.NewString()
		m.refills[t.String()] = kind
	}
	m.mu.Unlock()
	if err := m.derive(ctx, t, kind, time.Now(), there.withStatus(t)); err != nil {
		return there, err
	}
	m.log.Warn("the table had no rows and its side tables have: it was derived from them", "table", t.String())
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.refills, t.String())
	there.refilled = true
	return there, nil
}

// deriveSQL merges the join of the states, whole. A table that was restored has older rows, which are replaced by version.
func deriveSQL(t batch.Target, withStatus bool) (string, error) {
	persons, err := personsSQL(t, bounds{whole: true})
	if err != nil {
		return "", err
	}
	return transaction(t, []string{fenceSQL("merged_at = CURRENT_TIMESTAMP()", withStatus) + assertSeededSQL, persons})
}

// underivable is [ErrUnderivable] of one table.
type underivable struct{ table string }

func (e *underivable) Error() string { return fmt.Sprintf("table %s: %v", e.table, ErrUnderivable) }
func (e *underivable) Unwrap() error { return ErrUnderivable }

// Hint says what an operator can do.
func (e *underivable) Hint() string {
	return "restore one of them within the dataset's time travel window (`bq cp TABLE@MILLISECONDS TABLE`), or have both topics of persons read again from their start, which doubles nothing (`tidemark offsets set TOPIC earliest --repeat-records`); then `tidemark tables accept TABLE`"
}
