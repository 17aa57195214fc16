package warehouse

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	bq "google.golang.org/api/bigquery/v2"

	"tidemark/batch"
	"tidemark/destination"
	"tidemark/model"
)

func TestEnsureTable_CreatesOnceAndChangesNothingLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		spec := destination.Spec{Project: "proj", Dataset: "ds", Table: "new", Description: "about", JSON: true,
			Columns: []model.Column{
				{Name: "properties", Type: model.String, JSON: true, Description: "all"},
				{Name: "team_id", Type: model.Int64}, {Name: "timestamp", Type: model.Timestamp}},
			PartitionBy: "timestamp", ClusterBy: []string{"team_id"}}
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
		require.ErrorContains(t, err, "create table proj.missing.new: notFound: Not found: Dataset proj:missing")
		require.Contains(t, batch.HintOf(err), "create the dataset")
	})
}

func TestEnsureTable_LostReplyIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.faults = []fault{{on: "POST tables", after: true, status: 503}}
		require.NoError(t, b.client().EnsureTable(t.Context(), destination.Spec{Project: "proj", Dataset: "ds", Table: "new", PartitionBy: "t"}))
	})
}

func TestTable_SpeaksGoogleSQL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		b.tables["ds.events"].Schema = &bq.TableSchema{Fields: []*bq.TableFieldSchema{
			{Name: "a", Type: "INTEGER", Mode: "REQUIRED"}, {Name: "b", Type: "BOOLEAN"}, {Name: "c", Type: "FLOAT"},
			{Name: "d", Type: "RECORD", Mode: "REPEATED"}, {Name: "e", Type: "JSON"}, {Name: "f", Type: "STRING"}}}
		want := destination.Table{Kind: "TABLE", Location: "EU", Fields: []destination.Field{
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
