package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// P8: what a dataset's defaults do to tables that are made in it.
var (
	inherited = question{
		ID:        "P8a",
		Assumes:   "a table that is made in a dataset with collation und:ci compares text without case",
		Confirmed: "such a dataset would merge persons that differ in case only, and tidemark must not use it",
		Different: "the collation does not reach tidemark's tables; such a dataset is harmless",
		Unknown:   "use a dataset without a default collation",
	}
	notClustered = question{
		ID:        "P8b",
		Assumes:   "a column with that collation cannot be clustered by, so that tidemark's tables cannot be made there",
		Confirmed: "tidemark cannot make its tables in such a dataset",
		Different: "tidemark's tables can be made in such a dataset, where they would merge what differs in case only: use another one",
		Unknown:   "use a dataset without a default collation",
	}
	inheritedExpiry = question{
		ID:        "P8c",
		Assumes:   "a table without an expiration of its own gets the dataset's default",
		Confirmed: "a dataset's default expiration deletes tables that were made without one",
		Different: "a dataset's default expiration does not reach tables that are made by request",
		Unknown:   "use a dataset without default expirations",
	}
	ownExpiry = question{
		ID:        "P8d",
		Assumes:   "an expiration in the far future that is given explicitly overrides the default",
		Confirmed: "a table can be kept in such a dataset by an explicit expiration",
		Different: "nothing keeps a table in such a dataset: use one without default expirations",
		Unknown:   "use a dataset without default expirations",
	}
)

func datasetQuestions() []question {
	return []question{inherited, notClustered, inheritedExpiry, ownExpiry}
}

// farFuture is an expiration that nobody lives to see.
const farFuture = 100 * 365 * 24 * time.Hour

// datasets asks P8.
func (r *run) datasets(ctx context.Context) error {
	collated, err := r.createDataset(ctx, "ci", &bq.Dataset{DefaultCollation: "und:ci"})
	if err != nil {
		return err
	}
	if err := r.try(ctx, inherited, func() error { return r.askInherited(ctx, collated) }); err != nil {
		return err
	}
	if err := r.try(ctx, notClustered, func() error { return r.askClustered(ctx, collated) }); err != nil {
		return err
	}
	expiring, err := r.createDataset(ctx, "expiring", &bq.Dataset{})
	if err != nil {
		return err
	}
	if err := r.try(ctx, inheritedExpiry, func() error { return r.askExpiry(ctx, inheritedExpiry, expiring, "inherited", 0) }); err != nil {
		return err
	}
	return r.try(ctx, ownExpiry, func() error { return r.askExpiry(ctx, ownExpiry, expiring, "own", farFuture) })
}

// errNoDatasets is why P8 cannot run.
var errNoDatasets = errors.New("this identity may not create datasets (bigquery.datasets.create)")

func (r *run) createDataset(ctx context.Context, name string, d *bq.Dataset) (string, error) {
	id := namePrefix + r.id + "_" + name
	d.DatasetReference = &bq.DatasetReference{ProjectId: r.cfg.Project, DatasetId: id}
	d.Location = r.location
	d.DefaultTableExpirationMs = lifetime.Milliseconds()
	d.Labels = map[string]string{"tidemark": "probe"}
	r.datasetIDs = append(r.datasetIDs, id)
	err := r.request(ctx, func(ctx context.Context) error {
		_, err := r.svc.BigQuery.Datasets.Insert(r.cfg.Project, d).Context(ctx).Do()
		if isCode(err, http.StatusConflict) { // an earlier attempt lost its reply: nobody else has the name
			return nil
		}
		return err
	})
	switch {
	case isCode(err, http.StatusForbidden):
		return "", fmt.Errorf("%w: %s", errNoDatasets, refusal(err).Message)
	case err != nil:
		return "", fmt.Errorf("create scratch dataset %s: %w", id, err)
	}
	return id, nil
}

// createIn makes a table in a scratch dataset, which is removed with it.
func (r *run) createIn(ctx context.Context, dataset, name string, table *bq.Table) (made *bq.Table, err error) {
	table.TableReference = &bq.TableReference{ProjectId: r.cfg.Project, DatasetId: dataset, TableId: name}
	err = attempt(ctx, func(ctx context.Context) (err error) {
		made, err = r.svc.BigQuery.Tables.Insert(r.cfg.Project, dataset, table).Context(ctx).Do()
		return err
	})
	return made, err
}

// askInherited makes a table in a dataset with a collation, and counts two texts that differ in case only.
func (r *run) askInherited(ctx context.Context, dataset string) error {
	table, err := r.createIn(ctx, dataset, "plain", &bq.Table{Schema: columns("id STRING")})
	if err != nil {
		return err
	}
	name := r.quotedIn(dataset, "plain")
	if _, err := r.must(ctx, query{name: "two cases", sql: "INSERT INTO " + name + " (id) VALUES ('A'), ('a')", tables: 1}); err != nil {
		return err
	}
	count := "ASSERT (SELECT COUNT(DISTINCT id) FROM " + name + ") = 1 AS 'the texts are told apart'"
	job, err := r.query(ctx, query{name: "told apart", sql: count, tables: 1})
	if err != nil {
		return err
	}
	collation := table.DefaultCollation
	if len(table.Schema.Fields) > 0 && table.Schema.Fields[0].Collation != "" {
		collation = table.Schema.Fields[0].Collation
	}
	r.settle(inherited, job.Status.ErrorResult == nil, "collation of the new table: %q; 'A' and 'a' are told apart: %t", collation, job.Status.ErrorResult != nil)
	return nil
}

func (r *run) askClustered(ctx context.Context, dataset string) error {
	_, err := r.createIn(ctx, dataset, "clustered", &bq.Table{
		Schema: columns("team_id INTEGER", "distinct_id STRING"), Clustering: &bq.Clustering{Fields: []string{"team_id", "distinct_id"}},
	})
	if err != nil && !isCode(err, http.StatusBadRequest) {
		return err
	}
	if err != nil {
		r.record(notClustered.ID, fixtureClustering, nil, err)
	}
	found := "the clustered table was made"
	if err != nil {
		found = "the clustered table was refused: " + refusal(err).Message
	}
	r.settle(notClustered, err != nil, "%s", found)
	return nil
}

// askExpiry makes a table in a dataset whose tables expire, and looks when it does.
func (r *run) askExpiry(ctx context.Context, q question, dataset, name string, own time.Duration) error {
	table := &bq.Table{Schema: columns("id STRING")}
	want := lifetime
	if own > 0 {
		want = own
		table.ExpirationTime = time.Now().Add(own).UnixMilli()
	}
	if _, err := r.createIn(ctx, dataset, name, table); err != nil {
		return err
	}
	var made *bq.Table
	err := r.request(ctx, func(ctx context.Context) (err error) {
		made, err = r.svc.BigQuery.Tables.Get(r.cfg.Project, dataset, name).Context(ctx).Do()
		return err
	})
	if err != nil {
		return err
	}
	expires := "never"
	holds := false
	if made.ExpirationTime != 0 {
		after := time.UnixMilli(made.ExpirationTime).Sub(time.UnixMilli(made.CreationTime)).Round(time.Minute)
		expires = "after " + after.String()
		holds = (after - want).Abs() <= 5*time.Minute
	}
	r.settle(q, holds, "expiration given: %s; the table expires: %s", orNone(own.Milliseconds()), expires)
	return nil
}
