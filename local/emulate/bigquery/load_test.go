package bigquery

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	client "cloud.google.com/go/bigquery"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/stretchr/testify/require"
)

func TestLoad_AppendsRowsAndReportsThem(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	status := f.load("load-1", "events", f.upload(events(0, 10)), f.upload(events(10, 5)))
	require.NoError(t, status.Err())
	stats := status.Statistics.Details.(*client.LoadStatistics)
	require.EqualValues(t, 15, stats.OutputRows)
	require.EqualValues(t, 2, stats.InputFiles)
	require.Positive(t, stats.InputFileBytes)
	require.Positive(t, stats.OutputBytes)
	require.False(t, status.Statistics.EndTime.Before(status.Statistics.StartTime))

	require.Equal(t, [][]client.Value{{"uuid-000003", int64(0), eventTime().Add(3000), `{"i":3}`}},
		f.rows("SELECT * FROM analytics.events WHERE uuid = 'uuid-000003'"))
	md, err := f.table("events").Metadata(f.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 15, md.NumRows)
	require.Empty(t, tempFiles(t, f.server), "sources are removed")
}

// docs.cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet#parquet_conversions
func TestLoad_Types(t *testing.T) {
	f := start(t, nil)
	schema := client.Schema{
		{Name: "s", Type: client.StringFieldType}, {Name: "i", Type: client.IntegerFieldType}, {Name: "n", Type: client.IntegerFieldType},
		{Name: "f", Type: client.FloatFieldType}, {Name: "b", Type: client.BooleanFieldType}, {Name: "raw", Type: client.BytesFieldType},
		{Name: "ms", Type: client.TimestampFieldType}, {Name: "local", Type: client.TimestampFieldType}, {Name: "d", Type: client.DateFieldType},
		{Name: "list", Type: client.StringFieldType, Repeated: true}, {Name: "absent", Type: client.StringFieldType},
	}
	require.NoError(t, f.table("types").Create(f.ctx, &client.TableMetadata{Schema: schema}))
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "i", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "n", Type: arrow.PrimitiveTypes.Int32, Nullable: true}, {Name: "f", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "b", Type: arrow.FixedWidthTypes.Boolean, Nullable: true}, {Name: "raw", Type: arrow.BinaryTypes.Binary, Nullable: true},
		{Name: "ms", Type: arrow.FixedWidthTypes.Timestamp_ms, Nullable: true}, {Name: "local", Type: &arrow.TimestampType{Unit: arrow.Microsecond}, Nullable: true},
		{Name: "d", Type: arrow.FixedWidthTypes.Date32, Nullable: true}, {Name: "list", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	}, nil))
	defer b.Release()
	b.Field(0).(*array.StringBuilder).Append("a\x00é\"")
	b.Field(1).(*array.Int64Builder).Append(math.MinInt64)
	b.Field(2).(*array.Int32Builder).Append(-1)
	b.Field(3).(*array.Float64Builder).Append(0.1)
	b.Field(4).(*array.BooleanBuilder).Append(true)
	b.Field(5).(*array.BinaryBuilder).Append([]byte{0, 255})
	b.Field(6).(*array.TimestampBuilder).Append(arrow.Timestamp(eventTime().UnixMilli()))
	b.Field(7).(*array.TimestampBuilder).Append(arrow.Timestamp(eventTime().UnixMicro()))
	b.Field(8).(*array.Date32Builder).Append(arrow.Date32FromTime(eventTime()))
	list := b.Field(9).(*array.ListBuilder)
	list.Append(true)
	list.ValueBuilder().(*array.StringBuilder).AppendValues([]string{"x", "y"}, nil)
	for _, field := range b.Fields() {
		field.AppendNull()
	}
	require.NoError(t, f.runLoad(f.loader("types", "types", schema, f.upload(b.NewRecord()))).Err())
	rows, err := readAll(f.table("types").Read(f.ctx))
	require.NoError(t, err)
	require.ElementsMatch(t, [][]client.Value{
		{"a\x00é\"", int64(math.MinInt64), int64(-1), 0.1, true, []byte{0, 255}, eventTime().Truncate(time.Millisecond), eventTime(),
			f.rows("SELECT DATE '2026-09-01'")[0][0], []client.Value{"x", "y"}, nil},
		{nil, nil, nil, nil, nil, nil, nil, nil, nil, []client.Value(nil), nil},
	}, rows)
	require.Len(t, f.rows("SELECT * FROM analytics.types"), 2)
}

