package bigquery

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"path/filepath"

	"github.com/duckdb/duckdb-go/v2"
)

// store is the DuckDB database: rows, and beside them, in a schema that no dataset
// can be called, what makes them BigQuery's. It appends only (a later record of a
// key replaces an earlier one), because appends never conflict.
type store struct {
	db   *sql.DB
	temp string // spilled data and sources of load jobs; removed on close
}

const catalogDDL = `
CREATE SCHEMA IF NOT EXISTS "$catalog";
CREATE SEQUENCE IF NOT EXISTS "$catalog".seq;
CREATE TABLE IF NOT EXISTS "$catalog".objects(seq BIGINT, kind VARCHAR, id VARCHAR, record VARCHAR);
CREATE TABLE IF NOT EXISTS "$catalog".jobs(seq BIGINT, done BOOLEAN, record VARCHAR);
`

// openStore opens or creates the database in dir, or one in memory.
func openStore(ctx context.Context, cfg Config) (*store, error) {
	path := ""
	if cfg.Dir != "" {
		if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
			return nil, fmt.Errorf("bigquery: %w", err)
		}
		path = filepath.Join(cfg.Dir, "bigquery.duckdb")
	}
	temp, err := os.MkdirTemp("", "bigquery-")
	if err != nil {
		return nil, fmt.Errorf("bigquery: %w", err)
	}
	s := &store{temp: temp}
	connector, err := duckdb.NewConnector(path, func(conn driver.ExecerContext) error {
		// Per connection. DuckDB computes dates of timestamps in the session's zone.
		_, err := conn.ExecContext(context.Background(), "SET TimeZone='UTC'", nil)
		return err
	})
	if err != nil {
		_ = os.RemoveAll(temp) // the first error is the one to tell
		return nil, fmt.Errorf("bigquery: open %q: %w", path, err)
	}
	s.db = sql.OpenDB(connector)
	s.db.SetMaxIdleConns(maxIdleConns)
	if err := s.setUp(ctx, cfg); err != nil {
		_ = s.close()
		return nil, fmt.Errorf("bigquery: open %q: %w", path, err)
	}
	return s, nil
}

// maxIdleConns keeps connections of finished jobs for the next ones; opening one
// costs about a millisecond.
const maxIdleConns = 16

func (s *store) setUp(ctx context.Context, cfg Config) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // only gives it back to the pool
	settings := []string{
		"SET GLOBAL memory_limit = " + quote(cfg.MemoryLimit),
		"SET GLOBAL temp_directory = " + quote(s.temp),
		// BigQuery sorts NULL before every value
		// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#order_by_clause).
		"SET GLOBAL default_null_order = 'nulls_first_on_asc_last_on_desc'",
		// A table has no order, and keeping one would keep load jobs from streaming.
		"SET GLOBAL preserve_insertion_order = false",
		"SET GLOBAL autoinstall_known_extensions = false",
	}
	if cfg.Threads > 0 {
		settings = append(settings, fmt.Sprintf("SET GLOBAL threads = %d", cfg.Threads))
	}
	if err := registerJSON(conn); err != nil {
		return err
	}
	for _, statement := range append(append(settings, catalogDDL), macros()...) {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func (s *store) close() error {
	err := s.db.Close()
	if removeErr := os.RemoveAll(s.temp); err == nil {
		err = removeErr
	}
	return err
}

// txn is a transaction on a connection of its own.
type txn struct {
	conn  *sql.Conn
	after []func()
}

// onCommit has f called once the transaction has been committed, which is when
// what is kept in memory may change too.
func (t *txn) onCommit(f func()) { t.after = append(t.after, f) }

// transact runs f in a transaction, and commits unless f fails. A cancelled context
// interrupts the statement that is running.
func (s *store) transact(ctx context.Context, f func(*txn) error) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // only gives it back to the pool
	t := &txn{conn: conn}
	// Beginning and ending are not subject to ctx: a connection must never go back
	// to the pool inside of a transaction.
	uncancelled := context.WithoutCancel(ctx)
	if _, err := conn.ExecContext(uncancelled, "BEGIN TRANSACTION"); err != nil {
		return err
	}
	if err := f(t); err != nil {
		// A failed commit has rolled back already; then this fails, harmlessly.
		_, _ = conn.ExecContext(uncancelled, "ROLLBACK")
		return err
	}
	if _, err := conn.ExecContext(uncancelled, "COMMIT"); err != nil {
		_, _ = conn.ExecContext(uncancelled, "ROLLBACK") // as above
		return fmt.Errorf("commit: %w", err)
	}
	for _, f := range t.after {
		f()
	}
	return nil
}

// exec runs a statement and returns how many rows it touched.
func (t *txn) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := t.conn.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// query calls each for every row of the statement's result.
func (t *txn) query(ctx context.Context, statement string, each func(*sql.Rows) error) error {
	rows, err := t.conn.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// count returns the single number that the statement selects.
func (t *txn) count(ctx context.Context, statement string) (n int64, err error) {
	err = t.conn.QueryRowContext(ctx, statement).Scan(&n)
	return n, err
}

// putObject writes a record of the catalog; an empty one means that it is gone.
func (t *txn) putObject(ctx context.Context, kind, id, record string) error {
	_, err := t.exec(ctx, `INSERT INTO "$catalog".objects VALUES (nextval('"$catalog".seq'), ?, ?, ?)`, kind, id, record)
	return err
}
