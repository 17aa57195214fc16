package model

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func named(cols []Column, which func(Column) bool) []string {
	var names []string
	for _, c := range cols {
		if which(c) {
			names = append(names, c.Name+" "+c.Type.String())
		}
	}
	return names
}

func TestPersonColumns_AreTheDocumentedOnesFirst(t *testing.T) {
	created := []string{"team_id INT64", "distinct_id STRING", "person_id STRING", "properties STRING", "person_distinct_id_version INT64",
		"person_version INT64", "created_at TIMESTAMP", "is_deleted BOOL"}
	further := []string{"is_identified BOOL", "bq_ingested_timestamp TIMESTAMP"}
	cols := PersonColumns()
	require.Equal(t, append(created, further...), named(cols, func(Column) bool { return true }))
	require.Equal(t, created, named(cols, func(c Column) bool { return c.Created }))
	require.Equal(t, []string{"properties STRING"}, named(cols, func(c Column) bool { return c.JSON }))
	require.Empty(t, named(cols, func(c Column) bool { return c.Description == "" }))
}

func TestChangeColumns(t *testing.T) {
	cols := ChangeColumns()
	require.Equal(t, []string{"team_id INT64", "person_id STRING", "distinct_id STRING", "version INT64", "is_deleted BOOL",
		"properties STRING", "created_at TIMESTAMP", "is_identified BOOL"}, named(cols, func(c Column) bool { return c.Created }))
	require.Len(t, cols, 8)
	require.Equal(t, []string{"properties STRING"}, named(cols, func(c Column) bool { return c.JSON }))
	require.Empty(t, named(cols, func(c Column) bool { return c.Description == "" }))
}
