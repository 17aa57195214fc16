package loader

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kelseyhightower/envconfig"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

// fakeWarehouse runs every load at once, as job -g1.
type fakeWarehouse struct {
	jobs map[string]batch.LoadJob
	err  error
}

func (w *fakeWarehouse) Load(_ context.Context, job batch.LoadJob) (batch.JobResult, error) {
	if w.err != nil {
		return batch.JobResult{}, w.err
	}
	w.jobs[job.Base] = job
	return batch.JobResult{ID: job.Base + "-g1", Attempt: 1, Rows: 5}, nil
}

func (w *fakeWarehouse) Look(_ context.Context, ref batch.JobRef) (batch.Evidence, error) {
	if job, ok := w.jobs[ref.Base]; ok && job.JobRef == ref {
		return batch.Evidence{State: batch.Succeeded}, w.err
	}
	return batch.Evidence{State: batch.NoJob}, w.err
}

func testManifest() *batch.Manifest {
	opened := time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)
	return &batch.Manifest{
		Version: batch.ManifestVersion, ID: batch.NewID(opened), Group: "g",
		Period: batch.Period{Start: opened, End: opened.Add(time.Hour)},
		Ranges: []batch.Range{{TopicPartition: batch.TopicPartition{Topic: "t"}, Start: 1, End: 6, Records: 5}},
		Contents: batch.Contents{
			Tables: []batch.Table{{
				Target: batch.Target{Model: "events", Project: "p", Location: "EU", Dataset: "d", Table: "events", Columns: []batch.Column{{Name: "uuid", Type: "STRING"}}},
				Parts:  []batch.Part{{Object: "tm/a", Team: 7, Rows: 2}, {Object: "tm/b", Team: 7, Rows: 3}},
			}},
			Counts: batch.Counts{Consumed: 5},
		},
	}
}

func TestDirect_LoadsAllPartsInOneJob(t *testing.T) {
	w := &fakeWarehouse{jobs: map[string]batch.LoadJob{}}
	d := NewDirect(Config{Bucket: "bucket"}, w)
	m := testManifest()
	table := &m.Tables[0]
	evidence, err := d.Evidence(t.Context(), m, table)
	require.NoError(t, err)
	require.Equal(t, batch.NoJob, evidence.State)
	require.Empty(t, w.jobs, "looking submits nothing")

	rows, err := d.Apply(t.Context(), m, table)
	require.NoError(t, err)
	require.EqualValues(t, 5, rows)
	base := batch.JobOf(m.ID, table.Target, "apply").Base
	require.Empty(t, cmp.Diff(map[string]batch.LoadJob{base: {
		JobRef:  batch.JobRef{Project: "p", Location: "EU", Base: base},
		Dataset: "d", Table: "events", Columns: table.Target.Columns,
		URIs:   []string{"gs://bucket/tm/a", "gs://bucket/tm/b"},
		Labels: map[string]string{"model": "events", "team": "7", "batch": m.ID.String(), "period": "2026-09-30t12-00-00z"},
	}}, w.jobs))
	evidence, err = d.Evidence(t.Context(), m, table)
	require.NoError(t, err)
	require.Equal(t, batch.Succeeded, evidence.State)
}

func TestDirect_NothingIsSubmittedWithoutParts(t *testing.T) {
	w := &fakeWarehouse{jobs: map[string]batch.LoadJob{}, err: errors.New("must not be called")}
	d := NewDirect(Config{}, w)
	m := testManifest()
	m.Tables[0].Parts = nil
	rows, err := d.Apply(t.Context(), m, &m.Tables[0])
	require.NoError(t, err)
	require.Zero(t, rows)
	evidence, err := d.Evidence(t.Context(), m, &m.Tables[0])
	require.NoError(t, err)
	require.Equal(t, batch.Succeeded, evidence.State)
}

func TestDirect_FailedLoadIsNotApplied(t *testing.T) {
	down := errors.New("down")
	d := NewDirect(Config{}, &fakeWarehouse{err: down})
	m := testManifest()
	_, err := d.Apply(t.Context(), m, &m.Tables[0])
	require.ErrorIs(t, err, down)
	_, err = d.Evidence(t.Context(), m, &m.Tables[0])
	require.ErrorIs(t, err, down)
}

