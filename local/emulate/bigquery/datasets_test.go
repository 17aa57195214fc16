package bigquery

import (
	"net/http"
	"testing"
	"time"

	client "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	bq "google.golang.org/api/bigquery/v2"
	"google.golang.org/api/option"
)

// A4, A6, A13: docs.cloud.google.com/bigquery/docs/reference/rest/v2/datasets#Dataset
func TestA6_DatasetPropertiesOfConfigInsertAndPatch(t *testing.T) {
	given := bq.Dataset{DefaultTableExpirationMs: 3_600_000, DefaultPartitionExpirationMs: 1, DefaultCollation: "und:ci",
		IsCaseInsensitive: true, StorageBillingModel: "PHYSICAL", MaxTimeTravelHours: 48}
	f := start(t, func(c *Config) { c.Dataset = &given })
	datasets := f.service().Datasets
	check := func(name, location string) {
		t.Helper()
		got, err := datasets.Get(testProject, name).Context(f.ctx).Do()
		require.NoError(t, err)
		require.Equal(t, location, got.Location)
		require.Equal(t, given.DefaultTableExpirationMs, got.DefaultTableExpirationMs)
		require.Equal(t, given.DefaultPartitionExpirationMs, got.DefaultPartitionExpirationMs)
		require.Equal(t, given.DefaultCollation, got.DefaultCollation)
		require.Equal(t, given.IsCaseInsensitive, got.IsCaseInsensitive)
		require.Equal(t, given.StorageBillingModel, got.StorageBillingModel)
		require.Equal(t, given.MaxTimeTravelHours, got.MaxTimeTravelHours)
	}
	check(testDataset, "US")
	inserted := given
	inserted.Location, inserted.DatasetReference = "europe-west4", &bq.DatasetReference{DatasetId: "inserted"}
	_, err := datasets.Insert(testProject, &inserted).Context(f.ctx).Do()
	require.NoError(t, err)
	check("inserted", "europe-west4")
	_, err = datasets.Insert(testProject, &bq.Dataset{IsCaseInsensitive: true, DatasetReference: &bq.DatasetReference{DatasetId: "patched"}}).Context(f.ctx).Do()
	require.NoError(t, err)
	patch := given
	patch.Location = "nowhere"
	_, err = datasets.Patch(testProject, "patched", &patch).Context(f.ctx).Do()
	require.NoError(t, err)
	check("patched", "US")
	for _, bad := range []bq.Dataset{
		{DefaultTableExpirationMs: 3_599_999}, {DefaultPartitionExpirationMs: -1}, {DefaultCollation: "de"}, {MaxTimeTravelHours: 47}, {MaxTimeTravelHours: 169}, {StorageBillingModel: "X"},
	} {
		_, err := datasets.Patch(testProject, "patched", &bad).Context(f.ctx).Do()
		requireReason(t, err, http.StatusBadRequest, "invalid")
		bad.DatasetReference = &bq.DatasetReference{DatasetId: "bad"}
		_, err = datasets.Insert(testProject, &bad).Context(f.ctx).Do()
		requireReason(t, err, http.StatusBadRequest, "invalid")
	}
}

