package bigquery

import (
	"context"

	bq "google.golang.org/api/bigquery/v2"
)

// typeView is the type of a table that is a view.
const typeView = "VIEW"

// createView creates a view and completes its record. Its query is translated once, to a view of DuckDB's on the tables
// that it names; they must exist and be where the view is. The caller holds the table's lock and the catalog's.
func (s *Server) createView(ctx context.Context, t *txn, ref tableRef, table *bq.Table, dataset *bq.Dataset) error {
	v := table.View
	if v.UseLegacySql || len(v.UserDefinedFunctionResources) > 0 || v.PrivacyPolicy != nil {
		return notImplemented("views in legacy SQL, with functions or privacy policies")
	}
	if table.TimePartitioning != nil || table.Clustering != nil || table.ExpirationTime != 0 {
		return invalid("A view cannot be partitioned or clustered, and is covered here without an expiration")
	}
	tokens, err := lex(v.Query)
	if err != nil {
		return err
	}
	sc := scope{catalog: s.catalog, project: ref.project, location: dataset.Location, now: s.cfg.Now()}
	query, err := sc.translate(tokens)
	if err != nil {
		return err
	}
	columns, err := t.describe(ctx, query)
	if err != nil {
		return queryError(err)
	}
	if table.Schema, err = resultSchema(columns); err != nil {
		return err
	}
	table.Kind, table.Id, table.Type = "bigquery#table", ref.String(), typeView
	table.TableReference = &bq.TableReference{ProjectId: ref.project, DatasetId: ref.dataset, TableId: ref.table}
	table.Location, table.CreationTime = dataset.Location, s.cfg.Now().UnixMilli()
	if _, err := t.exec(ctx, "CREATE VIEW "+ref.physical()+" AS "+query); err != nil {
		return queryError(err)
	}
	return s.catalog.putTable(ctx, t, ref, table)
}

// isView tells whether there is a view of the name.
func isView(c *catalog, ref tableRef) bool {
	table, err := c.table(ref)
	return err == nil && table.Type == typeView
}

// errView refuses what only tables take.
func errView(what string, ref tableRef) error {
	return invalid("%s cannot write to %s: it is a VIEW", what, ref)
}
