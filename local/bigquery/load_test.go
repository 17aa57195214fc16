package bigquery

import (
	"net/http"
	"testing"

	client "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
)

func TestLoad_AppendsRowsAndReportsThem(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	status := f.load("load-1", "events", f.upload(events(0, 10)), f.upload(events(10, 5)))
	require.NoError(t, status.Err())
	stats := status.Statistics.Details.(*client.LoadStatistics)
	require.EqualValues(t, 15, stats.OutputRows)
	require.EqualValues(t, 2, stats.InputFiles)
	require.Positive(t, stats.InputFileBytes)
	require.Positive(t, stats.OutputBytes)
	require.False(t, status.Statistics.EndTime.Before(status.Statistics.StartTime))

	require.Equal(t, [][]client.Value{{"uuid-000003", int64(0), eventTime().Add(3000), `{"i":3}`}},
		f.rows("SELECT * FROM analytics.events WHERE uuid = 'uuid-000003'"))
	md, err := f.table("events").Metadata(f.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 15, md.NumRows)
}

func TestLoad_IDIsTakenForGoodAndDataUntouched(t *testing.T) {
	f := start(t, nil)
	f.createEvents("events")
	uri := f.upload(events(0, 10))
	require.NoError(t, f.load("load-1", "events", uri).Err())
	_, err := f.loader("load-1", "events", eventSchema(), uri).Run(f.ctx)
	requireReason(t, err, http.StatusConflict, "duplicate")
	require.EqualValues(t, 10, f.count("events"))
}
