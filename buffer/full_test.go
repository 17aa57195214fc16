package buffer

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

// A3: a batch is sealed by the table's own unit. One event an hour fills a table of hours, and is 167 days of one of days.
func TestBatch_IsFullBeforeAJobHasTooManyPartitions(t *testing.T) {
	for _, c := range []struct {
		unit batch.PartitionUnit
		step func(at time.Time, n int) time.Time
	}{
		{batch.Hour, func(at time.Time, n int) time.Time { return at.Add(time.Duration(-n) * time.Hour) }},
		{batch.Day, func(at time.Time, n int) time.Time { return at.AddDate(0, 0, -n) }},
	} {
		t.Run(string(c.unit), func(t *testing.T) {
			f := start(t, testConfig(), &fakeParts{})
			b := f.partitioned(columns(), &batch.Partitioning{Unit: c.unit, Column: "timestamp"})
			in := func(n int) event {
				e := makeEvent(1+int64(n%3), n, 1)
				e.at = c.step(time.Date(2026, 9, 30, 23, 59, 59, 0, time.UTC), n)
				return e
			}
			var events []event
			for n := range fullPartitions - 1 {
				events = append(events, in(n))
			}
			require.NoError(t, b.Append(t.Context(), poll(events...)))
			require.False(t, b.Full())
			events = events[:0]
			for n := range batch.JobPartitions - fullPartitions + 11 {
				events = append(events, in(fullPartitions-1+n))
			}
			require.NoError(t, b.Append(t.Context(), poll(events...)))
			require.True(t, b.Full())
			contents, err := b.Finish(t.Context())
			require.NoError(t, err)
			check(t, contents)
			table := contents.Tables[0]
			require.EqualValues(t, batch.JobPartitions, table.Rows())
			require.Equal(t, batch.JobPartitions, table.Partitions)
			require.True(t, table.Staged, "so many go by a stage table")
			require.EqualValues(t, 10, contents.Counts.Rejected)
			require.Equal(t, string(ReasonPartitions), f.parts.read(t, contents.Rejects[0])[0]["reason"])
		})
	}
}

// A table without partitions, or one whose partitions the rows of a batch share, has no such limit.
func TestBatch_HasNoLimitWhereTheTableHasNone(t *testing.T) {
	for _, p := range []*batch.Partitioning{nil, {Unit: batch.Day}, {Unit: batch.Day, Column: "bq_ingested_timestamp"}, {Unit: batch.Hour, Column: "unknown"},
		{Unit: batch.Month, Column: "timestamp"}, {Unit: batch.IntRange, Column: "team_id", Start: 0, End: 1000, Interval: 1}} {
		f := start(t, testConfig(), &fakeParts{})
		b := f.partitioned(columns(), p)
		var events []event
		for n := range batch.JobPartitions + 10 {
			e := makeEvent(1+int64(n%3), n, 1)
			e.at = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n)
			events = append(events, e)
		}
		require.NoError(t, b.Append(t.Context(), poll(events...)))
		require.False(t, b.Full())
		contents, err := b.Finish(t.Context())
		require.NoError(t, err)
		check(t, contents)
		require.EqualValues(t, len(events), contents.Tables[0].Rows(), "%+v", p)
	}
}

// A1: what the table's partitions have no room for is a reject, in whatever number it comes.
func TestBatch_ImplausibleTimesAreRejects(t *testing.T) {
	f := start(t, testConfig(), &fakeParts{})
	b := f.batch(columns())
	var events []event
	for n := range 12_000 {
		e := makeEvent(1, n, 1)
		e.at = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n)
		events = append(events, e)
	}
	require.NoError(t, b.Append(t.Context(), poll(events[4000:]...)))
	contents, err := b.Finish(t.Context())
	require.NoError(t, err)
	check(t, contents)
	require.EqualValues(t, 8000, contents.Counts.Rejected+contents.Tables[0].Rows())
	rejected := f.parts.read(t, contents.Rejects[0])[0]
	require.Equal(t, string(ReasonImplausible), rejected["reason"])
	require.Contains(t, rejected["detail"], "outside of 2002-")
}

func TestBatch_IsFullBeforeAJobHasTooManyParts(t *testing.T) {
	cfg := testConfig()
	cfg.PartSize = 1 << 20
	f := start(t, cfg, &fakeParts{})
	b := f.batch(columns())
	b.handed.Add(fullParts - 1) // as if they had been handed over
	require.NoError(t, b.Append(t.Context(), poll(makeEvent(1, 1, 1000))))
	require.False(t, b.Full())
	require.NoError(t, b.Append(t.Context(), poll(makeEvent(1, 2, 1<<19), makeEvent(1, 3, 1<<19))))
	require.True(t, b.Full())
	b.Discard()
	f.requireEmpty(t)
}

func TestBatch_IsFullWhenSeenUUIDsTakeHalfTheBudget(t *testing.T) {
	cfg := testConfig()
	cfg.Memory, cfg.PartSize = 8<<20, 1<<20
	f := start(t, cfg, &fakeParts{})
	b, later := f.batch(columns()), f.batch(columns())
	n := 0
	for ; !b.Full(); n += 5000 {
		require.NoError(t, f.Wait(t.Context()))
		var events []event
		for i := range 5000 {
			events = append(events, makeEvent(1, n+i, 1))
		}
		require.NoError(t, b.Append(t.Context(), poll(events...)))
		require.Less(t, n, 1<<20)
	}
	require.False(t, later.Full(), "it is not the one to seal")
	require.Greater(t, n, 100_000, "about 25 bytes for each uuid")
	contents, err := b.Finish(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, n, contents.Tables[0].Rows())
	later.Discard()
	f.requireEmpty(t)
}

func TestBatch_IsFullWhenALaterOneIs(t *testing.T) {
	f := start(t, testConfig(), &fakeParts{})
	before, b, after := f.batch(columns()), f.batch(columns()), f.batch(columns())
	b.handed.Add(fullParts)
	require.True(t, before.Full(), "it has to be sealed first")
	require.True(t, b.Full())
	require.False(t, after.Full())
	b.Discard()
	require.False(t, before.Full())
}

func TestBatch_TailsOfVeryManyTeamsShareParts(t *testing.T) {
	cfg := testConfig()
	cfg.PartSize = 1 << 20
	f := start(t, cfg, &fakeParts{})
	b := f.batch(columns())
	b.wants = func(int64) bool { return true }
	const teams = 5 * maxTails
	var events []event
	for n := range teams {
		events = append(events, makeEvent(int64(1+n), n, 500))
	}
	require.NoError(t, b.Append(t.Context(), poll(events...)))
	require.False(t, b.Full())
	contents, err := b.Finish(t.Context())
	require.NoError(t, err)
	check(t, contents)
	require.Equal(t, cmp.Diff(batch.Counts{Consumed: teams}, contents.Counts), "")
	require.Less(t, len(contents.Tables[0].Parts), 10)
	seen := map[string]bool{}
	for i, p := range contents.Tables[0].Parts {
		require.Equal(t, batch.PartObject("tm", b.id, "events", 0, i), p.Object)
		for _, row := range f.parts.read(t, p) {
			seen[row["team_id"]] = true
		}
	}
	require.Len(t, seen, teams)
	f.requireEmpty(t)
}
