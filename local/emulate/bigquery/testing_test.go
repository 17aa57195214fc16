package bigquery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	client "cloud.google.com/go/bigquery"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
)

const (
	testProject = "my-project"
	testDataset = "analytics"
	testBucket  = "staging"

	// testTimeout bounds what a test waits for; nothing takes that long.
	testTimeout = 5 * time.Minute
)

// fixture is a server with a dataset in the US, its clients, and a bucket.
type fixture struct {
	t       testing.TB
	ctx     context.Context //nolint:containedctx // of the test
	server  *Server
	client  *client.Client
	storage *fakestorage.Server
	faults  *FaultScript
	objects atomic.Int64 // uploaded so far
}

// start starts a server; configure, if not nil, changes its configuration.
func start(t testing.TB, configure func(*Config)) *fixture {
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	storage, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true})
	require.NoError(t, err)
	t.Cleanup(storage.Stop)
	storage.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: testBucket})
	f := &fixture{t: t, ctx: ctx, storage: storage, faults: NewFaultScript()}
	f.restart(configure)
	return f
}

// restart closes the server, if there is one, and starts another.
func (f *fixture) restart(configure func(*Config)) {
	f.t.Helper()
	if f.server != nil {
		require.NoError(f.t, f.server.Close())
	}
	cfg := Config{Objects: NewStorageObjects(f.storage.Client()), Faults: f.faults, Threads: 2}
	if configure != nil {
		configure(&cfg)
	}
	server, err := Start(f.ctx, cfg)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { require.NoError(f.t, server.Close()) })
	require.NoError(f.t, server.CreateDataset(f.ctx, testProject, testDataset, "US"))
	f.server = server
	f.client = connect(f.t, server.Endpoint()+"/bigquery/v2/", "US")
}

func connect(t testing.TB, endpoint, location string) *client.Client {
	t.Helper()
	c, err := client.NewClient(t.Context(), testProject, option.WithEndpoint(endpoint), option.WithoutAuthentication())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	c.Location = location
	return c
}

func (f *fixture) table(name string) *client.Table { return f.client.Dataset(testDataset).Table(name) }

// eventSchema is that of the rows of events.
func eventSchema() client.Schema {
	return client.Schema{
		{Name: "uuid", Type: client.StringFieldType},
		{Name: "team_id", Type: client.IntegerFieldType},
		{Name: "timestamp", Type: client.TimestampFieldType},
		{Name: "properties", Type: client.StringFieldType},
	}
}

// createEvents creates a table with eventSchema, partitioned by day and clustered.
func (f *fixture) createEvents(name string) {
	f.t.Helper()
	require.NoError(f.t, f.table(name).Create(f.ctx, &client.TableMetadata{
		Schema:           eventSchema(),
		TimePartitioning: &client.TimePartitioning{Type: client.DayPartitioningType, Field: "timestamp"},
		Clustering:       &client.Clustering{Fields: []string{"team_id"}},
	}))
}

// eventTime is when the first of the rows of events happened.
func eventTime() time.Time { return time.Date(2026, 9, 1, 12, 0, 0, 123456000, time.UTC) }

// arrowEvents is the columns of events.
func arrowEvents() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "uuid", Type: arrow.BinaryTypes.String},
		{Name: "team_id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "timestamp", Type: arrow.FixedWidthTypes.Timestamp_us},
		{Name: "properties", Type: arrow.BinaryTypes.String},
	}, nil)
}

// events are n rows whose numbers begin at first.
func events(first, n int) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrowEvents())
	defer b.Release()
	for i := first; i < first+n; i++ {
		b.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("uuid-%06d", i))
		b.Field(1).(*array.Int64Builder).Append(int64(i % 3))
		b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(eventTime().UnixMicro() + int64(i)))
		b.Field(3).(*array.StringBuilder).Append(fmt.Sprintf(`{"i":%d}`, i))
	}
	return b.NewRecord()
}

// parquetFile encodes a record as tidemark does.
func parquetFile(t testing.TB, record arrow.Record) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := pqarrow.NewFileWriter(record.Schema(), &file,
		parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithRootRepetition(parquet.Repetitions.Required)),
		pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	require.NoError(t, err)
	require.NoError(t, w.Write(record))
	require.NoError(t, w.Close())
	return file.Bytes()
}

