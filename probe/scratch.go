package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	bq "google.golang.org/api/bigquery/v2"
	"google.golang.org/api/iterator"
)

const (
	// namePrefix begins the names of everything that a run makes in BigQuery.
	namePrefix = "tidemark_probe_"
	// stampLayout is the time in a run's ID.
	stampLayout = "20060102t150405"
	// lifetime is after which scratch tables expire, and a later run removes what has no expiration of its own.
	lifetime = time.Hour
	// cleanUpLimit bounds the end of a run, also of one that was interrupted.
	cleanUpLimit = 2 * time.Minute
)

// table is the full name of a scratch table of this run.
func (r *run) table(name string) string { return namePrefix + r.id + "_" + name }

// quoted is a scratch table in SQL.
func (r *run) quoted(name string) string { return r.quotedIn(r.cfg.scratch(), r.table(name)) }

func (r *run) quotedIn(dataset, table string) string {
	return "`" + r.cfg.Project + "." + dataset + "." + table + "`"
}

// ref names a scratch table.
func (r *run) ref(name string) *bq.TableReference {
	return &bq.TableReference{ProjectId: r.cfg.Project, DatasetId: r.cfg.scratch(), TableId: r.table(name)}
}

// create makes a scratch table, which expires by itself.
func (r *run) create(ctx context.Context, name string, table *bq.Table) (*bq.Table, error) {
	table.TableReference = r.ref(name)
	table.ExpirationTime = time.Now().Add(lifetime).UnixMilli()
	table.Labels = map[string]string{"tidemark": "probe"}
	r.tables = append(r.tables, table.TableReference.TableId)
	var made *bq.Table
	err := r.request(ctx, func(ctx context.Context) (err error) {
		made, err = r.svc.BigQuery.Tables.Insert(r.cfg.Project, r.cfg.scratch(), table).Context(ctx).Do()
		if isCode(err, http.StatusConflict) { // an earlier attempt lost its reply: nobody else has the name
			made, err = r.svc.BigQuery.Tables.Get(r.cfg.Project, r.cfg.scratch(), table.TableReference.TableId).Context(ctx).Do()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create scratch table %s: %w", name, err)
	}
	return made, nil
}

// columns makes a schema of "name TYPE" pairs.
func columns(pairs ...string) *bq.TableSchema {
	schema := &bq.TableSchema{}
	for _, pair := range pairs {
		name, kind, _ := strings.Cut(pair, " ")
		schema.Fields = append(schema.Fields, &bq.TableFieldSchema{Name: name, Type: kind})
	}
	return schema
}

// rows reads a scratch table, which is free, as text by column; NULL is nil.
func (r *run) rows(ctx context.Context, name string, schema *bq.TableSchema) (list []map[string]any, err error) {
	err = r.request(ctx, func(ctx context.Context) error {
		data, err := r.svc.BigQuery.Tabledata.List(r.cfg.Project, r.cfg.scratch(), r.table(name)).
			FormatOptionsUseInt64Timestamp(true).MaxResults(1000).Context(ctx).Do()
		if err != nil {
			return err
		}
		list = nil
		for _, row := range data.Rows {
			values := map[string]any{}
			for i, cell := range row.F {
				values[schema.Fields[i].Name] = cell.V
			}
			list = append(list, values)
		}
		return nil
	})
	return list, err
}

// folder is where the objects of all runs are.
func (r *run) folder() string { return r.cfg.Loader.Prefix + "/probe/" }

// object is the name of an object of this run.
func (r *run) object(name string) string { return r.folder() + r.id + "/" + name }

// upload creates an object, and is refused with 412 if there is one of the name. It makes one attempt, without the library's
// own repetitions: what a repeated request is answered is what P5 asks.
func (r *run) upload(ctx context.Context, name string, data []byte) error {
	r.objects = append(r.objects, name)
	return attempt(ctx, func(ctx context.Context) error {
		w := r.svc.Storage.Bucket(r.cfg.Loader.Bucket).Object(name).If(storage.Conditions{DoesNotExist: true}).Retryer(storage.WithPolicy(storage.RetryNever)).NewWriter(ctx)
		w.ChunkSize = 0
		if _, err := w.Write(data); err != nil {
			return errors.Join(w.Close(), err) // Close has the cause
		}
		return w.Close()
	})
}

// put creates an object that nobody else has the name of: one that is there came from an attempt whose reply was lost.
func (r *run) put(ctx context.Context, name string, data []byte) error {
	return r.request(ctx, func(ctx context.Context) error {
		if err := r.upload(ctx, name, data); !isTaken(err) {
			return err
		}
		return nil
	})
}

// cleanUp cancels jobs that still run and removes what the run has made, whether or not ctx has ended.
func (r *run) cleanUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpLimit)
	defer cancel()
	for id := range r.unfinished {
		r.remove("job "+id, r.request(ctx, func(ctx context.Context) error {
			_, err := r.svc.BigQuery.Jobs.Cancel(r.cfg.Project, id).Location(r.location).Context(ctx).Do()
			return err
		}))
	}
	for _, table := range r.tables {
		r.removeTable(ctx, table)
	}
	for _, dataset := range r.datasetIDs {
		r.removeDataset(ctx, dataset)
	}
	for _, object := range r.objects {
		r.removeObject(ctx, object)
	}
	r.tables, r.datasetIDs, r.objects = nil, nil, nil
}

