package merge

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
	"tidemark/model"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// Every statement this package can send has a golden file; module sqlcheck has GoogleSQL analyze them.
func TestInsertSQL_Golden(t *testing.T) {
	for name, keep := range map[string]func(model.Column) bool{
		"insert_created_columns.sql": func(c model.Column) bool { return c.Created },
		"insert_all_columns.sql":     func(model.Column) bool { return true },
		"insert_few_columns.sql":     func(c model.Column) bool { return c.Name == "uuid" || c.Name == "set" },
	} {
		tgt := batch.Target{Project: "acme-prod", Dataset: "posthog", Table: "events"}
		for _, c := range model.EventColumns() {
			if !keep(c) {
				continue
			}
			typ := c.Type.String()
			if c.JSON {
				typ = batch.JSONType
			}
			tgt.Columns = append(tgt.Columns, batch.Column{Name: c.Name, Type: typ})
		}
		got, err := insertSQL(tgt, "tidemark_stage_0198f0a37c1e700080000123456789ab_0123456789abcdef_1")
		require.NoError(t, err)
		golden(t, name, got)
	}
}

func TestInsertSQL_RefusesNamesThatWouldNeedEscaping(t *testing.T) {
	good := batch.Target{Project: "example.com:proj-1", Dataset: "ds", Table: "my-events", Columns: []batch.Column{{Name: "uuid", Type: "STRING"}}}
	_, err := insertSQL(good, "stage")
	require.NoError(t, err)
	for _, change := range []func(*batch.Target){
		func(t *batch.Target) { t.Project = "p`" },
		func(t *batch.Target) { t.Dataset = "d s" },
		func(t *batch.Target) { t.Dataset = "a.b" },
		func(t *batch.Target) { t.Table = "" },
		func(t *batch.Target) { t.Table = "t\\" },
		func(t *batch.Target) { t.Columns = []batch.Column{{Name: "a, b"}} },
		func(t *batch.Target) { t.Columns = []batch.Column{{Name: "é"}} },
	} {
		bad := good
		change(&bad)
		_, err := insertSQL(bad, "stage")
		require.ErrorContains(t, err, "characters other than")
	}
}

// personColumns are all columns of a persons table, or those that keep says, with properties of a type.
func personColumns(properties string, keep func(model.Column) bool) (columns []batch.Column) {
	for _, c := range model.PersonColumns() {
		if keep != nil && !keep(c) {
			continue
		}
		typ := c.Type.String()
		if c.JSON {
			typ = properties
		}
		columns = append(columns, batch.Column{Name: c.Name, Type: typ})
	}
	return columns
}

func TestMergeSQL_Golden(t *testing.T) {
	created := func(c model.Column) bool { return c.Created }
	needed := func(c model.Column) bool {
		return c.Created && !c.JSON && c.Name != "created_at" && c.Name != "is_deleted"
	}
	both := batch.Keys{FirstTeam: 2, LastTeam: 2, FirstPerson: "0", LastPerson: "1", FirstDistinctID: "a", LastDistinctID: "b"}
	for name, c := range map[string]struct {
		columns []batch.Column
		remove  bool
		keys    batch.Keys
	}{
		"merge_created_columns.sql":      {personColumns("STRING", created), false, both},
		"merge_created_columns_json.sql": {personColumns(batch.JSONType, created), false, both},
		"merge_all_columns_remove.sql":   {personColumns(batch.JSONType, nil), true, both},
		"merge_beside_older_version.sql": {personColumns("STRING", created), false, both},
		"merge_ranges.sql": {personColumns("STRING", created), false, batch.Keys{
			Persons: []batch.KeyRange{{FirstTeam: 2, LastTeam: 2, First: "0", Last: "1"}, {FirstTeam: 2, LastTeam: 2, First: "7", Last: "8"}, {FirstTeam: 5, LastTeam: 9, First: "0", Last: "f"}}, DistinctIDs: []batch.KeyRange{{FirstTeam: 2, LastTeam: 2, First: "a", Last: "b"}, {FirstTeam: 12, LastTeam: 12, First: "x", Last: "x"}}}},
		"merge_few_columns.sql":        {personColumns("", needed), false, both},
		"merge_few_columns_remove.sql": {personColumns("", needed), true, both},
		"merge_persons_only.sql":       {personColumns("STRING", created), false, batch.Keys{FirstPerson: "0", LastPerson: "1"}},
		"merge_mappings_only.sql":      {personColumns("STRING", created), false, batch.Keys{FirstDistinctID: "0", LastDistinctID: "1"}},
	} {
		tgt := batch.Target{Project: "acme-prod", Dataset: "posthog", Table: "persons", StatusTable: "tidemark_status", Columns: c.columns, RemoveDeleted: c.remove}
		got, err := mergeSQL(tgt, "tidemark_stage_0198f0a37c1e700080000123456789ab_0123456789abcdef_1", c.keys, name == "merge_beside_older_version.sql")
		require.NoError(t, err)
		golden(t, name, got)
	}
}