// upload stores a record as a Parquet object and returns its URI.
func (f *fixture) upload(record arrow.Record) string {
	f.t.Helper()
	name := fmt.Sprintf("parts/%d.parquet", f.objects.Add(1))
	f.storage.CreateObject(fakestorage.Object{
		ObjectAttrs: fakestorage.ObjectAttrs{BucketName: testBucket, Name: name},
		Content:     parquetFile(f.t, record),
	})
	return "gs://" + testBucket + "/" + name
}

// loader is a load job as tidemark makes it, to be changed.
func (f *fixture) loader(id, table string, schema client.Schema, uris ...string) *client.Loader {
	ref := client.NewGCSReference(uris...)
	ref.SourceFormat = client.Parquet
	ref.Schema = schema
	ref.ParquetOptions = &client.ParquetOptions{EnableListInference: true}
	loader := f.table(table).LoaderFrom(ref)
	loader.JobID = id
	loader.CreateDisposition = client.CreateNever
	loader.WriteDisposition = client.WriteAppend
	return loader
}

// load runs a load job of events to its end.
func (f *fixture) load(id, table string, uris ...string) *client.JobStatus {
	f.t.Helper()
	return f.runLoad(f.loader(id, table, eventSchema(), uris...))
}

func (f *fixture) runLoad(loader *client.Loader) *client.JobStatus {
	f.t.Helper()
	job, err := loader.Run(f.ctx)
	require.NoError(f.t, err)
	return f.finish(job)
}

// finish waits for the job without the client's polling.
func (f *fixture) finish(job *client.Job) *client.JobStatus {
	f.t.Helper()
	f.done(job.ID())
	status, err := job.Status(f.ctx)
	require.NoError(f.t, err)
	require.True(f.t, status.Done())
	return status
}

// done waits until the job is DONE.
func (f *fixture) done(id string) {
	f.t.Helper()
	j := f.server.jobs.find(jobKey{testProject, "US", id})
	require.NotNil(f.t, j, id)
	select {
	case <-j.done:
	case <-f.ctx.Done():
		require.FailNow(f.t, "job is not done", id)
	}
}

// rows runs a query and returns its rows.
func (f *fixture) rows(sql string, params ...client.QueryParameter) [][]client.Value {
	f.t.Helper()
	rows, err := f.tryRows(sql, params...)
	require.NoError(f.t, err, sql)
	return rows
}

func (f *fixture) tryRows(sql string, params ...client.QueryParameter) ([][]client.Value, error) {
	q := f.client.Query(sql)
	q.Parameters = params
	it, err := q.Read(f.ctx)
	if err != nil {
		return nil, err
	}
	return readAll(it)
}

func readAll(it *client.RowIterator) ([][]client.Value, error) {
	var rows [][]client.Value
	for {
		var row []client.Value
		err := it.Next(&row)
		if errors.Is(err, iterator.Done) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
}

// count is the number of rows of a table.
func (f *fixture) count(table string) int64 {
	f.t.Helper()
	return f.rows("SELECT COUNT(*) FROM `" + testProject + "." + testDataset + "." + table + "`")[0][0].(int64)
}

// run runs a query job with an ID.
func (f *fixture) run(id, sql string) (*client.JobStatus, error) {
	q := f.client.Query(sql)
	q.JobID = id
	job, err := q.Run(f.ctx)
	if err != nil {
		return nil, err
	}
	return job.Wait(f.ctx)
}

// exec runs a statement that must succeed.
func (f *fixture) exec(sql string) *client.JobStatus {
	f.t.Helper()
	return f.execAs("", sql)
}

// execAs runs a statement that must succeed under a job ID.
func (f *fixture) execAs(id, sql string) *client.JobStatus {
	f.t.Helper()
	status, err := f.run(id, sql)
	require.NoError(f.t, err, sql)
	require.NoError(f.t, status.Err(), sql)
	return status
}

// requireState asks for a job's state.
func (f *fixture) requireState(id string, want client.State) {
	f.t.Helper()
	job, err := f.client.JobFromID(f.ctx, id)
	require.NoError(f.t, err)
	require.Equal(f.t, want, job.LastStatus().State)
}

// awaitRunning asks until the job is RUNNING.
func (f *fixture) awaitRunning(job *client.Job) {
	f.t.Helper()
	for {
		status, err := job.Status(f.ctx)
		require.NoError(f.t, err)
		require.NotEqual(f.t, client.Done, status.State)
		if status.State == client.Running {
			return
		}
	}
}
