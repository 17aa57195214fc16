package bigquery

import (
	"context"
	"errors"
	"slices"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

func refOf(r *bq.TableReference) tableRef {
	return tableRef{r.ProjectId, r.DatasetId, r.TableId}
}

func (s *Server) tablesInsert(ctx context.Context, r *request) (any, error) {
	var table bq.Table
	if err := r.decode(&table); err != nil {
		return nil, err
	}
	if table.TableReference == nil {
		return nil, invalid("Required parameter is missing: tableReference")
	}
	ref := s.catalog.canonical(tableRef{r.project, r.dataset, table.TableReference.TableId})
	if err := s.sweep(ctx); err != nil {
		return nil, err
	}
	// A table that is there is not waited for: BigQuery says so at once, whoever is changing its rows.
	if _, err := s.catalog.table(ref); err == nil {
		return nil, errExists(ref)
	}
	release, err := s.lockIdle(ctx, []tableRef{ref})
	if err != nil {
		return nil, err
	}
	defer release()
	s.catalog.write.Lock()
	defer s.catalog.write.Unlock()
	if _, err := s.catalog.table(ref); err == nil {
		return nil, errExists(ref)
	}
	err = s.store.transact(ctx, func(t *txn) error { return s.createTable(ctx, t, ref, &table) })
	return &table, err
}

func errExists(ref tableRef) error {
	return newError("duplicate", "Already Exists: Table %s", ref)
}

// createTable creates the table, in place of one that is there, and completes its
// record. The caller holds the table's lock and the catalog's.
func (s *Server) createTable(ctx context.Context, t *txn, ref tableRef, table *bq.Table) error {
	if err := checkName("table", ref.table, tablePattern); err != nil {
		return err
	}
	dataset, err := s.catalog.dataset(ref.parent())
	if err != nil {
		return err
	}
	if table.View != nil {
		return s.createView(ctx, t, ref, table, dataset)
	}
	inheritCollation(table, dataset)
	if err := s.checkTable(table); err != nil {
		return err
	}
	table.Kind, table.Id, table.Type = "bigquery#table", ref.String(), "TABLE"
	table.TableReference = &bq.TableReference{ProjectId: ref.project, DatasetId: ref.dataset, TableId: ref.table}
	table.Location = dataset.Location
	table.CreationTime = s.cfg.Now().UnixMilli()
	inheritExpirations(table, dataset)
	if table.ExpirationTime != 0 && table.ExpirationTime <= table.CreationTime {
		return invalid("Invalid value for expirationTime: it is in the past")
	}
	fields := table.Schema.Fields
	if partitioningOf(table).isIngestion() {
		fields = append(slices.Clone(fields), ingestionField())
	}
	columns := make([]string, len(fields))
	for i, field := range fields {
		columns[i] = columnDDL(field)
	}
	t.onCommit(func() { s.partitions.forget(ref) })
	// One that has expired may still be there.
	statement := "CREATE OR REPLACE TABLE " + ref.physical() + " (" + strings.Join(columns, ", ") + ")"
	if _, err := t.exec(ctx, statement); err != nil {
		return err
	}
	return s.catalog.putTable(ctx, t, ref, table)
}

// columnDDL defines a column. An array is never NULL in a table
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/data-types#array_nulls);
// what is written to one goes through stored.
func columnDDL(field *bq.TableFieldSchema) string {
	column := ident(field.Name) + " " + fieldDuckType(field)
	switch field.Mode {
	case modeRequired:
		column += " NOT NULL"
	case modeRepeated:
		column += " DEFAULT []"
	}
	return column
}

// stored is the expression of the value that a column gets of a value that is
// written to it.
func stored(field *bq.TableFieldSchema, value string) string {
	if field.Mode == modeRepeated {
		return "coalesce(" + value + ", [])"
	}
	return inTimeRange(field, value)
}

// checkTable refuses what is not covered, and normalizes the schema.
func (s *Server) checkTable(table *bq.Table) error {
	if table.View != nil || table.MaterializedView != nil || table.ExternalDataConfiguration != nil ||
		table.SnapshotDefinition != nil || table.CloneDefinition != nil || table.BiglakeConfiguration != nil {
		return notImplemented("tables other than plain ones (view, external, snapshot, clone)")
	}
	if table.EncryptionConfiguration != nil || table.TableConstraints != nil {
		return notImplemented("encryption keys and constraints of tables")
	}
	if err := normalizeSchema(table.Schema); err != nil {
		return err
	}
	if err := checkPartitioning(table); err != nil {
		return err
	}
	if err := checkCollation(table); err != nil {
		return err
	}
	return s.checkClustering(table)
}

// maxClustering is the number of columns a table may be clustered by
// (docs.cloud.google.com/bigquery/docs/clustered-tables#limitations).
const maxClustering = 4

func (s *Server) checkClustering(table *bq.Table) error {
	if table.Clustering == nil {
		return nil
	}
	if len(table.Clustering.Fields) > maxClustering {
		return invalid("Too many clustering columns: %d, at most %d", len(table.Clustering.Fields), maxClustering)
	}
	for _, name := range table.Clustering.Fields {
		field := fieldNamed(table.Schema, name)
		switch {
		case field == nil:
			return invalid("The field specified for clustering cannot be found in the schema: %s", name)
		case field.Mode == modeRepeated, field.Type == typeJSON, field.Type == typeFloat, field.Type == typeBytes, field.Type == typeTime:
			return invalid("The field %s of type %s cannot be clustered by", name, field.Type)
		case field.Collation != "":
			return s.catalog.phrases.refuse(caseCollation, map[string]string{"column": field.Name})
		}
	}
	return nil
}

func (s *Server) tablesGet(ctx context.Context, r *request) (any, error) {
	if err := s.expirePartitions(ctx); err != nil {
		return nil, err
	}
	ref := s.catalog.canonical(r.tableRef())
	record, err := s.catalog.table(ref)
	if err != nil {
		return nil, err
	}
	if record.Type == typeView { // whose tables may be gone
		return record, nil
	}
	table := *record
	rows, err := s.countRows(ctx, ref)
	if err != nil {
		return nil, err
	}
	table.NumRows = uint64(rows)
	table.NumPartitions, err = s.countPartitions(ctx, ref, record)
	table.ForceSendFields = []string{"NumRows"}
	return &table, err
}

// countRows counts what is committed. A table dropped meanwhile is not found.
func (s *Server) countRows(ctx context.Context, ref tableRef) (n int64, err error) {
	err = s.store.transact(ctx, func(t *txn) error {
		n, err = t.count(ctx, "SELECT count(*) FROM "+ref.physical())
		return err
	})
	if err != nil {
		if _, gone := s.catalog.table(ref); gone != nil {
			return 0, gone
		}
	}
	return n, err
}

func (s *Server) tablesList(_ context.Context, r *request) (any, error) {
	dataset := s.catalog.canonicalDataset(r.datasetRef())
	if _, err := s.catalog.dataset(dataset); err != nil {
		return nil, err
	}
	all := s.catalog.tablesOf(dataset, false)
	from, to, next, err := page(r, len(all), defaultList)
	if err != nil {
		return nil, err
	}
	list := &bq.TableList{Kind: "bigquery#tableList", NextPageToken: next, TotalItems: int64(len(all))}
	for _, t := range all[from:to] {
		list.Tables = append(list.Tables, &bq.TableListTables{
			Kind: t.Kind, Id: t.Id, TableReference: t.TableReference, Type: t.Type,
			CreationTime: t.CreationTime, ExpirationTime: t.ExpirationTime, FriendlyName: t.FriendlyName,
			Labels: t.Labels, TimePartitioning: t.TimePartitioning, RangePartitioning: t.RangePartitioning, Clustering: t.Clustering,
			RequirePartitionFilter: t.RequirePartitionFilter,
		})
	}
	return list, nil
}

func (s *Server) tablesDelete(ctx context.Context, r *request) (any, error) {
	ref := s.catalog.canonical(r.tableRef())
	release, err := s.lockIdle(ctx, []tableRef{ref})
	if err != nil {
		return nil, err
	}
	defer release()
	s.catalog.write.Lock()
	defer s.catalog.write.Unlock()
	if _, err := s.catalog.table(ref); err != nil {
		return nil, err
	}
	return nil, s.store.transact(ctx, func(t *txn) error { return s.dropTable(ctx, t, ref) })
}

// dropTable removes the table. The caller holds the table's lock and the catalog's.
func (s *Server) dropTable(ctx context.Context, t *txn, ref tableRef) error {
	kind := "TABLE"
	if isView(s.catalog, ref) {
		kind = "VIEW"
	}
	if _, err := t.exec(ctx, "DROP "+kind+" IF EXISTS "+ref.physical()); err != nil {
		return err
	}
	t.onCommit(func() { s.partitions.forget(ref) })
	return s.catalog.putTable(ctx, t, ref, nil)
}

// sweep drops the tables whose time is up, which nobody has seen since.
func (s *Server) sweep(ctx context.Context) error {
	refs := s.catalog.expiredTables()
	if len(refs) == 0 {
		return nil
	}
	release, err := s.lockIdle(ctx, refs)
	if err != nil {
		return err
	}
	defer release()
	s.catalog.write.Lock()
	defer s.catalog.write.Unlock()
	return s.store.transact(ctx, func(t *txn) error {
		for _, ref := range refs {
			// Another may have been created in its place before the locks were taken.
			if _, err := s.catalog.table(ref); err == nil {
				continue
			}
			if err := s.dropTable(ctx, t, ref); err != nil {
				return err
			}
		}
		return nil
	})
}

// tablesTestIamPermissions grants all that is asked for.
func (s *Server) tablesTestIamPermissions(_ context.Context, r *request) (any, error) {
	name, method, _ := strings.Cut(r.table, ":")
	if method != "testIamPermissions" {
		return nil, notImplemented("POST %s", r.path)
	}
	if _, err := s.catalog.table(s.catalog.canonical(tableRef{r.project, r.dataset, name})); err != nil {
		return nil, err
	}
	var asked bq.TestIamPermissionsRequest
	if err := r.decode(&asked); err != nil {
		return nil, err
	}
	return &bq.TestIamPermissionsResponse{Permissions: asked.Permissions}, nil
}

// isNotFound tells whether the error is BigQuery's notFound.
func isNotFound(err error) bool {
	var e *apiError
	return errors.As(err, &e) && e.reason == "notFound"
}