// A6: docs.cloud.google.com/bigquery/docs/reference/standard-sql/collation-concepts:
// tables inherit the dataset's collation and columns the table's; a collated column
// cannot be clustered; how its text would compare is not judged here.
func TestA6_CollationIsInheritedAndCannotBeClustered(t *testing.T) {
	f := start(t, func(c *Config) { c.Dataset = &bq.Dataset{DefaultCollation: "und:ci"} })
	require.NoError(t, f.table("events").Create(f.ctx, &client.TableMetadata{Schema: eventSchema()}))
	md, err := f.table("events").Metadata(f.ctx)
	require.NoError(t, err)
	require.Equal(t, "und:ci", md.DefaultCollation)
	require.Equal(t, []string{"und:ci", "", "", "und:ci"}, []string{md.Schema[0].Collation, md.Schema[1].Collation, md.Schema[2].Collation, md.Schema[3].Collation})
	md, err = f.table("events").Update(f.ctx, client.TableMetadataToUpdate{Schema: append(md.Schema, &client.FieldSchema{Name: "extra", Type: client.StringFieldType})}, "")
	require.NoError(t, err)
	require.Equal(t, "und:ci", md.Schema[4].Collation)

	err = f.table("clustered").Create(f.ctx, &client.TableMetadata{Schema: eventSchema(), Clustering: &client.Clustering{Fields: []string{"team_id", "uuid"}}})
	requireReason(t, err, http.StatusBadRequest, "invalid")
	require.ErrorContains(t, err, "CLUSTER BY STRING column uuid with collation und:ci isn't supported")
	_, err = f.run("", "CREATE TABLE analytics.clustered (id STRING) CLUSTER BY id")
	require.ErrorContains(t, err, "isn't supported")
	require.NoError(t, f.table("numbers").Create(f.ctx, &client.TableMetadata{Schema: eventSchema(), Clustering: &client.Clustering{Fields: []string{"team_id"}}}))

	require.NoError(t, f.load("load", "events", f.upload(events(0, 3))).Err())
	f.exec("INSERT INTO analytics.events (uuid) VALUES ('x')")
	rows, err := readAll(f.table("events").Read(f.ctx))
	require.NoError(t, err)
	require.Len(t, rows, 4)
	for _, sql := range []string{
		"SELECT uuid FROM analytics.events", "DELETE FROM analytics.events WHERE uuid = 'X'", "UPDATE analytics.events SET uuid = 'y' WHERE uuid = 'X'",
		"MERGE analytics.events e USING (SELECT 'X' AS uuid) s ON e.uuid = s.uuid WHEN MATCHED THEN DELETE",
	} {
		_, err := f.run("", sql)
		requireReason(t, err, http.StatusNotImplemented, "notImplemented")
	}
	requireReason(t, f.table("other").Create(f.ctx, &client.TableMetadata{Schema: eventSchema(), DefaultCollation: "de:ci"}), http.StatusBadRequest, "invalid")
}

// A6: the same page of datasets, "isCaseInsensitive".
func TestA6_CaseInsensitiveDataset(t *testing.T) {
	f := start(t, func(c *Config) { c.Dataset = &bq.Dataset{IsCaseInsensitive: true} })
	f.createEvents("events")
	requireReason(t, f.table("Events").Create(f.ctx, &client.TableMetadata{Schema: eventSchema()}), http.StatusConflict, "duplicate")
	requireReason(t, f.client.Dataset("Analytics").Create(f.ctx, nil), http.StatusConflict, "duplicate")
	require.NoError(t, f.load("load", "EVENTS", f.upload(events(0, 3))).Err())
	f.exec("DELETE FROM ANALYTICS.eVENTS WHERE uuid = 'uuid-000001'")
	md, err := f.client.Dataset("ANALYTICS").Table("Events").Metadata(f.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, md.NumRows)
	_, err = f.service().Datasets.Patch(testProject, testDataset, &bq.Dataset{ForceSendFields: []string{"IsCaseInsensitive"}}).Context(f.ctx).Do()
	requireReason(t, err, http.StatusNotImplemented, "notImplemented")
}

// docs.cloud.google.com/resource-manager/docs/creating-managing-projects: older projects
// are in a domain.
func TestDomainScopedProjects(t *testing.T) {
	const project = "example.com:my-project"
	f := start(t, nil)
	require.NoError(t, f.server.CreateDataset(f.ctx, project, testDataset, "US"))
	c, err := client.NewClient(f.ctx, project, option.WithEndpoint(f.server.Endpoint()+"/bigquery/v2/"), option.WithoutAuthentication())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	c.Location = "US"
	table := c.Dataset(testDataset).Table("events")
	require.NoError(t, table.Create(f.ctx, &client.TableMetadata{Schema: eventSchema(), ExpirationTime: time.Now().Add(time.Hour)}))
	ref := client.NewGCSReference(f.upload(events(0, 3)))
	ref.SourceFormat, ref.Schema = client.Parquet, eventSchema()
	loader := table.LoaderFrom(ref)
	loader.CreateDisposition, loader.JobID = client.CreateNever, "load"
	job, err := loader.Run(f.ctx)
	require.NoError(t, err)
	status, err := job.Wait(f.ctx)
	require.NoError(t, err)
	require.NoError(t, status.Err())
	for _, name := range []string{"`example.com:my-project.analytics.events`", "`example.com:my-project`.analytics.events", "analytics.events"} {
		it, err := c.Query("SELECT COUNT(*) FROM " + name).Read(f.ctx)
		require.NoError(t, err, name)
		rows, err := readAll(it)
		require.NoError(t, err)
		require.Equal(t, [][]client.Value{{int64(3)}}, rows)
	}
	it, err := c.Query("SELECT * FROM `example.com:my-project.analytics.nosuch`").Read(f.ctx)
	require.Nil(t, it)
	require.ErrorContains(t, err, "Not found: Table example.com:my-project:analytics.nosuch")
}
