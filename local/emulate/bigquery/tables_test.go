package bigquery

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	client "cloud.google.com/go/bigquery"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/iterator"
)

func TestTable_MetadataComesBack(t *testing.T) {
	clock := newClock()
	f := start(t, func(c *Config) { c.Now = clock.now })
	schema := eventSchema()
	schema[0].Required, schema[0].Description = true, "unique"
	schema = append(schema, &client.FieldSchema{Name: "tags", Type: client.StringFieldType, Repeated: true},
		&client.FieldSchema{Name: "json", Type: client.JSONFieldType}, &client.FieldSchema{Name: "amount", Type: client.NumericFieldType})
	given := &client.TableMetadata{
		Name: "Events", Description: "all of them", Labels: map[string]string{"team": "1"}, Schema: schema,
		TimePartitioning: &client.TimePartitioning{Type: client.DayPartitioningType, Field: "timestamp", Expiration: time.Hour},
		Clustering:       &client.Clustering{Fields: []string{"team_id", "uuid"}},
		ExpirationTime:   clock.now().Add(48 * time.Hour).Truncate(time.Millisecond),
	}
	require.NoError(t, f.table("events").Create(f.ctx, given))
	got, err := f.table("events").Metadata(f.ctx)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(given.Schema, got.Schema), "in order")
	require.Empty(t, cmp.Diff(given.TimePartitioning, got.TimePartitioning))
	require.Equal(t, given.Clustering, got.Clustering)
	require.Equal(t, given.Labels, got.Labels)
	require.Equal(t, "Events", got.Name)
	require.Equal(t, "all of them", got.Description)
	require.Equal(t, "US", got.Location)
	require.True(t, given.ExpirationTime.Equal(got.ExpirationTime))
	require.Equal(t, client.RegularTable, got.Type)
	require.Zero(t, got.NumRows)

	requireReason(t, f.table("events").Create(f.ctx, given), http.StatusConflict, "duplicate")
	require.NoError(t, f.table("Events").Create(f.ctx, given), "another table")
	requireReason(t, f.client.Dataset("nosuch").Table("t").Create(f.ctx, given), http.StatusNotFound, "notFound")
	permissions, err := f.table("events").IAM().TestPermissions(f.ctx, []string{"bigquery.tables.getData"})
	require.NoError(t, err)
	require.Equal(t, []string{"bigquery.tables.getData"}, permissions)
	_, err = f.table("nosuch").IAM().TestPermissions(f.ctx, []string{"bigquery.tables.getData"})
	require.Error(t, err)
}

func TestTable_PatchNeedsTheEtagAndAddsColumns(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	f.exec("INSERT INTO analytics.events (uuid) VALUES ('old')")
	old, err := f.table("events").Metadata(f.ctx)
	require.NoError(t, err)
	update := client.TableMetadataToUpdate{
		Schema:      append(old.Schema, &client.FieldSchema{Name: "extra", Type: client.IntegerFieldType}),
		Description: "new",
	}
	update.SetLabel("a", "1")
	update.SetLabel("b", "2")
	patched, err := f.table("events").Update(f.ctx, update, old.ETag)
	require.NoError(t, err)
	require.Len(t, patched.Schema, 5)
	require.Equal(t, "new", patched.Description)
	_, err = f.table("events").Update(f.ctx, update, old.ETag)
	requireReason(t, err, http.StatusPreconditionFailed, "conditionNotMet")

	update = client.TableMetadataToUpdate{}
	update.DeleteLabel("a")
	patched, err = f.table("events").Update(f.ctx, update, "")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"b": "2"}, patched.Labels)
	_, err = f.table("events").Update(f.ctx, client.TableMetadataToUpdate{Schema: old.Schema}, "")
	requireReason(t, err, http.StatusBadRequest, "invalid")

	f.exec("INSERT INTO analytics.events (uuid, extra) VALUES ('new', 1)")
	require.Equal(t, [][]client.Value{{"new", int64(1)}, {"old", nil}}, f.rows("SELECT uuid, extra FROM analytics.events ORDER BY uuid"))
}

// docs.cloud.google.com/bigquery/docs/managing-tables#updating_a_tables_expiration_time:
// an expired table is deleted with its data.
func TestTable_ExpiredTableIsGone(t *testing.T) {
	clock := newClock()
	dir := t.TempDir()
	configure := func(c *Config) { c.Now, c.Dir = clock.now, dir }
	f := start(t, configure)
	stage := func() error {
		return f.table("stage").Create(f.ctx, &client.TableMetadata{Schema: eventSchema(), ExpirationTime: clock.now().Add(time.Hour)})
	}
	require.NoError(t, stage())
	uri := f.upload(events(0, 10))
	require.NoError(t, f.load("stage-1", "stage", uri).Err())
	clock.advance(time.Hour)
	gone := func() {
		t.Helper()
		_, err := f.table("stage").Metadata(f.ctx)
		requireReason(t, err, http.StatusNotFound, "notFound")
		requireReason(t, f.table("stage").Delete(f.ctx), http.StatusNotFound, "notFound")
		_, err = f.client.Dataset(testDataset).Tables(f.ctx).Next()
		require.ErrorIs(t, err, iterator.Done)
	}
	gone()
	f.restart(configure)
	gone()
	requireJobReason(t, f.load("stage-2", "stage", uri), "notFound")
	_, err := f.tryRows("SELECT * FROM analytics.stage")
	requireReason(t, err, http.StatusNotFound, "notFound")
	require.NoError(t, stage())
	require.Zero(t, f.count("stage"), "nothing is left of the other")
}

