package bigquery

import (
	"fmt"
	"strings"
	"testing"

	client "cloud.google.com/go/bigquery"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/stretchr/testify/require"
)

// wideEvents are n rows of about a kilobyte each.
func wideEvents(first, n int) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrowEvents())
	defer b.Release()
	padding := strings.Repeat("lorem ipsum ", 70)
	for i := first; i < first+n; i++ {
		b.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("%08x-0000-4000-8000-%012x", i*2654435761%1000003, i))
		b.Field(1).(*array.Int64Builder).Append(int64(i % 3))
		b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(eventTime().UnixMicro() + int64(i)))
		b.Field(3).(*array.StringBuilder).Append(fmt.Sprintf(`{"$current_url": "https://example.com/%d", "n": %d, "list": [1, 2, 3], "padding": "%s"}`, i, i, padding[i%100:]))
	}
	return b.NewRecord()
}

// BenchmarkLoad_Small is the overhead of a job: one object of ten rows.
func BenchmarkLoad_Small(b *testing.B) {
	for name, dir := range map[string]string{"memory": "", "disk": b.TempDir()} {
		b.Run(name, func(b *testing.B) {
			f := start(b, func(c *Config) { c.Dir = dir })
			f.createEvents("events")
			uri := f.upload(events(0, 10))
			i := 0
			for b.Loop() {
				i++
				require.NoError(b, f.load(fmt.Sprintf("load-%d", i), "events", uri).Err())
			}
		})
	}
}

// BenchmarkLoad_ManyObjects is a job of 300 objects of ten rows.
func BenchmarkLoad_ManyObjects(b *testing.B) {
	f := start(b, func(c *Config) { c.Dir = b.TempDir() })
	f.createEvents("events")
	var uris []string
	for i := range 300 {
		uris = append(uris, f.upload(events(10*i, 10)))
	}
	i := 0
	for b.Loop() {
		i++
		require.NoError(b, f.load(fmt.Sprintf("load-%d", i), "events", uris...).Err())
	}
}

// BenchmarkMerge merges 1,000 rows into a table of 100,000.
func BenchmarkMerge(b *testing.B) {
	f := start(b, func(c *Config) { c.Dir = b.TempDir() })
	f.createEvents("events")
	f.createEvents("stage")
	require.NoError(b, f.load("events", "events", f.upload(events(0, 100_000))).Err())
	require.NoError(b, f.load("stage", "stage", f.upload(events(99_500, 1000))).Err())
	const merge = "MERGE analytics.events t USING analytics.stage s ON t.uuid = s.uuid " +
		"WHEN MATCHED AND s.team_id >= t.team_id THEN UPDATE SET team_id = s.team_id WHEN NOT MATCHED THEN INSERT ROW"
	for b.Loop() {
		f.exec(merge)
	}
}

// BenchmarkLoad_Million loads a million events of a kilobyte from 400 objects in
// four jobs, and moves them into a table with a JSON column.
func BenchmarkLoad_Million(b *testing.B) {
	const jobs, objects, rows = 4, 100, 2500
	dir := b.TempDir()
	f := start(b, func(c *Config) { c.Dir = dir })
	var uris []string
	for i := range jobs * objects {
		uris = append(uris, f.upload(wideEvents(i*rows, rows)))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		table := fmt.Sprintf("events%d", n)
		f.createEvents(table)
		for i := range jobs {
			require.NoError(b, f.load(fmt.Sprintf("%s-%d", table, i), table, uris[i*objects:(i+1)*objects]...).Err())
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(n+1), "load-s/op")
		f.exec("CREATE TABLE analytics.json" + table + " (uuid STRING, properties JSON)")
		status := f.exec("INSERT INTO analytics.json" + table + " SELECT uuid, PARSE_JSON(properties, wide_number_mode=>'round') FROM analytics." + table)
		require.EqualValues(b, jobs*objects*rows, status.Statistics.Details.(*client.QueryStatistics).NumDMLAffectedRows)
	}
}
