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

	mu      sync.Mutex
	known   map[string][]time.Time    // by table
	columns map[string][]batch.Column // those of the last mark, by table
}

var _ destination.Memory = (*creations)(nil)

func newCreations(cfg loader.Config, store loader.ObjectStore, house *warehouse.Client) *creations {
	return &creations{store: store, house: house, prefix: cfg.Prefix, known: make(map[string][]time.Time), columns: make(map[string][]batch.Column)}
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
	if !known {
		all, err := c.Creations(ctx, table)
		if err != nil || len(all) > 0 && !slices.ContainsFunc(all, created.Equal) {
			return false, err
		}
		if len(all) == 0 {
			return true, c.mark(ctx, table, created, columns)
		}
	}
	if columns == nil {
		return true, nil
	}
	return true, c.remember(ctx, table, created, columns)
}

// remember marks a table again whose columns are others than at the last mark: one that a person has added is in batches now.
func (c *creations) remember(ctx context.Context, table string, created time.Time, columns []batch.Column) error {
	c.mu.Lock()
	last, read := c.columns[table]
	c.mu.Unlock()
	if !read {
		var err error
		if last, err = c.Columns(ctx, table); err != nil {
			return err
		}
	}
	if slices.Equal(last, columns) {
		return nil
	}
	return c.mark(ctx, table, created, columns)
}

// Creations implements destination.Memory.
func (c *creations) Creations(ctx context.Context, table string) (all []time.Time, err error) {
	list, err := c.store.List(ctx, c.dir(table), c.dir(table))
	if err != nil {
		return nil, fmt.Errorf("list when %s was made: %w", table, err)
	}
	for _, o := range list {
		made, _, _ := strings.Cut(path.Base(o.Name), "-")
		if ms, err := strconv.ParseInt(made, 10, 64); err == nil && !slices.ContainsFunc(all, time.UnixMilli(ms).Equal) {
			all = append(all, time.UnixMilli(ms))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[table] = all
	return all, nil
}

// creationMark is what a mark says: the columns that are filled.
type creationMark struct {
	Columns []batch.Column `json:"columns"`
}

// Columns implements destination.Memory. Names sort by when the table was made, and by when the mark was.
func (c *creations) Columns(ctx context.Context, table string) ([]batch.Column, error) {
	list, err := c.store.List(ctx, c.dir(table), c.dir(table))
	if err != nil || len(list) == 0 {
		return nil, err
	}
	text, err := c.store.Get(ctx, list[len(list)-1].Name)
	if err != nil {
		return nil, err
	}
	var m creationMark
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("read the mark of %s: %w", table, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.columns[table] = m.Columns
	return m.Columns, nil
}

// Accept marks the table that was made at an instant as one that is filled from now on, in these columns; those of the one before
// if they are nil. It is safe to repeat.
func (c *creations) Accept(ctx context.Context, table string, created time.Time, columns []batch.Column) (err error) {
	if columns == nil {
		if columns, err = c.Columns(ctx, table); err != nil {
			return err
		}
	}
	return c.mark(ctx, table, created, columns)
}

func (c *creations) mark(ctx context.Context, table string, created time.Time, columns []batch.Column) error {
	text, err := json.Marshal(creationMark{columns})
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s%013d-%013d.json", c.dir(table), created.UnixMilli(), time.Now().UnixMilli())
	err = marks{c.store}.Create(ctx, name, text)
	if err != nil && !errors.Is(err, consumer.ErrMarkExists) {
		return fmt.Errorf("mark %s, made at %s, as filled: %w", table, created.UTC().Format(time.RFC3339), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[table], c.columns[table] = append(c.known[table], created), columns
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

// lookups are creations that only look: nothing is marked.
type lookups struct{ *creations }

// Known implements destination.Memory.
func (l lookups) Known(ctx context.Context, table string, created time.Time, _ []batch.Column) (bool, error) {
	all, err := l.Creations(ctx, table)
	return len(all) == 0 || slices.ContainsFunc(all, created.Equal), err
}
