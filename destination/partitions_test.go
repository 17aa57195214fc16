package destination

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

// A1, A3: the table that is created, and the times it takes, are as configured; of a table that is there its own partitions count.
func TestResolve_PartitionsOfEvents(t *testing.T) {
	for name, want := range map[string]*batch.Partitioning{
		"day": {Unit: batch.Day, Column: "timestamp"}, "month": {Unit: batch.Month, Column: "timestamp"}, "none": nil,
		"hour": {Unit: batch.Hour, Column: "timestamp", Expiration: 30 * 24 * time.Hour},
	} {
		w := new(warehouse)
		cfg := config(false, EventsModel)
		cfg.EventsPartitions = name
		if name == "hour" {
			cfg.EventsPartitionDays = 30
		}
		d, err := New(cfg, "acme", w, new(memory))
		require.NoError(t, err)
		res, err := d.Resolve(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, w.created[0].Partitions, name)
		require.Equal(t, want, res.Tables[0].Target.Partitions, name)
		require.Equal(t, cfg.EventsFrom.Time, res.Tables[0].From)
		require.Equal(t, 100, res.Tables[0].StageAbove)
	}
	hourly := &batch.Partitioning{Unit: batch.Hour, Column: "_kafka_timestamp"}
	res, err := resolve(t, holding(&Table{Kind: "TABLE", Partitions: hourly, Fields: []Field{{Name: "uuid", Type: "STRING"}}}), false)
	require.NoError(t, err)
	require.Equal(t, hourly, res.Target.Partitions)
}

// B1, A6: what would make merges fail, or take two keys for one, is refused before the first row, with the option's name.
func TestA6_WhatCannotBeMergedIsRefused(t *testing.T) {
	fields := []Field{{Name: "team_id", Type: "INT64"}, {Name: "distinct_id", Type: "STRING"}, {Name: "person_id", Type: "STRING"},
		{Name: "person_version", Type: "INT64"}, {Name: "person_distinct_id_version", Type: "INT64"}}
	collated := slices.Clone(fields)
	collated[1].Collation = "und:ci"
	for name, c := range map[string]struct {
		table   Table
		dataset Dataset
		want    string
	}{
		"required filter":  {Table{Fields: fields, FilterRequired: true, Partitions: &batch.Partitioning{Unit: batch.Day, Column: "created_at"}}, Dataset{}, "ALTER TABLE `acme.posthog.persons` SET OPTIONS (require_partition_filter = FALSE)"},
		"hours":            {Table{Fields: fields, Partitions: &batch.Partitioning{Unit: batch.Hour, Column: "created_at"}}, Dataset{}, "partitioned by HOUR"},
		"collation":        {Table{Fields: collated}, Dataset{}, "column distinct_id has the collation und:ci"},
		"dataset":          {Table{Fields: fields}, Dataset{Collation: "und:ci"}, "SET DEFAULT COLLATE ''"},
		"case-insensitive": {Table{Fields: fields}, Dataset{CaseInsensitive: true}, "is_case_insensitive = FALSE"},
		"days":             {Table{Fields: fields, Partitions: &batch.Partitioning{Unit: batch.Day, Column: "created_at"}}, Dataset{}, "partitioned by DAY of created_at"},
		"months":           {Table{Fields: fields, Partitions: &batch.Partitioning{Unit: batch.Month, Column: "created_at"}}, Dataset{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.table.Kind = "TABLE"
			d, err := New(config(false, PersonsModel), "acme", &warehouse{tables: map[string]*Table{"persons": &c.table}, dataset: c.dataset}, new(memory))
			require.NoError(t, err)
			_, err = d.Resolve(t.Context())
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			var refused *Error
			require.ErrorAs(t, err, &refused)
			require.ErrorContains(t, err, c.want)
			require.Contains(t, batch.HintOf(err), "TIDEMARK_PERSONS_TABLE")
		})
	}
	w := &warehouse{dataset: Dataset{Collation: "und:ci"}}
	_, err := resolve(t, w, false)
	require.ErrorContains(t, err, "und:ci", "the columns of a new table would have it, and could not be clustered by")
	require.Empty(t, w.created)
}

// A4: what a person has set, and takes rows away, is told of; what tidemark sets is not.
func TestA4_ExpirationsOfAPersonAreWarnedOf(t *testing.T) {
	in := func(d time.Duration) time.Time { return time.Now().Add(d) }
	for name, c := range map[string]struct {
		table Table
		want  string
	}{
		"table":         {Table{Expires: in(time.Hour)}, "expires at"},
		"partitions":    {Table{Partitions: &batch.Partitioning{Unit: batch.Day, Column: "timestamp", Expiration: time.Hour}}, "deletes partitions"},
		"hours":         {Table{Partitions: &batch.Partitioning{Unit: batch.Hour, Column: "timestamp"}}, "416 days in all"},
		"overridden":    {Table{Expires: in(100 * 365 * 24 * time.Hour), Partitions: &batch.Partitioning{Unit: batch.Day, Expiration: 100 * 365 * 24 * time.Hour}}, ""},
		"nothing":       {Table{}, ""},
		"hours that go": {Table{Partitions: &batch.Partitioning{Unit: batch.Hour, Column: "timestamp", Expiration: 60 * 365 * 24 * time.Hour}}, ""},
	} {
		c.table.Kind, c.table.Fields = "TABLE", []Field{{Name: "uuid", Type: "STRING"}}
		d, err := New(config(false, EventsModel), "acme", holding(&c.table), new(memory))
		require.NoError(t, err)
		res, err := d.Resolve(t.Context())
		require.NoError(t, err)
		if c.want == "" {
			require.Empty(t, res.Warnings, name)
		} else {
			require.Len(t, res.Warnings, 1, name)
			require.Contains(t, res.Warnings[0], c.want)
		}
	}
}

// A table that is truncated keeps its creation time: all that can be noticed is that it took rows and has none, also after a restart.
func TestA5_ATableThatIsEmptiedIsWarnedOf(t *testing.T) {
	table := &Table{Kind: "TABLE", Fields: []Field{{Name: "uuid", Type: "STRING"}}}
	for _, c := range []struct {
		rows int64
		took bool
		want int
	}{{0, false, 0}, {7, true, 0}, {0, true, 1}} {
		d, err := New(config(false, EventsModel), "acme", holding(table), &memory{took: c.took})
		require.NoError(t, err)
		table.Rows = c.rows
		res, err := d.Resolve(t.Context())
		require.NoError(t, err)
		require.Len(t, res.Warnings, c.want)
	}
}
