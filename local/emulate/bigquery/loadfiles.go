package bigquery

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// sources are a load job's objects as files, which is what DuckDB reads.
type sources struct {
	dir   string
	paths []string // as in the job's sourceUris
	bytes int64

	// uncompressed is what Parquet says its values take, which stands for BigQuery's
	// own count of bytes.
	uncompressed int64

	// columns are those that occur in any of the files.
	columns map[string]bool
}

func (f *sources) remove() { _ = os.RemoveAll(f.dir) } // below the server's own, removed at last

// fetchers is how many objects are fetched at the same time.
const fetchers = 8

// fetch copies the objects to files.
func (l *load) fetch(ctx context.Context) (*sources, error) {
	if l.server.cfg.Objects == nil {
		return nil, notFound("URI %s (no Objects configured)", l.config.SourceUris[0])
	}
	dir, err := os.MkdirTemp(l.server.store.temp, "load-")
	if err != nil {
		return nil, err
	}
	files := &sources{dir: dir, paths: make([]string, len(l.config.SourceUris)), columns: map[string]bool{}}
	var bytes atomic.Int64
	group, fetchCtx := errgroup.WithContext(ctx)
	group.SetLimit(fetchers)
	for i, uri := range l.config.SourceUris {
		files.paths[i] = filepath.Join(dir, fmt.Sprintf("%05d.parquet", i))
		group.Go(func() error {
			n, err := l.copyObject(fetchCtx, uri, files.paths[i])
			bytes.Add(n)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		files.remove()
		return nil, err
	}
	files.bytes = bytes.Load()
	return files, nil
}

func (l *load) copyObject(ctx context.Context, uri, path string) (int64, error) {
	bucket, name, _ := splitURI(uri) // checked when the job was accepted
	object, err := l.server.cfg.Objects.Open(ctx, bucket, name)
	if errors.Is(err, ErrNoObject) {
		return 0, notFound("URI %s", uri)
	}
	if err != nil {
		return 0, newError("backendError", "Error while reading %s: %v", uri, err)
	}
	defer func() { _ = object.Close() }() // what was read has been checked
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(file, object)
	if err != nil {
		err = newError("backendError", "Error while reading %s: %v", uri, err)
	}
	return n, errors.Join(err, file.Close())
}

// uri is the source whose file DuckDB names in a message or result.
func (l *load) uri(f *sources, path string) string {
	for i := range f.paths {
		if f.paths[i] == path {
			return l.config.SourceUris[i]
		}
	}
	return path
}

// list is the DuckDB list of the files.
func (f *sources) list() string {
	quoted := make([]string, len(f.paths))
	for i, path := range f.paths {
		quoted[i] = quote(path)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// scan is the FROM clause of all files. A column that a file lacks is NULL
// (docs.cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet).
func (f *sources) scan() string {
	return "read_parquet(" + f.list() + ", union_by_name = true, hive_partitioning = false)"
}

// insertSQL inserts the schema's columns; the table's others are NULL.
func (l *load) insertSQL(f *sources) string {
	names, values := l.target.arrival(l.config.Schema.Fields)
	for _, field := range l.config.Schema.Fields {
		names = append(names, field.Name)
		value := "NULL"
		if f.columns[field.Name] {
			// The cast makes up for timestamps that say they have no zone, which the
			// load table of the Parquet page does not look at either.
			value = "CAST(" + ident(field.Name) + " AS " + fieldDuckType(field) + ")"
		}
		values = append(values, stored(field, value))
	}
	return "INSERT INTO " + l.ref.physical() + " (" + idents(names) + ") SELECT " + strings.Join(values, ", ") + " FROM " + f.scan()
}

// checkPartitions finds the partitions that the rows belong to, and refuses too many
// for a job, a day or the table. What the day's count includes is not given back if
// the load fails.
func (l *load) checkPartitions(ctx context.Context, t *txn, f *sources) error {
	p := partitioningOf(l.target.table)
	if p == nil {
		return nil
	}
	written := map[string]bool{}
	if err := t.texts(ctx, l.partitionsSQL(f, p), func(id string) { written[id] = true }); err != nil {
		return loadError(err)
	}
	if err := l.server.catalog.checkModified(written, caseLoadPartitions); err != nil {
		return err
	}
	if err := l.server.noteModifications(ctx, l.ref, p, len(written)); err != nil {
		return err
	}
	t.onCommit(func() { l.server.partitions.add(l.ref, written) })
	return l.server.checkTotal(ctx, l.ref, p, written)
}

// partitionsSQL is the query of the partitions of the files' rows.
func (l *load) partitionsSQL(f *sources, p *partitioning) string {
	if p.isIngestion() {
		return "SELECT " + p.id(p.arrival(l.target.now))
	}
	field := fieldNamed(l.config.Schema, p.column)
	if field == nil || !f.columns[field.Name] {
		return "SELECT '" + nullPartition + "'"
	}
	return p.distinct("CAST("+ident(field.Name)+" AS "+duckType(field.Type)+")", f.scan())
}

// loadError makes DuckDB's error one of the data. DuckDB says what is wrong with
// the first file or row that it finds wrong.
func loadError(err error) error {
	return invalid("Error while reading data, error message: %v", err)
}

// measure reads how much the values take uncompressed.
func (f *sources) measure(ctx context.Context, t *txn) error {
	return t.query(ctx, "SELECT CAST(coalesce(sum(total_uncompressed_size), 0) AS BIGINT) FROM parquet_metadata("+f.list()+")",
		func(rows *sql.Rows) error { return rows.Scan(&f.uncompressed) })
}