// docs.cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet: a load is
// atomic. Each of these loads has a good file beside the bad one.
func TestLoad_RefusedFilesLoadNothing(t *testing.T) {
	extra := arrow.NewSchema(append(arrowEvents().Fields(), arrow.Field{Name: "extra", Type: arrow.BinaryTypes.String}), nil)
	text := arrow.NewSchema([]arrow.Field{{Name: "team_id", Type: arrow.BinaryTypes.String}}, nil)
	nanos := arrow.NewSchema([]arrow.Field{{Name: "timestamp", Type: arrow.FixedWidthTypes.Timestamp_ns}}, nil)
	raw := arrow.NewSchema([]arrow.Field{{Name: "uuid", Type: arrow.BinaryTypes.Binary}}, nil)
	upper := arrow.NewSchema([]arrow.Field{{Name: "UUID", Type: arrow.BinaryTypes.String}}, nil)
	f := start(t, nil)
	f.createEvents("events")
	good := f.upload(events(0, 10))
	for name, schema := range map[string]*arrow.Schema{
		"a column that the schema lacks": extra, "text for a number": text, "nanoseconds": nanos, "bytes for text": raw, "another case": upper,
	} {
		t.Run(name, func(t *testing.T) {
			b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
			defer b.Release()
			for _, field := range b.Fields() {
				field.AppendEmptyValue()
			}
			requireJobReason(t, f.load("bad-"+strings.ReplaceAll(name, " ", "-"), "events", good, f.upload(b.NewRecord())), "invalid")
		})
	}
	requireJobReason(t, f.load("missing", "events", good, "gs://"+testBucket+"/nosuch"), "notFound")
	requireJobReason(t, f.load("no-bucket", "events", "gs://nosuch/object", good), "notFound")
	require.Zero(t, f.count("events"))
	require.Empty(t, tempFiles(t, f.server), "sources are removed")
}

func TestLoad_SchemaMustMatchTable(t *testing.T) {
	f := start(t, nil)
	schema := eventSchema()
	schema[0].Required = true
	require.NoError(t, f.table("events").Create(f.ctx, &client.TableMetadata{Schema: schema}))
	uri := f.upload(events(0, 1))
	for id, change := range map[string]func(client.Schema) client.Schema{
		"absent": func(s client.Schema) client.Schema {
			return append(s, &client.FieldSchema{Name: "extra", Type: client.StringFieldType})
		},
		"type":     func(s client.Schema) client.Schema { s[1].Type = client.StringFieldType; return s },
		"mode":     func(s client.Schema) client.Schema { s[0].Required = false; return s },
		"repeated": func(s client.Schema) client.Schema { s[3].Repeated = true; return s },
		"missing":  func(s client.Schema) client.Schema { return s[1:] },
	} {
		schema := eventSchema()
		schema[0].Required = true
		requireJobReason(t, f.runLoad(f.loader(id, "events", change(schema), uri)), "invalid")
	}
	subset := client.Schema{schema[0], schema[1], schema[2]}
	requireJobReason(t, f.runLoad(f.loader("subset", "events", subset, uri)), "invalid") // the file has more
	require.NoError(t, f.runLoad(f.loader("good", "events", schema, uri)).Err())
}

