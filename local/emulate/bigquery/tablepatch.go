package bigquery

import (
	"context"

	bq "google.golang.org/api/bigquery/v2"
)

// tablesPatch changes descriptions, labels, expirations and the required filter, adds
// columns and relaxes required ones
// (docs.cloud.google.com/bigquery/docs/managing-table-schemas).
func (s *Server) tablesPatch(ctx context.Context, r *request) (any, error) {
	ref := s.catalog.canonical(r.tableRef())
	release, err := s.lockIdle(ctx, []tableRef{ref})
	if err != nil {
		return nil, err
	}
	defer release()
	s.catalog.write.Lock()
	defer s.catalog.write.Unlock()
	old, err := s.catalog.table(ref)
	if err != nil {
		return nil, err
	}
	if r.ifMatch != "" && r.ifMatch != old.Etag {
		return nil, newError("conditionNotMet", "Precondition check failed.")
	}
	patched := &bq.Table{}
	if err := mergePatch(old, r.body, patched); err != nil {
		return nil, err
	}
	err = s.store.transact(ctx, func(t *txn) error { return s.alterTable(ctx, t, ref, old, patched) })
	return patched, err
}

// alterTable turns the table from old into patched, or refuses. The caller holds
// the table's lock and the catalog's.
func (s *Server) alterTable(ctx context.Context, t *txn, ref tableRef, old, patched *bq.Table) error {
	inheritNewCollation(patched, old)
	if err := s.checkTable(patched); err != nil {
		return err
	}
	if !samePartitioning(old, patched) || mustJSON(old.Clustering) != mustJSON(patched.Clustering) {
		return notImplemented("changing a table's partitioning or clustering")
	}
	patched.TableReference, patched.Id, patched.Kind, patched.Type = old.TableReference, old.Id, old.Kind, old.Type
	patched.Location, patched.CreationTime = old.Location, old.CreationTime
	statements, err := alterations(ref, old.Schema, patched.Schema)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := t.exec(ctx, "ALTER TABLE "+ref.physical()+" "+statement); err != nil {
			return err
		}
	}
	return s.catalog.putTable(ctx, t, ref, patched)
}

// alterations are the DuckDB actions that turn one schema into the other.
func alterations(ref tableRef, old, patched *bq.TableSchema) ([]string, error) {
	if len(patched.Fields) < len(old.Fields) {
		return nil, invalid("Provided Schema does not match Table %s. Field %s is missing in new schema",
			ref, old.Fields[len(patched.Fields)].Name)
	}
	var actions []string
	for i, field := range patched.Fields {
		if i >= len(old.Fields) {
			if field.Mode == modeRequired {
				return nil, invalid("Provided Schema does not match Table %s. Cannot add required fields to an existing schema. (field: %s)", ref, field.Name)
			}
			actions = append(actions, "ADD COLUMN "+columnDDL(field))
			continue
		}
		before := old.Fields[i]
		switch {
		case field.Name != before.Name:
			return nil, invalid("Provided Schema does not match Table %s. Field %s is missing in new schema", ref, before.Name)
		case field.Collation != before.Collation:
			return nil, notImplemented("changing the collation of a column (%s)", field.Name)
		case field.Type != before.Type:
			return nil, errTypeChanged(ref, before, field)
		case field.Mode == before.Mode:
		case before.Mode == modeRequired && field.Mode == modeNullable:
			actions = append(actions, "ALTER COLUMN "+ident(field.Name)+" DROP NOT NULL")
		default:
			return nil, errModeChanged(ref, before, field)
		}
	}
	return actions, nil
}

func errTypeChanged(ref tableRef, before, after *bq.TableFieldSchema) error {
	return invalid("Provided Schema does not match Table %s. Field %s has changed type from %s to %s", ref, before.Name, before.Type, after.Type)
}

func errModeChanged(ref tableRef, before, after *bq.TableFieldSchema) error {
	return invalid("Provided Schema does not match Table %s. Field %s has changed mode from %s to %s", ref, before.Name, before.Mode, after.Mode)
}
