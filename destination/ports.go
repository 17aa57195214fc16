package destination

import (
	"context"

	"tidemark/model"
)

// Warehouse is what this package asks of BigQuery.
type Warehouse interface {
	// Table describes a table as it is now. found is false when there is no such table, or no such dataset.
	Table(ctx context.Context, project, dataset, table string) (info Table, found bool, err error)
	// EnsureTable creates the table unless one of that name exists, whatever that one looks like. It is safe to repeat
	// and to call from several replicas. A missing dataset is an error; datasets are never created.
	EnsureTable(ctx context.Context, spec Spec) error
	// Location returns where a dataset is. A missing dataset is an error.
	Location(ctx context.Context, project, dataset string) (string, error)
}

// Table is what BigQuery says of a table.
type Table struct {
	// Kind is BigQuery's: TABLE, VIEW, MATERIALIZED_VIEW, EXTERNAL, SNAPSHOT.
	Kind string
	// Location is that of the dataset, for example EU or us-central1.
	Location string
	Fields   []Field
}

// Field is a column of a table.
type Field struct {
	Name string
	// Type is the GoogleSQL name (STRING, INT64, BOOL, TIMESTAMP, JSON, FLOAT64, STRUCT, …), never the older INTEGER,
	// BOOLEAN, FLOAT or RECORD that the REST API also uses.
	Type     string
	Required bool // a row without a value is refused
	Repeated bool // an ARRAY of Type
}

// Spec describes a table to create.
type Spec struct {
	Project, Dataset, Table string

	Description string
	Columns     []model.Column
	// JSON makes the columns that hold JSON documents JSON instead of STRING.
	JSON bool
	// PartitionBy is the TIMESTAMP column whose UTC day is the partition.
	PartitionBy string
	// ClusterBy are up to four columns, the most selective filter first.
	ClusterBy []string
}