// docs.cloud.google.com/bigquery/docs/json-data: Parquet cannot be loaded into JSON.
func TestLoad_RefusesJSON(t *testing.T) {
	f := start(t, nil)
	f.exec("CREATE TABLE analytics.events (uuid STRING, properties JSON)")
	uri := f.upload(events(0, 1))
	for _, typ := range []client.FieldType{client.JSONFieldType, client.StringFieldType} {
		_, err := f.loader("json", "events", client.Schema{{Name: "properties", Type: typ}}, uri).Run(f.ctx)
		requireReason(t, err, http.StatusBadRequest, "invalid")
		require.ErrorContains(t, err, "Unsupported field type: JSON")
	}
	_, err := f.client.JobFromID(f.ctx, "json")
	requireReason(t, err, http.StatusNotFound, "notFound")
}

func TestLoad_RefusesWhatIsNotCovered(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	uri := f.upload(events(0, 1))
	many := make([]string, maxURIs+1)
	for i := range many {
		many[i] = fmt.Sprintf("gs://%s/%d", testBucket, i)
	}
	for name, c := range map[string]struct {
		code   int
		change func(*client.Loader, *client.GCSReference)
	}{
		"create if needed": {501, func(l *client.Loader, _ *client.GCSReference) { l.CreateDisposition = client.CreateIfNeeded }},
		"truncate":         {501, func(l *client.Loader, _ *client.GCSReference) { l.WriteDisposition = client.WriteTruncate }},
		"schema update": {501, func(l *client.Loader, _ *client.GCSReference) {
			l.SchemaUpdateOptions = []string{"ALLOW_FIELD_ADDITION"}
		}},
		"no schema":         {501, func(_ *client.Loader, r *client.GCSReference) { r.Schema = nil }},
		"avro":              {501, func(_ *client.Loader, r *client.GCSReference) { r.SourceFormat = client.Avro }},
		"ignore unknown":    {501, func(_ *client.Loader, r *client.GCSReference) { r.IgnoreUnknownValues = true }},
		"bad records":       {501, func(_ *client.Loader, r *client.GCSReference) { r.MaxBadRecords = 1 }},
		"wildcard":          {501, func(_ *client.Loader, r *client.GCSReference) { r.URIs = []string{"gs://b/*"} }},
		"twice":             {501, func(_ *client.Loader, r *client.GCSReference) { r.URIs = []string{uri, uri} }},
		"decorator":         {501, func(l *client.Loader, _ *client.GCSReference) { l.Dst.TableID += "$20260901" }},
		"too many URIs":     {400, func(_ *client.Loader, r *client.GCSReference) { r.URIs = many }},
		"no object":         {400, func(_ *client.Loader, r *client.GCSReference) { r.URIs = []string{"gs://bucket"} }},
		"other scheme":      {400, func(_ *client.Loader, r *client.GCSReference) { r.URIs = []string{"s3://b/o"} }},
		"missing dataset":   {404, func(l *client.Loader, _ *client.GCSReference) { l.Dst.DatasetID = "nosuch" }},
		"wrong location":    {404, func(l *client.Loader, _ *client.GCSReference) { l.Location = "us-central1" }},
		"job ID of letters": {400, func(l *client.Loader, _ *client.GCSReference) { l.JobID = "a.b" }},
	} {
		t.Run(name, func(t *testing.T) {
			loader := f.loader("refused", "events", eventSchema(), uri)
			c.change(loader, loader.Src.(*client.GCSReference))
			_, err := loader.Run(f.ctx)
			requireReason(t, err, c.code, map[int]string{501: "notImplemented", 400: "invalid", 404: "notFound"}[c.code])
		})
	}
	requireJobReason(t, f.load("no-table", "nosuch", uri), "notFound")
	requireJobReason(t, f.load("other-case", "Events", uri), "notFound")
	require.Zero(t, f.count("events"))
}

// docs.cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationLoad, "WRITE_EMPTY"
func TestLoad_WriteEmptyRefusesATableWithRows(t *testing.T) {
	f := start(t, nil)
	f.createEvents("stage")
	loader := f.loader("first", "stage", eventSchema(), f.upload(events(0, 10)))
	loader.WriteDisposition = client.WriteEmpty
	require.NoError(t, f.runLoad(loader).Err())
	loader = f.loader("second", "stage", eventSchema(), f.upload(events(10, 10)))
	loader.WriteDisposition = client.WriteEmpty
	requireJobReason(t, f.runLoad(loader), "duplicate")
	require.EqualValues(t, 10, f.count("stage"))
}