func TestTable_RefusesWhatIsNotCovered(t *testing.T) {
	f := start(t, nil)
	for name, md := range map[string]*client.TableMetadata{
		"view":   {ViewQuery: "SELECT 1", UseLegacySQL: true},
		"record": {Schema: client.Schema{{Name: "r", Type: client.RecordFieldType, Schema: eventSchema()}}},
	} {
		requireReason(t, f.table(name[:1]).Create(f.ctx, md), http.StatusNotImplemented, "notImplemented")
	}
	for _, md := range []*client.TableMetadata{
		{},
		{Schema: append(eventSchema(), &client.FieldSchema{Name: "UUID", Type: client.StringFieldType})},
		{Schema: client.Schema{{Name: "a.b", Type: client.StringFieldType}}},
		{Schema: client.Schema{{Name: "_PARTITIONTIME", Type: client.StringFieldType}}},
		{Schema: eventSchema(), TimePartitioning: &client.TimePartitioning{Field: "nosuch"}},
		{Schema: eventSchema(), TimePartitioning: &client.TimePartitioning{Field: "uuid"}},
		{Schema: eventSchema(), Clustering: &client.Clustering{Fields: []string{"nosuch"}}},
		{Schema: client.Schema{{Name: "j", Type: client.JSONFieldType}}, Clustering: &client.Clustering{Fields: []string{"j"}}},
	} {
		requireReason(t, f.table("t").Create(f.ctx, md), http.StatusBadRequest, "invalid")
	}
}

func TestDataset_CreateListPatchDelete(t *testing.T) {
	f := start(t, nil)
	d := f.client.Dataset("Other")
	require.NoError(t, d.Create(f.ctx, &client.DatasetMetadata{Location: "eu", Description: "d", Labels: map[string]string{"a": "1"}}))
	requireReason(t, d.Create(f.ctx, nil), http.StatusConflict, "duplicate")
	md, err := d.Metadata(f.ctx)
	require.NoError(t, err)
	require.Equal(t, "EU", md.Location)
	update := client.DatasetMetadataToUpdate{Description: "new"}
	update.SetLabel("b", "2")
	md, err = d.Update(f.ctx, update, md.ETag)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "1", "b": "2"}, md.Labels)
	it := f.client.Datasets(f.ctx)
	for _, want := range []string{"Other", testDataset} {
		got, err := it.Next()
		require.NoError(t, err)
		require.Equal(t, want, got.DatasetID)
	}
	require.NoError(t, d.Table("t").Create(f.ctx, &client.TableMetadata{Schema: eventSchema()}))
	requireReason(t, d.Delete(f.ctx), http.StatusBadRequest, "resourceInUse")
	require.NoError(t, d.DeleteWithContents(f.ctx))
	_, err = d.Table("t").Metadata(f.ctx)
	requireReason(t, err, http.StatusNotFound, "notFound")
	require.NoError(t, d.Create(f.ctx, nil))
	_, err = d.Table("t").Metadata(f.ctx)
	requireReason(t, err, http.StatusNotFound, "notFound")
}

func TestServer_UnknownMethodIsRefused(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	err := f.table("events").Inserter().Put(f.ctx, &client.StructSaver{Schema: eventSchema(), Struct: struct{}{}})
	requireReason(t, err, http.StatusNotImplemented, "notImplemented")
}

// Stages are created, loaded, moved and dropped by all destinations at the same time.
func TestTable_ConcurrentStages(t *testing.T) {
	f := start(t, func(c *Config) { c.Dir = t.TempDir() })
	f.createEvents("events")
	const workers, each = 8, 5
	uri := f.upload(events(0, 10))
	var group sync.WaitGroup
	errs := make(chan error, workers*each)
	for i := range workers {
		group.Go(func() {
			for k := range each {
				errs <- f.stage(fmt.Sprintf("stage_%d_%d", i, k), uri)
			}
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.EqualValues(t, workers*each*10, f.count("events"))
}

// stage moves an object's events into the events table through a table of that name.
func (f *fixture) stage(name, uri string) error {
	metadata := &client.TableMetadata{Schema: eventSchema(), ExpirationTime: time.Now().Add(time.Hour)}
	if err := f.table(name).Create(f.ctx, metadata); err != nil {
		return err
	}
	job, err := f.loader(name, name, eventSchema(), uri).Run(f.ctx)
	if err != nil {
		return err
	}
	f.server.jobs.find(jobKey{testProject, "US", name}).wait(f.ctx, testTimeout)
	status, err := job.Status(f.ctx)
	if err != nil || status.Err() != nil {
		return errors.Join(err, status.Err())
	}
	if _, err := f.run(name+"-insert", "INSERT INTO analytics.events SELECT * FROM analytics."+name); err != nil {
		return err
	}
	return f.table(name).Delete(f.ctx)
}
