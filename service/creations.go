package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tidemark/batch"
	"tidemark/consumer"
	"tidemark/destination"
	"tidemark/loader"
	"tidemark/warehouse"
)

// creations remembers in the bucket when the tables were made that are filled: a mark for each, which is never changed. It is
// safe for concurrent use, here and in other processes.
type creations struct {
	store  loader.ObjectStore
	house  *warehouse.Client
	prefix string

	mu    sync.Mutex
	known map[string][]time.Time // by table
}

var _ destination.Memory = (*creations)(nil)

func newCreations(cfg loader.Config, store loader.ObjectStore, house *warehouse.Client) *creations {
	return &creations{store: store, house: house, prefix: cfg.Prefix, known: make(map[string][]time.Time)}
}

// dir is where the marks of a table are.
func (c *creations) dir(table string) string {
	return path.Join(c.prefix, "creations", url.PathEscape(table)) + "/"
}

// Known implements destination.Memory. What is not known is looked up again: a person may have accepted it meanwhile.
func (c *creations) Known(ctx context.Context, table string, created time.Time, columns []batch.Column) (bool, error) {
	c.mu.Lock()
	known := slices.ContainsFunc(c.known[table], created.Equal)
	c.mu.Unlock()
	if known {
		return true, nil
	}
	all, err := c.Creations(ctx, table)
	switch {
	case err != nil:
		return false, err
	case len(all) == 0:
		return true, c.mark(ctx, table, created, columns)
	}
	return slices.ContainsFunc(all, created.Equal), nil
}

// Creations implements destination.Memory.
func (c *creations) Creations(ctx context.Context, table string) ([]time.Time, error) {
	list, err := c.store.List(ctx, c.dir(table), c.dir(table))
	if err != nil {
		return nil, fmt.Errorf("list when %s was made: %w", table, err)
	}
	var all []time.Time
	for _, o := range list {
		if ms, err := strconv.ParseInt(strings.TrimSuffix(path.Base(o.Name), ".json"), 10, 64); err == nil {
			all = append(all, time.UnixMilli(ms))
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[table] = all
	return all, nil
}

// creationMark is what a mark says: the columns that are filled.
type creationMark struct {
	Columns []batch.Column `json:"columns"`
}

// Columns implements destination.Memory.
func (c *creations) Columns(ctx context.Context, table string) ([]batch.Column, error) {
	all, err := c.Creations(ctx, table)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	text, err := c.store.Get(ctx, c.name(table, all[len(all)-1]))
	if err != nil {
		return nil, err
	}
	var m creationMark
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("read the mark of %s: %w", table, err)
	}
	return m.Columns, nil
}

// Accept marks the table that was made at an instant as one that is filled from now on, with the columns of the one before. It
// is safe to repeat.
func (c *creations) Accept(ctx context.Context, table string, created time.Time) error {
	columns, err := c.Columns(ctx, table)
	if err != nil {
		return err
	}
	return c.mark(ctx, table, created, columns)
}

func (c *creations) name(table string, created time.Time) string {
	return fmt.Sprintf("%s%d.json", c.dir(table), created.UnixMilli())
}

func (c *creations) mark(ctx context.Context, table string, created time.Time, columns []batch.Column) error {
	text, err := json.Marshal(creationMark{columns})
	if err != nil {
		return err
	}
	err = marks{c.store}.Create(ctx, c.name(table, created), text)
	if err != nil && !errors.Is(err, consumer.ErrMarkExists) {
		return fmt.Errorf("mark %s, made at %s, as filled: %w", table, created.UTC().Format(time.RFC3339), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[table] = append(c.known[table], created)
	return nil
}

// check looks at a table in BigQuery. Its error is a [*destination.Lost] if it is not the one that was filled.
func (c *creations) check(ctx context.Context, t batch.Target) error {
	created, there, err := c.house.CreatedAt(ctx, t.Project, t.Dataset, t.Table)
	if err != nil {
		return err
	}
	return destination.Check(ctx, c, t.String(), created, there, t.Columns)
}
