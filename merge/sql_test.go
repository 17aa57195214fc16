package merge

import (
	"flag"
	"os"
	"path/filepath"
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
		file := filepath.Join("testdata", name)
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(string(want), got), name)
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