func TestDeriveSQL_Golden(t *testing.T) {
	created := func(c model.Column) bool { return c.Created }
	tgt := batch.Target{Project: "acme-prod", Dataset: "posthog", Table: "persons", StatusTable: "tidemark_status"}
	for name, c := range map[string]struct {
		columns []batch.Column
		remove  bool
	}{
		"derive_created_columns.sql":         {personColumns("STRING", created), false},
		"derive_all_columns_json_remove.sql": {personColumns(batch.JSONType, nil), true},
	} {
		tgt.Columns, tgt.RemoveDeleted = c.columns, c.remove
		got, err := deriveSQL(tgt, false)
		require.NoError(t, err)
		golden(t, name, got)
	}
}

func TestViewSQL_Golden(t *testing.T) {
	created := func(c model.Column) bool { return c.Created }
	tgt := batch.Target{Project: "acme-prod", Dataset: "posthog", Table: "persons", StatusTable: "tidemark_status", View: true}
	both := batch.Keys{FirstTeam: 2, LastTeam: 2, FirstPerson: "0", LastPerson: "1", FirstDistinctID: "a", LastDistinctID: "b"}
	for name, c := range map[string]struct {
		columns []batch.Column
		remove  bool
	}{
		"view_created_columns.sql":         {personColumns("STRING", created), false},
		"view_all_columns_json_remove.sql": {personColumns(batch.JSONType, nil), true},
	} {
		tgt.Columns, tgt.RemoveDeleted = c.columns, c.remove
		got, err := viewSQL(tgt)
		require.NoError(t, err)
		golden(t, name, got)
	}
	tgt.Columns, tgt.RemoveDeleted = personColumns("STRING", created), true
	got, err := mergeSQL(tgt, "tidemark_stage_0198f0a37c1e700080000123456789ab_0123456789abcdef_1", both, false)
	require.NoError(t, err)
	golden(t, "merge_view_remove.sql", got)
	got, err = seedSQL(tgt, false)
	require.NoError(t, err)
	golden(t, "seed_view.sql", got)
}

func TestSeedSQL_Golden(t *testing.T) {
	needed := func(c model.Column) bool {
		return strings.Contains(c.Name, "_id") && c.Name != "is_identified" || c.Name == "person_version"
	}
	for name, c := range map[string]struct {
		columns []batch.Column
		remove  bool
	}{
		"seed_all_columns.sql":             {personColumns("STRING", nil), false},
		"seed_all_columns_json_remove.sql": {personColumns(batch.JSONType, nil), true},
		"seed_beside_older_version.sql":    {personColumns("STRING", nil), false},
		"seed_few_columns.sql":             {personColumns("", needed), false},
	} {
		tgt := batch.Target{Project: "acme-prod", Dataset: "posthog", Table: "persons", StatusTable: "tidemark_status", Columns: c.columns, RemoveDeleted: c.remove}
		got, err := seedSQL(tgt, name == "seed_beside_older_version.sql")
		require.NoError(t, err)
		golden(t, name, got)
	}
}

func TestStatusSQL_Golden(t *testing.T) {
	tgt := batch.Target{Project: "acme-prod", Dataset: "posthog", Table: "persons", StatusTable: "tidemark_status"}
	fence, err := named(fenceRowSQL, tgt)
	require.NoError(t, err)
	golden(t, "fence_row.sql", fence)
	row, err := statusRowSQL(tgt)
	require.NoError(t, err)
	golden(t, "status_row.sql", row)
	publish, err := publishSQL(tgt, false, false)
	require.NoError(t, err)
	golden(t, "status_publish.sql", publish)
	publish, err = publishSQL(tgt, true, true)
	require.NoError(t, err)
	golden(t, "status_publish_batch.sql", publish)
}

func TestMergeSQL_RefusesNamesThatWouldNeedEscaping(t *testing.T) {
	good := batch.Target{Project: "p", Dataset: "ds", Table: "persons", StatusTable: "s", Columns: personColumns("STRING", nil)}
	_, err := mergeSQL(good, "stage", batch.Keys{}, true)
	require.NoError(t, err)
	for _, change := range []func(*batch.Target){
		func(t *batch.Target) { t.Table = "p`" },
		func(t *batch.Target) { t.StatusTable = "" },
		func(t *batch.Target) { t.Columns = []batch.Column{{Name: "a, b"}} },
	} {
		bad := good
		change(&bad)
		_, err := mergeSQL(bad, "stage", batch.Keys{}, true)
		require.ErrorContains(t, err, "characters other than")
	}
}

// golden compares with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), got), name)
}
