package bigquery

import (
	"context"
	"encoding/json"
	"strconv"

	bq "google.golang.org/api/bigquery/v2"
)

func (s *Server) datasetsInsert(ctx context.Context, r *request) (any, error) {
	var d bq.Dataset
	if err := r.decode(&d); err != nil {
		return nil, err
	}
	if d.DatasetReference == nil {
		return nil, invalid("Required parameter is missing: datasetReference")
	}
	return s.insertDataset(ctx, s.catalog.canonicalDataset(datasetRef{r.project, d.DatasetReference.DatasetId}), &d)
}

// insertDataset creates the dataset and the DuckDB schema of its tables.
func (s *Server) insertDataset(ctx context.Context, ref datasetRef, d *bq.Dataset) (*bq.Dataset, error) {
	if err := checkName("dataset", ref.dataset, datasetPattern); err != nil {
		return nil, err
	}
	s.catalog.write.Lock()
	defer s.catalog.write.Unlock()
	if _, err := s.catalog.dataset(ref); err == nil {
		return nil, newError("duplicate", "Already Exists: Dataset %s", ref)
	}
	if err := checkDataset(d); err != nil {
		return nil, err
	}
	d.Kind, d.Id = "bigquery#dataset", ref.String()
	d.DatasetReference = &bq.DatasetReference{ProjectId: ref.project, DatasetId: ref.dataset}
	d.Location = sameLocation(d.Location)
	d.CreationTime = s.cfg.Now().UnixMilli()
	err := s.store.transact(ctx, func(t *txn) error {
		if _, err := t.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+ref.schema()); err != nil {
			return err
		}
		return s.catalog.putDataset(ctx, t, ref, d)
	})
	return d, err
}

func (s *Server) datasetsGet(_ context.Context, r *request) (any, error) {
	return s.catalog.dataset(s.catalog.canonicalDataset(r.datasetRef()))
}

func (s *Server) datasetsList(_ context.Context, r *request) (any, error) {
	all := s.catalog.datasetsOf(r.project)
	from, to, next, err := page(r, len(all), defaultList)
	if err != nil {
		return nil, err
	}
	list := &bq.DatasetList{Kind: "bigquery#datasetList", NextPageToken: next}
	for _, d := range all[from:to] {
		list.Datasets = append(list.Datasets, &bq.DatasetListDatasets{
			Kind: d.Kind, Id: d.Id, DatasetReference: d.DatasetReference,
			FriendlyName: d.FriendlyName, Labels: d.Labels, Location: d.Location,
		})
	}
	return list, nil
}

// datasetsPatch changes what is only kept, and what tables that are created from now on
// get.
func (s *Server) datasetsPatch(ctx context.Context, r *request) (any, error) {
	s.catalog.write.Lock()
	defer s.catalog.write.Unlock()
	ref := s.catalog.canonicalDataset(r.datasetRef())
	old, err := s.catalog.dataset(ref)
	if err != nil {
		return nil, err
	}
	if r.ifMatch != "" && r.ifMatch != old.Etag {
		return nil, newError("conditionNotMet", "Precondition check failed.")
	}
	patched := &bq.Dataset{}
	if err := mergePatch(old, r.body, patched); err != nil {
		return nil, err
	}
	if err := checkDataset(patched); err != nil {
		return nil, err
	}
	if patched.IsCaseInsensitive != old.IsCaseInsensitive {
		return nil, notImplemented("changing whether a dataset is case-insensitive")
	}
	patched.Location, patched.DatasetReference, patched.CreationTime = old.Location, old.DatasetReference, old.CreationTime
	err = s.store.transact(ctx, func(t *txn) error {
		return s.catalog.putDataset(ctx, t, ref, patched)
	})
	return patched, err
}

func (s *Server) datasetsDelete(ctx context.Context, r *request) (any, error) {
	ref := s.catalog.canonicalDataset(r.datasetRef())
	release, err := s.lockIdle(ctx, s.tableRefs(ref))
	if err != nil {
		return nil, err
	}
	defer release()
	s.catalog.write.Lock()
	defer s.catalog.write.Unlock()
	if _, err := s.catalog.dataset(ref); err != nil {
		return nil, err
	}
	contents, _ := strconv.ParseBool(r.query.Get("deleteContents")) // none is false
	if !contents && len(s.catalog.tablesOf(ref, false)) > 0 {
		return nil, newError("resourceInUse", "Dataset %s is still in use", ref)
	}
	return nil, s.store.transact(ctx, func(t *txn) error {
		for _, table := range s.tableRefs(ref) {
			if err := s.catalog.putTable(ctx, t, table, nil); err != nil {
				return err
			}
			t.onCommit(func() { s.partitions.forget(table) })
		}
		if _, err := t.exec(ctx, "DROP SCHEMA "+ref.schema()+" CASCADE"); err != nil {
			return err
		}
		return s.catalog.putDataset(ctx, t, ref, nil)
	})
}

// tableRefs names all tables of the dataset, expired ones too.
func (s *Server) tableRefs(ref datasetRef) []tableRef {
	var refs []tableRef
	for _, table := range s.catalog.tablesOf(ref, true) {
		refs = append(refs, refOf(table.TableReference))
	}
	return refs
}

// mergePatch applies a JSON merge patch (RFC 7396), in which null removes a member
// and objects merge, to old, and decodes the outcome.
func mergePatch(old any, patch []byte, outcome any) error {
	var target, changes map[string]any
	if err := json.Unmarshal([]byte(mustJSON(old)), &target); err != nil {
		return err
	}
	if err := json.Unmarshal(patch, &changes); err != nil {
		return invalid("Invalid JSON payload received: %v", err)
	}
	if err := json.Unmarshal([]byte(mustJSON(merge(target, changes))), outcome); err != nil {
		return invalid("Invalid JSON payload received: %v", err)
	}
	return nil
}

func merge(target, changes map[string]any) map[string]any {
	if target == nil {
		target = map[string]any{}
	}
	for key, change := range changes {
		nested, isObject := change.(map[string]any)
		switch {
		case change == nil:
			delete(target, key)
		case isObject:
			old, _ := target[key].(map[string]any)
			target[key] = merge(old, nested)
		default:
			target[key] = change
		}
	}
	return target
}

// defaultList is how many items a list has unless the request asks for another number.
const defaultList = 50

// page tells which of n items to answer. A page token is the position to go on at.
func page(r *request, n, size int) (from, to int, next string, err error) {
	for name, target := range map[string]*int{"maxResults": &size, "pageToken": &from} {
		text := r.query.Get(name)
		if text == "" {
			continue
		}
		if *target, err = strconv.Atoi(text); err != nil || *target < 0 {
			return 0, 0, "", invalid("Invalid value for %s: %q", name, text)
		}
	}
	if start := r.query.Get("startIndex"); start != "" && r.query.Get("pageToken") == "" {
		if from, err = strconv.Atoi(start); err != nil || from < 0 {
			return 0, 0, "", invalid("Invalid value for startIndex: %q", start)
		}
	}
	from = min(from, n)
	to = min(from+size, n)
	if to < n {
		next = strconv.Itoa(to)
	}
	return from, to, next, nil
}
