package bigquery

import (
	"net/http"
	"testing"
	"time"

	client "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
)

// A4: docs.cloud.google.com/bigquery/docs/updating-datasets: what a new table gets by
// default, and what overrides it.
func TestA4_DefaultExpirationsAreInheritedAtCreation(t *testing.T) {
	clock := newClock()
	f := start(t, func(c *Config) { c.Now = clock.now })
	day := &client.TimePartitioning{Field: "timestamp"}
	own := func() *client.TimePartitioning {
		return &client.TimePartitioning{Field: "timestamp", Expiration: time.Hour}
	}
	far := clock.now().Add(1000 * time.Hour).Truncate(time.Millisecond)
	at := func(d time.Duration) time.Time { return clock.now().Add(d).Truncate(time.Millisecond) }
	for name, c := range map[string]struct {
		dataset    client.DatasetMetadata
		table      client.TableMetadata
		expiration time.Time
		partitions time.Duration
	}{
		"nothing":                {},
		"table":                  {client.DatasetMetadata{DefaultTableExpiration: 2 * time.Hour}, client.TableMetadata{}, at(2 * time.Hour), 0},
		"table of a partitioned": {client.DatasetMetadata{DefaultTableExpiration: 2 * time.Hour}, client.TableMetadata{TimePartitioning: day}, at(2 * time.Hour), 0},
		"explicit":               {client.DatasetMetadata{DefaultTableExpiration: 2 * time.Hour}, client.TableMetadata{ExpirationTime: far}, far, 0},
		"partitions":             {client.DatasetMetadata{DefaultPartitionExpiration: 3 * time.Hour}, client.TableMetadata{TimePartitioning: day}, time.Time{}, 3 * time.Hour},
		"partitions of none":     {client.DatasetMetadata{DefaultPartitionExpiration: 3 * time.Hour}, client.TableMetadata{}, time.Time{}, 0},
		"both":                   {client.DatasetMetadata{DefaultTableExpiration: 2 * time.Hour, DefaultPartitionExpiration: 3 * time.Hour}, client.TableMetadata{TimePartitioning: day}, time.Time{}, 3 * time.Hour},
		"both, explicit":         {client.DatasetMetadata{DefaultTableExpiration: 2 * time.Hour, DefaultPartitionExpiration: 3 * time.Hour}, client.TableMetadata{TimePartitioning: own(), ExpirationTime: far}, far, time.Hour},
	} {
		dataset := f.client.Dataset("d")
		require.NoError(t, dataset.Create(f.ctx, &c.dataset))
		c.table.Schema = eventSchema()
		require.NoError(t, dataset.Table("t").Create(f.ctx, &c.table))
		got, err := dataset.Table("t").Metadata(f.ctx)
		require.NoError(t, err)
		require.True(t, c.expiration.Equal(got.ExpirationTime), "%s: %s", name, got.ExpirationTime)
		if got.TimePartitioning != nil {
			require.Equal(t, c.partitions, got.TimePartitioning.Expiration, name)
		}
		require.NoError(t, dataset.DeleteWithContents(f.ctx))
	}
}

// A4: a default that is changed is for new tables only, and both really expire; DDL
// gets the defaults as well.
func TestA4_TablesOfADatasetExpire(t *testing.T) {
	clock := newClock()
	f := start(t, func(c *Config) { c.Now = clock.now })
	f.createEvents("old")
	dataset := f.client.Dataset(testDataset)
	_, err := dataset.Update(f.ctx, client.DatasetMetadataToUpdate{DefaultTableExpiration: time.Hour}, "")
	require.NoError(t, err)
	f.createEvents("new")
	f.exec("CREATE TABLE analytics.ddl (id INT64)")
	f.exec("CREATE TABLE analytics.explicit (id INT64) OPTIONS (expiration_timestamp = TIMESTAMP '2100-01-01')")
	f.exec("ALTER TABLE analytics.ddl SET OPTIONS (expiration_timestamp = NULL)")
	clock.advance(time.Hour)
	for name, there := range map[string]bool{"old": true, "new": false, "ddl": true, "explicit": true} {
		_, err := f.table(name).Metadata(f.ctx)
		if there {
			require.NoError(t, err, name)
		} else {
			requireReason(t, err, http.StatusNotFound, "notFound")
		}
	}
	_, err = dataset.Update(f.ctx, client.DatasetMetadataToUpdate{DefaultTableExpiration: time.Minute}, "")
	requireReason(t, err, http.StatusBadRequest, "invalid")
}

// A1, A4: docs.cloud.google.com/bigquery/docs/managing-partitioned-tables#partition-expiration:
// rows go when their partition's boundary is that long ago; the partition counts until
// it is removed.
func TestA4_PartitionsExpireAndCountForAWhile(t *testing.T) {
	clock := newClock()
	f := start(t, func(c *Config) { c.Now, c.ExpiredPartitions, c.Limits.PartitionsPerTable = clock.now, 48*time.Hour, 3 })
	today := clock.now().UTC().Truncate(24 * time.Hour)
	require.NoError(t, f.table("events").Create(f.ctx, &client.TableMetadata{
		Schema: eventSchema(), TimePartitioning: &client.TimePartitioning{Field: "timestamp", Expiration: 24 * time.Hour},
	}))
	days := f.at(steps(today, 3, nextDay)...)
	require.NoError(t, f.load("load", "events", days).Err())
	require.EqualValues(t, 3, f.count("events"))
	advance := func(to time.Time) { clock.advance(to.Sub(clock.now())) }
	advance(today.Add(48*time.Hour - time.Second)) // the first partition ends a day later, and is kept for one more
	require.EqualValues(t, 3, f.count("events"))
	advance(today.Add(48 * time.Hour))
	require.EqualValues(t, 2, f.count("events"))
	require.EqualValues(t, 3, f.partitions("events"), "it is not removed yet")
	status := f.load("fourth", "events", f.at(today.AddDate(0, 0, 3)))
	require.ErrorContains(t, status.Err(), "exceeding limit 3")
	clock.advance(48 * time.Hour)
	require.Zero(t, f.count("events"), "the others have expired meanwhile")
	require.EqualValues(t, 2, f.partitions("events"))
	clock.advance(48 * time.Hour)
	require.Zero(t, f.partitions("events"))
	require.NoError(t, f.load("fourth-2", "events", f.at(today.AddDate(0, 0, 6))).Err())
	require.NoError(t, f.load("outdated", "events", f.at(today.AddDate(0, 0, -1))).Err())
	require.EqualValues(t, 1, f.count("events"), "an old partition expires at once")
	md, err := f.table("events").Metadata(f.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, md.NumRows)
}