// docs.cloud.google.com/bigquery/quotas#partitioned_tables: 4,000 partitions per job.
func TestLoad_RefusesTooManyPartitions(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	days := func(n int) string {
		b := array.NewRecordBuilder(memory.DefaultAllocator, arrowEvents())
		defer b.Release()
		for i := range n {
			b.Field(0).(*array.StringBuilder).Append("u")
			b.Field(1).(*array.Int64Builder).Append(1)
			b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(eventTime().AddDate(0, 0, -i).UnixMicro()))
			b.Field(3).(*array.StringBuilder).Append("{}")
		}
		return f.upload(b.NewRecord())
	}
	requireJobReason(t, f.load("too-many", "events", days(partitionsPerJob+1)), "invalid")
	require.NoError(t, f.load("enough", "events", days(partitionsPerJob)).Err())
	require.EqualValues(t, partitionsPerJob, f.count("events"))
}

// docs.cloud.google.com/bigquery/quotas#load_jobs: 1,500 per table and day, failed
// ones included; of a table, that is of its name.
func TestLoad_DailyQuotaIsOfTheTablesName(t *testing.T) {
	dir := t.TempDir()
	clock := newClock()
	configure := func(c *Config) { c.Dir, c.LoadsPerTable, c.Now = dir, 3, clock.now }
	f := start(t, configure)
	f.createEvents("events")
	f.createEvents("other")
	uri := f.upload(events(0, 1))
	require.NoError(t, f.load("g1", "events", uri).Err())
	requireJobReason(t, f.load("g2", "events", "gs://"+testBucket+"/nosuch"), "notFound")
	clock.advance(time.Hour)
	require.NoError(t, f.table("events").Delete(f.ctx))
	f.createEvents("events")
	require.NoError(t, f.load("g3", "events", uri).Err())
	requireJobReason(t, f.load("g4", "events", uri), "quotaExceeded")
	require.NoError(t, f.load("o1", "other", uri).Err())
	f.exec("INSERT INTO analytics.events (uuid) VALUES ('x')") // DML is not counted

	f.restart(configure)
	requireJobReason(t, f.load("g5", "events", uri), "quotaExceeded")
	clock.advance(23 * time.Hour) // g1 and g2 are a day ago, g3 to g5 are not
	requireJobReason(t, f.load("g6", "events", uri), "quotaExceeded")
	clock.advance(time.Hour)
	require.NoError(t, f.load("g7", "events", uri).Err())
	require.EqualValues(t, 3, f.count("events"))
}

func TestLoad_ConcurrentLoadsAndInserts(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	f.createEvents("stage")
	require.NoError(t, f.load("stage", "stage", f.upload(events(0, 10))).Err())
	const workers, each = 8, 10
	uris := make([]string, workers)
	for i := range uris {
		uris[i] = f.upload(events(i*100, 100))
	}
	var group sync.WaitGroup
	errs := make(chan error, 2*workers*each)
	for i := range workers {
		group.Go(func() {
			for k := range each {
				job, err := f.loader(fmt.Sprintf("load-%d-%d", i, k), "events", eventSchema(), uris[i]).Run(f.ctx)
				if err == nil {
					f.server.jobs.find(jobKey{testProject, "US", job.ID()}).wait(f.ctx, testTimeout)
					var status *client.JobStatus
					if status, err = job.Status(f.ctx); err == nil {
						err = status.Err()
					}
				}
				errs <- err
			}
		})
		group.Go(func() {
			for k := range each {
				_, err := f.run(fmt.Sprintf("insert-%d-%d", i, k), "INSERT INTO analytics.events SELECT * FROM analytics.stage")
				errs <- err
			}
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.EqualValues(t, workers*each*110, f.count("events"))
}
