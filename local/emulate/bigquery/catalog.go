package bigquery

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// catalog is what datasets and tables there are: in memory, backed by the store.
// Records are replaced, never changed, so that readers need no lock to use them.
type catalog struct {
	now     func() time.Time
	phrases phrases
	limits  Limits

	// revision numbers the records ever written.
	revision atomic.Int64

	// write orders changes, which read, check, commit and then publish. It is taken
	// after the locks of tables and held for the length of a transaction.
	write sync.Mutex

	mu       sync.RWMutex // guards the maps
	datasets map[datasetRef]*bq.Dataset
	tables   map[tableRef]*bq.Table
}

func newCatalog(cfg Config, p phrases) *catalog {
	return &catalog{now: cfg.Now, phrases: p, limits: cfg.Limits, datasets: map[datasetRef]*bq.Dataset{}, tables: map[tableRef]*bq.Table{}}
}

const (
	kindDataset = "dataset"
	kindTable   = "table"
)

// restore reads what an earlier server has written.
func (c *catalog) restore(ctx context.Context, s *store) error {
	return s.transact(ctx, func(t *txn) error {
		return t.query(ctx, `SELECT kind, id, record FROM "$catalog".objects ORDER BY seq`, c.restoreRow)
	})
}

func (c *catalog) restoreRow(rows *sql.Rows) error {
	var kind, id, record string
	if err := rows.Scan(&kind, &id, &record); err != nil {
		return err
	}
	c.revision.Add(1)
	project, rest, _ := strings.Cut(id, "/")
	dataset, table, _ := strings.Cut(rest, "/")
	switch {
	case kind == kindDataset && record == "":
		delete(c.datasets, datasetRef{project, dataset})
	case kind == kindTable && record == "":
		delete(c.tables, tableRef{project, dataset, table})
	case kind == kindDataset:
		d := &bq.Dataset{}
		c.datasets[datasetRef{project, dataset}] = d
		return json.Unmarshal([]byte(record), d)
	case kind == kindTable:
		t := &bq.Table{}
		c.tables[tableRef{project, dataset, table}] = t
		return json.Unmarshal([]byte(record), t)
	}
	return nil
}

// dataset finds a dataset.
func (c *catalog) dataset(ref datasetRef) (*bq.Dataset, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if d := c.datasets[ref]; d != nil {
		return d, nil
	}
	return nil, c.noDataset(ref)
}

func (c *catalog) noDataset(ref datasetRef) error {
	return c.phrases.refuse(caseNoDataset, map[string]string{"dataset": ref.String()})
}

// elsewhere is what a job in another location is told.
func (c *catalog) elsewhere(ref datasetRef, location string) error {
	return c.phrases.refuse(caseLocation, map[string]string{"dataset": ref.String(), "location": location})
}

// table finds a table that has not expired. Names are case-sensitive.
func (c *catalog) table(ref tableRef) (*bq.Table, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.datasets[ref.parent()] == nil {
		return nil, c.noDataset(ref.parent())
	}
	if t := c.tables[ref]; t != nil && !c.expired(t) {
		return t, nil
	}
	return nil, c.phrases.refuse(caseNoTable, about(ref))
}

// expired tells whether the table is only waiting to be swept away.
func (c *catalog) expired(t *bq.Table) bool {
	return t.ExpirationTime != 0 && t.ExpirationTime <= c.now().UnixMilli()
}

// expiring lists the tables whose partitions expire.
func (c *catalog) expiring() []*bq.Table {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var list []*bq.Table
	for _, t := range c.tables {
		if p := t.TimePartitioning; p != nil && p.ExpirationMs > 0 && !c.expired(t) {
			list = append(list, t)
		}
	}
	return list
}

// datasetsOf lists a project's datasets by name.
func (c *catalog) datasetsOf(project string) []*bq.Dataset {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var list []*bq.Dataset
	for ref, d := range c.datasets {
		if ref.project == project {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b *bq.Dataset) int {
		return strings.Compare(a.DatasetReference.DatasetId, b.DatasetReference.DatasetId)
	})
	return list
}

// tablesOf lists a dataset's tables by name, those that have expired only if asked.
func (c *catalog) tablesOf(ref datasetRef, expired bool) []*bq.Table {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var list []*bq.Table
	for tableRef, t := range c.tables {
		if tableRef.parent() == ref && (expired || !c.expired(t)) {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b *bq.Table) int {
		return strings.Compare(a.TableReference.TableId, b.TableReference.TableId)
	})
	return list
}

// expiredTables lists the tables of all datasets whose time is up.
func (c *catalog) expiredTables() []tableRef {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var list []tableRef
	for ref, t := range c.tables {
		if c.expired(t) {
			list = append(list, ref)
		}
	}
	return list
}

// putDataset writes the record, or removes it if nil; it shows after the commit.
func (c *catalog) putDataset(ctx context.Context, t *txn, ref datasetRef, d *bq.Dataset) error {
	record := ""
	if d != nil {
		d.Etag, d.LastModifiedTime = c.nextEtag(), c.now().UnixMilli()
		record = mustJSON(d)
	}
	t.onCommit(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if d == nil {
			delete(c.datasets, ref)
		} else {
			c.datasets[ref] = d
		}
	})
	return t.putObject(ctx, kindDataset, ref.key(), record)
}

// putTable writes the record, or removes it if nil; it shows after the commit.
func (c *catalog) putTable(ctx context.Context, t *txn, ref tableRef, table *bq.Table) error {
	record := ""
	if table != nil {
		table.Etag, table.LastModifiedTime = c.nextEtag(), uint64(c.now().UnixMilli())
		record = mustJSON(table)
	}
	t.onCommit(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if table == nil {
			delete(c.tables, ref)
		} else {
			c.tables[ref] = table
		}
	})
	return t.putObject(ctx, kindTable, ref.key(), record)
}

// nextEtag is one that no record has had, not even of a table dropped since.
func (c *catalog) nextEtag() string {
	return fmt.Sprintf("%q", strconv.FormatInt(c.revision.Add(1), 10))
}

// mustJSON encodes a value of the API's types, which cannot fail.
func mustJSON(v any) string {
	encoded, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("bigquery: encode %T: %v", v, err))
	}
	return string(encoded)
}
