package destination

import (
	"context"

	"time"

	"tidemark/batch"
	"tidemark/model"
)

// Warehouse is what this package asks of BigQuery.
type Warehouse interface {
	// Table describes a table as it is now. found is false when there is no such table, or no such dataset.
	Table(ctx context.Context, project, dataset, table string) (info Table, found bool, err error)
	// Dataset describes a dataset. One that is missing is an error.
	Dataset(ctx context.Context, project, dataset string) (Dataset, error)
	// EnsureTable creates the table unless one of that name exists, whatever that one looks like. It is safe to repeat
	// and to call from several replicas. A missing dataset is an error; datasets are never created.
	EnsureTable(ctx context.Context, spec Spec) error
}

// Dataset is what BigQuery says of a dataset.
type Dataset struct {
	// Location is where it is, for example EU or us-central1. It never changes.
	Location string
	// Collation is that of new columns; empty is the binary one.
	Collation string
	// CaseInsensitive says that names of tables have no case.
	CaseInsensitive bool
	// TableLife and PartitionLife are how long new tables and partitions live by default; 0 = for ever.
	TableLife, PartitionLife time.Duration
}

// Table is what BigQuery says of a table.
type Table struct {
	// Kind is BigQuery's: TABLE, VIEW, MATERIALIZED_VIEW, EXTERNAL, SNAPSHOT.
	Kind string
	// Location is that of the dataset, for example EU or us-central1.
	Location string
	Fields   []Field
	Rows     int64
	// Created is when it was made: another instant means another table.
	Created time.Time
	// Partitions says how it is partitioned; nil if it is not.
	Partitions *batch.Partitioning
	// FilterRequired says that statements that read the table need a filter on the partitioning column.
	FilterRequired bool
	// Expires is when the table is deleted; zero = never.
	Expires time.Time
}

// Field is a column of a table.
type Field struct {
	Name string
	// Type is the GoogleSQL name (STRING, INT64, BOOL, TIMESTAMP, JSON, FLOAT64, STRUCT, …), never the older INTEGER,
	// BOOLEAN, FLOAT or RECORD that the REST API also uses.
	Type     string
	Required bool // a row without a value is refused
	Repeated bool // an ARRAY of Type
	// Collation of a STRING; empty is the binary one.
	Collation string
	// PolicyTags says that reading the column takes a right of its own.
	PolicyTags bool
}

// Spec describes a table to create.
type Spec struct {
	Project, Dataset, Table string

	Description string
	Columns     []model.Column
	// JSON makes the columns that hold JSON documents JSON instead of STRING.
	JSON bool
	// Partitions says how the table is partitioned; nil if it is not.
	Partitions *batch.Partitioning
	// ClusterBy are up to four columns, the most selective filter first.
	ClusterBy []string
}
