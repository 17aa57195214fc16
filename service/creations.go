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

// creations remembers in the bucket when the tables were made that are filled: a mark for each, which is never changed. A mark is
// made before the first rows are applied, so a table that may have taken rows has one, whoever crashed when. It is safe for
// concurrent use, here and in other processes.
type creations struct {
	store  loader.ObjectStore
	house  *warehouse.Client
	prefix string
	group  string
	// configured are the targets that the status table may tell of.
	configured []batch.Target

	mu    sync.Mutex
	known map[string][]time.Time // by table
	last  map[string]lastMark    // by table
	told  map[string][]time.Time // by the status table, by table
}

// creationMark is what a mark says.
type creationMark struct {
	// Columns are those that are filled.
	Columns []batch.Column `json:"columns"`
	// Rows says that the table has taken rows.
	Rows bool `json:"rows,omitempty"`
}

// lastMark is the last mark of a name; created is zero if there is none.
type lastMark struct {
	created time.Time
	creationMark
}

var _ destination.Memory = (*creations)(nil)

func newCreations(cfg Config, store loader.ObjectStore, house *warehouse.Client) *creations {
	c := &creations{
		store: store, house: house, prefix: cfg.Loader.Prefix, group: cfg.Consumer.Group,
		known: make(map[string][]time.Time), last: make(map[string]lastMark), told: make(map[string][]time.Time),
	}
	for _, table := range []string{cfg.Destination.EventsTable, cfg.Destination.PersonsTable} {
		c.configured = append(c.configured, batch.Target{Project: cfg.Warehouse.Project, Dataset: cfg.Destination.Dataset, Table: table, StatusTable: cfg.Destination.StatusTable})
	}
	return c
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
	}
	return true, c.remember(ctx, table, created, creationMark{Columns: columns})
}

// remember marks a table unless its last mark says all that the new one would: a column that a person has added is in batches now.
func (c *creations) remember(ctx context.Context, table string, created time.Time, m creationMark) error {
	says := func(last lastMark) bool {
		return last.created.Equal(created) && (m.Columns == nil || slices.Equal(last.Columns, m.Columns)) && (last.Rows || !m.Rows)
	}
	c.mu.Lock()
	last := c.last[table]
	c.mu.Unlock()
	if says(last) {
		return nil
	}
	last, err := c.lastMark(ctx, table)
	if err != nil || says(last) {
		return err
	}
	if m.Columns == nil {
		m.Columns = last.Columns
	}
	m.Rows = m.Rows || last.Rows && last.created.Equal(created)
	return c.mark(ctx, table, created, m)
}

// Creations implements destination.Memory. Where there is no mark, TIDEMARK_PREFIX may have been another one, and the row of the
// status table tells.
func (c *creations) Creations(ctx context.Context, table string) (all []time.Time, err error) {
	list, err := c.store.List(ctx, c.dir(table), c.dir(table))
	if err != nil {
		return nil, fmt.Errorf("list when %s was made: %w", table, err)
	}
	for _, o := range list {
		if made, ok := madeAt(o.Name); ok && !slices.ContainsFunc(all, made.Equal) {
			all = append(all, made)
		}
	}
	if len(all) == 0 {
		if all, err = c.toldOf(ctx, table); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[table] = all
	return all, nil
}

// madeAt reads the name of a mark.
func madeAt(name string) (time.Time, bool) {
	made, _, _ := strings.Cut(path.Base(name), "-")
	ms, err := strconv.ParseInt(made, 10, 64)
	return time.UnixMilli(ms), err == nil
}

// toldOf asks the status table, once.
func (c *creations) toldOf(ctx context.Context, table string) (told []time.Time, err error) {
	i := slices.IndexFunc(c.configured, func(t batch.Target) bool { return t.String() == table && t.StatusTable != "" })
	if i < 0 {
		return nil, nil
	}
	c.mu.Lock()
	told, asked := c.told[table]
	c.mu.Unlock()
	if asked {
		return told, nil
	}
	at, found, err := c.house.ToldCreation(ctx, c.configured[i], c.group)
	if err != nil {
		return nil, err
	}
	if found {
		told = []time.Time{time.UnixMilli(at.UnixMilli())}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told[table] = told
	return told, nil
}

// lastMark reads the last mark of a table. Names sort by when the table was made, and by when the mark was.
func (c *creations) lastMark(ctx context.Context, table string) (last lastMark, err error) {
	list, err := c.store.List(ctx, c.dir(table), c.dir(table))
	if err != nil || len(list) == 0 {
		return last, err
	}
	name := list[len(list)-1].Name
	text, err := c.store.Get(ctx, name)
	if err != nil {
		return last, err
	}
	if err := json.Unmarshal(text, &last.creationMark); err != nil {
		return last, fmt.Errorf("read the mark of %s: %w", table, err)
	}
	last.created, _ = madeAt(name) // zero is no table's
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last[table] = last
	return last, nil
}

// Columns implements destination.Memory.
func (c *creations) Columns(ctx context.Context, table string) ([]batch.Column, error) {
	last, err := c.lastMark(ctx, table)
	return last.Columns, err
}

// Took implements destination.Memory.
func (c *creations) Took(ctx context.Context, table string, created time.Time) (bool, error) {
	last, err := c.lastMark(ctx, table)
	return last.Rows && last.created.Equal(created), err
}

// Accept marks the table that was made at an instant as one that is filled from now on, in these columns; those of the one before
// if they are nil. It is safe to repeat.
func (c *creations) Accept(ctx context.Context, table string, created time.Time, columns []batch.Column) error {
	return c.remember(ctx, table, created, creationMark{Columns: columns})
}

func (c *creations) mark(ctx context.Context, table string, created time.Time, m creationMark) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s%013d-%013d.json", c.dir(table), created.UnixMilli(), time.Now().UnixMilli())
	switch err := (marks{c.store}).Create(ctx, name, text); {
	case errors.Is(err, consumer.ErrMarkExists): // another replica's, which may say something else: it is read again
		return nil
	case err != nil:
		return fmt.Errorf("mark %s, made at %s, as filled: %w", table, created.UTC().Format(time.RFC3339), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[table] = append(c.known[table], created)
	c.last[table] = lastMark{time.UnixMilli(created.UnixMilli()), m}
	return nil
}

// lookups are creations that only look: nothing is marked.
type lookups struct{ *creations }

// Known implements destination.Memory.
func (l lookups) Known(ctx context.Context, table string, created time.Time, _ []batch.Column) (bool, error) {
	all, err := l.Creations(ctx, table)
	return len(all) == 0 || slices.ContainsFunc(all, created.Equal), err
}
