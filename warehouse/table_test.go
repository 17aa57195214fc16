package warehouse

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	bq "google.golang.org/api/bigquery/v2"

	"tidemark/batch"
	"tidemark/destination"
	"tidemark/merge"
	"tidemark/model"
)

func TestEnsureTable_CreatesOnceAndChangesNothingLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		spec := destination.Spec{Project: "proj", Dataset: "ds", Table: "new", Description: "about", JSON: true,
			Columns: []model.Column{
				{Name: "properties", Type: model.String, JSON: true, Description: "all"},
				{Name: "team_id", Type: model.Int64}, {Name: "timestamp", Type: model.Timestamp}},
			Partitions: &batch.Partitioning{Unit: batch.Day, Column: "timestamp"}, ClusterBy: []string{"team_id"}}
		require.NoError(t, b.client().EnsureTable(t.Context(), spec))
		got := b.tables["ds.new"]
		require.Equal(t, "about", got.Description)
		require.Empty(t, cmp.Diff([]*bq.TableFieldSchema{
			{Name: "properties", Type: "JSON", Description: "all"}, {Name: "team_id", Type: "INTEGER"}, {Name: "timestamp", Type: "TIMESTAMP"}}, got.Schema.Fields))
		require.Empty(t, cmp.Diff(&bq.TimePartitioning{Type: "DAY", Field: "timestamp"}, got.TimePartitioning))
		require.Equal(t, []string{"team_id"}, got.Clustering.Fields)

		spec.Columns = spec.Columns[1:]
		require.NoError(t, b.client().EnsureTable(t.Context(), spec))
		require.Same(t, got, b.tables["ds.new"])

		spec.Dataset = "missing"
		err := b.client().EnsureTable(t.Context(), spec)
		require.True(t, isPermanent(err))
		require.ErrorContains(t, err, "read dataset proj.missing: notFound: Not found: Dataset proj:missing")
		require.Contains(t, batch.HintOf(err), "create the dataset")
	})
}

func TestEnsureTable_LostReplyIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.faults = []fault{{on: "POST tables", after: true, status: 503}}
		require.NoError(t, b.client().EnsureTable(t.Context(), destination.Spec{Project: "proj", Dataset: "ds", Table: "new", Partitions: &batch.Partitioning{Unit: batch.Day, Column: "t"}}))
	})
}

func TestTable_SpeaksGoogleSQL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.tables["ds.events"].Schema = &bq.TableSchema{Fields: []*bq.TableFieldSchema{
			{Name: "a", Type: "INTEGER", Mode: "REQUIRED"}, {Name: "b", Type: "BOOLEAN"}, {Name: "c", Type: "FLOAT"},
			{Name: "d", Type: "RECORD", Mode: "REPEATED"}, {Name: "e", Type: "JSON"}, {Name: "f", Type: "STRING"}}}
		want := destination.Table{Kind: "TABLE", Location: "EU", Created: time.UnixMilli(b.tables["ds.events"].CreationTime), Fields: []destination.Field{
			{Name: "a", Type: "INT64", Required: true}, {Name: "b", Type: "BOOL"}, {Name: "c", Type: "FLOAT64"},
			{Name: "d", Type: "STRUCT", Repeated: true}, {Name: "e", Type: "JSON"}, {Name: "f", Type: "STRING"}}}
		for range 2 {
			got, found, err := b.client().Table(t.Context(), "proj", "ds", "events")
			require.NoError(t, err)
			require.True(t, found)
			require.Empty(t, cmp.Diff(want, got))
			b.tables["ds.events"].Location = "" // then the dataset is asked
		}
		_, found, err := b.client().Table(t.Context(), "proj", "ds", "none")
		require.NoError(t, err)
		require.False(t, found)
	})
}