func TestDirect_RefusesJSONColumns(t *testing.T) {
	w := &fakeWarehouse{jobs: map[string]batch.LoadJob{}}
	m := testManifest()
	m.Tables[0].Target.Columns[0].Type = batch.JSONType
	_, err := NewDirect(Config{}, w).Apply(t.Context(), m, &m.Tables[0])
	require.ErrorIs(t, err, ErrDirect)
	require.Empty(t, w.jobs)
}

func TestManifests_PutThenGet(t *testing.T) {
	s := newServer(t)
	manifests := NewManifests(Config{Prefix: "tm"}, s.store(t))
	m := testManifest()
	_, err := manifests.Get(t.Context(), m.ID)
	require.ErrorIs(t, err, batch.ErrNoManifest)
	require.NoError(t, manifests.Put(t.Context(), m))
	require.NoError(t, manifests.Put(t.Context(), m), "repeating is harmless")
	got, err := manifests.Get(t.Context(), m.ID)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(m, got))
	m.Group = "other"
	require.ErrorIs(t, manifests.Put(t.Context(), m), ErrConflict)
}

// A2: what the last day took of the quotas can be told from a listing, whoever it was, failed attempts included.
func TestA2_ManifestsTellWhatWasUsed(t *testing.T) {
	s := newServer(t)
	store := s.store(t)
	manifests := NewManifests(Config{Prefix: "tm"}, store)
	noon := time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)
	var want []batch.Use
	for i, offset := range []time.Duration{-time.Hour, -time.Millisecond, 0, time.Millisecond, time.Hour} {
		m := testManifest()
		m.ID = batch.NewID(noon.Add(offset))
		m.Tables[0].Partitions, m.Tables[0].Staged = 30+i, i == 3
		require.NoError(t, manifests.Put(t.Context(), m))
		if offset >= 0 {
			want = append(want, batch.Use{At: m.ID.Time(), Cost: batch.CostOf(m)})
		}
	}
	require.NoError(t, store.Put(t.Context(), "tm/batches/zz-notes.json", nil, nil))
	older := batch.NewID(noon.Add(30 * time.Minute))
	require.NoError(t, store.Put(t.Context(), batch.ManifestObject("tm", older), nil, nil)) // by a version that says nothing of costs
	want = slices.Insert(want, 2, batch.Use{At: older.Time(), Cost: batch.Cost{Loads: 1, Partitions: 1}})
	require.Equal(t, batch.Cost{}, want[1].Cost, "what is staged costs nothing")
	table := testManifest().Tables[0]
	table.Partitions = 77
	require.NoError(t, manifests.Attempt(t.Context(), &table))
	got, err := manifests.Since(t.Context(), noon)
	require.NoError(t, err)
	require.Equal(t, batch.Cost{Loads: 1, Partitions: 77}, got[len(got)-1].Cost)
	require.Equal(t, want, got[:len(got)-1])
}

func TestConfig_DefaultsAreValid(t *testing.T) {
	t.Setenv("TIDEMARK_BUCKET", "my-bucket")
	var c Config
	require.NoError(t, envconfig.Process("TIDEMARK", &c))
	require.NoError(t, c.Validate())
	require.Equal(t, Config{"my-bucket", "tidemark", "zstd", ""}, c)
}

func TestConfig_ReportsAllFaultsTogether(t *testing.T) {
	err := (&Config{Bucket: "gs://x", Prefix: "/a/", Compression: "gzip", GCSEndpoint: "http://x/storage"}).Validate()
	for _, want := range []string{
		`TIDEMARK_BUCKET is "gs://x"; want`, `TIDEMARK_PREFIX is "/a/"; want`, `TIDEMARK_COMPRESSION is "gzip"; want zstd or snappy`,
		`TIDEMARK_GCS_ENDPOINT is "http://x/storage"; want scheme://host:port`,
	} {
		require.ErrorContains(t, err, want)
	}
	for _, prefix := range []string{"", ".", "..", "../a", "a//b", "a/./b", "a/", "a*"} {
		require.ErrorContains(t, (&Config{Bucket: "abc", Prefix: prefix, Compression: "zstd"}).Validate(), "TIDEMARK_PREFIX", prefix)
	}
	require.NoError(t, (&Config{Bucket: "abc", Prefix: "a/b", Compression: "snappy", GCSEndpoint: "https://x:1"}).Validate())
}