func (r *run) removeTable(ctx context.Context, table string) {
	r.remove("table "+r.cfg.scratch()+"."+table, r.request(ctx, func(ctx context.Context) error {
		return r.svc.BigQuery.Tables.Delete(r.cfg.Project, r.cfg.scratch(), table).Context(ctx).Do()
	}))
}

func (r *run) removeDataset(ctx context.Context, dataset string) {
	r.remove("dataset "+dataset, r.request(ctx, func(ctx context.Context) error {
		return r.svc.BigQuery.Datasets.Delete(r.cfg.Project, dataset).DeleteContents(true).Context(ctx).Do()
	}))
}

func (r *run) removeObject(ctx context.Context, object string) {
	r.remove("object gs://"+r.cfg.Loader.Bucket+"/"+object, r.request(ctx, func(ctx context.Context) error {
		return r.svc.Storage.Bucket(r.cfg.Loader.Bucket).Object(object).Delete(ctx)
	}))
}

// remove notes what was not removed. What is not there needs no removal.
func (r *run) remove(what string, err error) {
	if err == nil || isCode(err, http.StatusNotFound) || errors.Is(err, storage.ErrObjectNotExist) {
		return
	}
	r.report.Left = append(r.report.Left, what+": "+reasonOf(err))
}

// stamped finds the time in the name of something that a run has made.
var stamped = regexp.MustCompile(`(?:^` + namePrefix + `|/probe/)(\d{8}t\d{6})_[0-9a-f]{8}(?:[_/]|$)`)

// abandoned tells whether a run has made this and has ended without removing it: no run takes as long as its tables live.
func (r *run) abandoned(name string) bool {
	match := stamped.FindStringSubmatch(name)
	if match == nil {
		return false
	}
	at, err := time.Parse(stampLayout, match[1])
	return err == nil && r.started.Sub(at) > lifetime
}

// sweep removes what earlier runs have left. It is no failure if it cannot: the report says what is still there.
func (r *run) sweep(ctx context.Context) {
	r.sweepBigQuery(ctx)
	objects := r.svc.Storage.Bucket(r.cfg.Loader.Bucket).Objects(ctx, &storage.Query{Prefix: r.folder()})
	for {
		object, err := objects.Next()
		if err != nil {
			if !errors.Is(err, iterator.Done) {
				r.say("objects of earlier runs not looked for: %s", reasonOf(err))
			}
			return
		}
		if r.abandoned(object.Name) {
			r.say("removing gs://%s/%s of an earlier run", r.cfg.Loader.Bucket, object.Name)
			r.removeObject(ctx, object.Name)
		}
	}
}

func (r *run) sweepBigQuery(ctx context.Context) {
	err := r.svc.BigQuery.Tables.List(r.cfg.Project, r.cfg.scratch()).Pages(ctx, func(page *bq.TableList) error {
		for _, t := range page.Tables {
			if r.abandoned(t.TableReference.TableId) {
				r.say("removing table %s of an earlier run", t.TableReference.TableId)
				r.removeTable(ctx, t.TableReference.TableId)
			}
		}
		return nil
	})
	if err != nil {
		r.say("tables of earlier runs not looked for: %s", reasonOf(err))
	}
	err = r.svc.BigQuery.Datasets.List(r.cfg.Project).Pages(ctx, func(page *bq.DatasetList) error {
		for _, d := range page.Datasets {
			if r.abandoned(d.DatasetReference.DatasetId) {
				r.say("removing dataset %s of an earlier run", d.DatasetReference.DatasetId)
				r.removeDataset(ctx, d.DatasetReference.DatasetId)
			}
		}
		return nil
	})
	if err != nil {
		r.say("datasets of earlier runs not looked for: %s", reasonOf(err))
	}
}