// A3, A4, A6: what decides whether the table can work is read along with its columns.
func TestA3_TablesAreReadWhole(t *testing.T) {
	for _, c := range []struct {
		table bq.Table
		want  destination.Table
	}{
		{bq.Table{TimePartitioning: &bq.TimePartitioning{Type: "HOUR", Field: "timestamp", ExpirationMs: 86_400_000, RequirePartitionFilter: true}, ExpirationTime: 4_000_000_000_000},
			destination.Table{Partitions: &batch.Partitioning{Unit: batch.Hour, Column: "timestamp", Expiration: 24 * time.Hour}, FilterRequired: true, Expires: time.UnixMilli(4_000_000_000_000)}},
		{bq.Table{TimePartitioning: &bq.TimePartitioning{Type: "DAY"}, RequirePartitionFilter: true},
			destination.Table{Partitions: &batch.Partitioning{Unit: batch.Day}, FilterRequired: true}},
		{bq.Table{RangePartitioning: &bq.RangePartitioning{Field: "team_id", Range: &bq.RangePartitioningRange{Start: 1, End: 100, Interval: 10}}},
			destination.Table{Partitions: &batch.Partitioning{Unit: batch.IntRange, Column: "team_id", Start: 1, End: 100, Interval: 10}}},
		{bq.Table{Schema: &bq.TableSchema{Fields: []*bq.TableFieldSchema{
			{Name: "a", Type: "STRING", Collation: "und:ci", PolicyTags: &bq.TableFieldSchemaPolicyTags{Names: []string{"projects/p/taxonomies/1/policyTags/2"}}}}}},
			destination.Table{Fields: []destination.Field{{Name: "a", Type: "STRING", Collation: "und:ci", PolicyTags: true}}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBigQuery(t)
			c.table.Type, c.table.Location = "TABLE", "EU"
			b.tables["ds.events"] = &c.table
			got, _, err := b.client().Table(t.Context(), "proj", "ds", "events")
			require.NoError(t, err)
			c.want.Kind, c.want.Location = "TABLE", "EU"
			require.Empty(t, cmp.Diff(c.want, got, cmpopts.EquateEmpty()))
		})
	}
}

// A4: a dataset's default expirations do not reach what is to stay.
func TestA4_DefaultExpirationsAreOverridden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		spec := destination.Spec{Project: "proj", Dataset: "ds", Table: "plain", Partitions: &batch.Partitioning{Unit: batch.Day, Column: "t"}}
		require.NoError(t, b.client().EnsureTable(t.Context(), spec))
		require.Zero(t, b.tables["ds.plain"].ExpirationTime)
		require.Zero(t, b.tables["ds.plain"].TimePartitioning.ExpirationMs)
		b.defaults = bq.Dataset{DefaultTableExpirationMs: 3_600_000, DefaultPartitionExpirationMs: 7_200_000}
		spec.Table = "kept"
		require.NoError(t, b.client().EnsureTable(t.Context(), spec))
		century := time.Now().AddDate(99, 0, 0).UnixMilli()
		require.Greater(t, b.tables["ds.kept"].ExpirationTime, century)
		require.Greater(t, b.tables["ds.kept"].TimePartitioning.ExpirationMs, int64(99*365*24*3600*1000))
		spec.Table, spec.Partitions.Expiration = "chosen", 24*time.Hour
		require.NoError(t, b.client().EnsureTable(t.Context(), spec))
		require.EqualValues(t, 86_400_000, b.tables["ds.chosen"].TimePartitioning.ExpirationMs)
		require.NoError(t, b.client().CreateSide(t.Context(), "proj", "ds", merge.Side{Table: "side", Columns: []batch.Column{{Name: "a", Type: "STRING"}}}))
		require.Greater(t, b.tables["ds.side"].ExpirationTime, century)
		soon := time.Now().Add(time.Hour)
		require.NoError(t, b.client().CreateStage(t.Context(), "proj", "ds", "stage", []batch.Column{{Name: "a", Type: "STRING"}}, soon, nil))
		require.Equal(t, soon.UnixMilli(), b.tables["ds.stage"].ExpirationTime)
	})
}

func TestStage_ExpiresAndMayBeDroppedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		c, expires := b.client(), time.Now().Add(48*time.Hour).Truncate(time.Millisecond)
		create := func(name string) {
			require.NoError(t, c.CreateStage(t.Context(), "proj", "ds", name, []batch.Column{{Name: "p", Type: "STRING"}}, expires, map[string]string{"batch": "B"}))
		}
		_, found, err := c.CreatedAt(t.Context(), "proj", "ds", "stage")
		require.NoError(t, err)
		require.False(t, found)
		create("stage")
		create("stage")
		created, found, err := c.CreatedAt(t.Context(), "proj", "ds", "stage")
		require.NoError(t, err)
		require.True(t, found)
		require.True(t, created.Equal(time.Now()))
		require.Equal(t, expires.UnixMilli(), b.tables["ds.stage"].ExpirationTime)
		require.Equal(t, map[string]string{"batch": "b"}, b.tables["ds.stage"].Labels)

		require.NoError(t, c.DropTable(t.Context(), "proj", "ds", "stage"))
		require.NotContains(t, b.tables, "ds.stage")
		require.NoError(t, c.DropTable(t.Context(), "proj", "ds", "stage"))
		create("kept") // the account may not delete it
		require.NoError(t, c.DropTable(t.Context(), "proj", "ds", "kept"))
	})
}

func TestLocation_IsTheDatasets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newBigQuery(t).client()
		loc, err := c.Location(t.Context(), "proj", "ds")
		require.NoError(t, err)
		require.Equal(t, "EU", loc)
		_, err = c.Location(t.Context(), "proj", "missing")
		require.True(t, isPermanent(err))
	})
}
