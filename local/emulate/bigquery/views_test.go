package bigquery

import (
	"net/http"
	"testing"

	client "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
)

// A view is read as what its tables hold at that moment, also after a restart, and takes no rows.
func TestView_IsReadAndNotWritten(t *testing.T) {
	dir := t.TempDir()
	configure := func(c *Config) { c.Dir = dir }
	f := start(t, configure)
	f.exec("CREATE TABLE analytics.ids (team_id INT64, id STRING)")
	query := &client.TableMetadata{ViewQuery: "SELECT team_id, CONCAT(id, '!') AS loud FROM `" + testProject + ".analytics.ids`"}
	require.NoError(t, f.table("v").Create(f.ctx, query))
	requireReason(t, f.table("v").Create(f.ctx, query), http.StatusConflict, "duplicate")
	f.exec("INSERT INTO analytics.ids (team_id, id) VALUES (1, 'a')")
	for range 2 {
		require.Equal(t, [][]client.Value{{int64(1), "a!"}}, f.rows("SELECT team_id, loud FROM analytics.v"))
		md, err := f.table("v").Metadata(f.ctx)
		require.NoError(t, err)
		require.Equal(t, client.ViewTable, md.Type)
		require.Len(t, md.Schema, 2)
		for _, sql := range []string{"INSERT INTO analytics.v (team_id) VALUES (1)", "UPDATE analytics.v SET team_id = 1 WHERE TRUE", "DELETE FROM analytics.v WHERE TRUE"} {
			_, err := f.tryRows(sql)
			require.ErrorContains(t, err, "it is a VIEW", sql)
		}
		f.restart(configure)
	}
	require.NoError(t, f.table("v").Delete(f.ctx))
	require.Equal(t, [][]client.Value{{int64(1), "a"}}, f.rows("SELECT team_id, id FROM analytics.ids"))
	require.Error(t, f.table("w").Create(f.ctx, &client.TableMetadata{ViewQuery: "SELECT 1 FROM analytics.none"}))
}
