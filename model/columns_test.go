package model

import (
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/stretchr/testify/require"
)

func TestEventColumns_AreTheDocumentedOnesFirst(t *testing.T) {
	var created, others, documents []string
	for _, c := range EventColumns() {
		if c.Created {
			require.Empty(t, others, "%s comes too late", c.Name)
			created = append(created, c.Name+" "+c.Type.String())
		} else {
			others = append(others, c.Name+" "+c.Type.String())
		}
		if c.JSON {
			require.Equal(t, String, c.Type)
			documents = append(documents, c.Name)
		}
		require.NotEmpty(t, c.Description, c.Name)
	}
	require.Equal(t, []string{"uuid STRING", "event STRING", "properties STRING", "elements STRING", "set STRING", "set_once STRING",
		"distinct_id STRING", "team_id INT64", "ip STRING", "site_url STRING", "timestamp TIMESTAMP", "bq_ingested_timestamp TIMESTAMP"}, created)
	require.Equal(t, []string{"person_id STRING", "person_properties STRING", "person_mode STRING", "created_at TIMESTAMP", "elements_chain STRING",
		"historical_migration BOOL", "_kafka_topic STRING", "_kafka_partition INT64", "_kafka_offset INT64", "_kafka_timestamp TIMESTAMP"}, others)
	require.Equal(t, []string{"properties", "set", "set_once", "person_properties"}, documents)
}

func TestSchema_IsNullableAndInOrder(t *testing.T) {
	cols := selected(true)
	schema := Schema(cols)
	require.Equal(t, len(cols), schema.NumFields())
	for i, f := range schema.Fields() {
		require.Equal(t, cols[i].Name, f.Name)
		require.True(t, f.Nullable)
		require.True(t, arrow.TypeEqual(cols[i].Type.Arrow(), f.Type))
	}
}

func TestType_Names(t *testing.T) {
	for typ, want := range map[Type][2]string{
		String: {"STRING", "utf8"}, Int64: {"INT64", "int64"}, Bool: {"BOOL", "bool"},
		Timestamp: {"TIMESTAMP", "timestamp[us, tz=UTC]"}, Bytes: {"BYTES", "binary"},
	} {
		require.Equal(t, want, [2]string{typ.String(), typ.Arrow().String()})
	}
	require.Equal(t, "UNKNOWN", Type(0).String())
	require.Nil(t, Type(0).Arrow())
}
