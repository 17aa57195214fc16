package service

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/loader"
	"tidemark/warehouse"
)

// The rows are those of docs.cloud.google.com/bigquery/docs/locations of 2026-08-22, "Cloud Storage" under "Location
// considerations", unless they say something else.
func TestA11_LocationsByBigQuerysOwnTable(t *testing.T) {
	region := func(name string) loader.BucketLocation { return loader.BucketLocation{Name: name, Type: "region"} }
	multi := func(name string) loader.BucketLocation {
		return loader.BucketLocation{Name: name, Type: "multi-region"}
	}
	dual := func(name string, regions ...string) loader.BucketLocation {
		return loader.BucketLocation{Name: name, Type: "dual-region", Regions: regions}
	}
	for _, c := range []struct {
		bucket  loader.BucketLocation
		dataset string
		want    transfer
	}{
		{multi("US"), "US", free},
		{region("US-CENTRAL1"), "US", free},
		{dual("NAM4"), "US", free},
		{dual("US", "US-CENTRAL1", "US-WEST1"), "US", free},
		{dual("US", "US-EAST1", "US-WEST1"), "US", charged}, // named as the multi-region, and is not in it
		{region("US-WEST1"), "US", charged},                 // the page's example: Oregon
		{region("US-EAST1"), "US", charged},
		{multi("EU"), "US", charged},
		{region("EUROPE-WEST4"), "US", charged},

		{multi("EU"), "EU", free},
		{region("EUROPE-WEST4"), "EU", free},
		{dual("EUR4"), "EU", free},
		{dual("EU", "EUROPE-WEST1", "EUROPE-WEST4"), "EU", free},
		{dual("EU", "EUROPE-WEST1", "EUROPE-WEST3"), "EU", charged},
		{dual("EUR5"), "EU", charged},
		{region("EUROPE-CENTRAL2"), "EU", charged}, // the page's example: Warsaw
		{region("EUROPE-WEST1"), "EU", charged},

		{region("EUROPE-CENTRAL2"), "europe-central2", free},
		{dual("EU", "EUROPE-CENTRAL2", "EUROPE-NORTH1"), "europe-central2", free},
		{dual("ASIA1"), "asia-northeast1", free},
		{dual("ASIA1"), "asia-northeast2", free},
		{dual("NAM4"), "us-central1", free},
		{dual("EUR4"), "europe-west4", free},
		{dual("EUR4"), "europe-west1", charged},
		{multi("US"), "us-east4", charged}, // refused: airbytehq/airbyte issue 17013
		{multi("US"), "us-central1", charged},
		{multi("ASIA"), "asia-northeast3", charged}, // refused, in the notes of a public project
		{region("US-EAST1"), "asia-northeast1", charged},

		{dual("NEW9"), "EU", unknown},
		{loader.BucketLocation{}, "europe-west1", unknown},
	} {
		require.Equal(t, c.want, transferOf(c.bucket, c.dataset), "%v into %s", c.bucket, c.dataset)
	}
}

func TestA11_TheWarningSaysWhatItCostsAndWhatToDo(t *testing.T) {
	warning := func(bucket loader.BucketLocation, dataset string) string {
		var log bytes.Buffer
		(&service{log: slog.New(slog.NewTextHandler(&log, nil))}).warnOfTransfer(bucket, dataset)
		return log.String()
	}
	require.Empty(t, warning(loader.BucketLocation{Name: "EUR4", Type: "dual-region"}, "EU"), "not warned of for nothing")
	got := warning(loader.BucketLocation{Name: "US", Type: "dual-region", Regions: []string{"US-EAST1", "US-WEST1"}}, "US")
	for _, want := range []string{"per GiB", "US (US-EAST1, US-WEST1)", "US, us-central1, or a dual-region with us-central1", "TIDEMARK_BUCKET"} {
		require.Contains(t, got, want)
	}
	require.Contains(t, warning(loader.BucketLocation{Name: "US", Type: "multi-region"}, "us-east4"), "us-east4, or a dual-region with it")
	require.Contains(t, warning(loader.BucketLocation{Name: "NEW9", Type: "dual-region"}, "EU"), "does not know")
}

func TestA13_TheWarningSaysHowLongBlocksAreBilled(t *testing.T) {
	require.Contains(t, billingWarning(warehouse.Storage{Physical: true, TimeTravel: 48 * time.Hour}), "for 2 days of time travel and 7 more of fail-safe")
	require.Contains(t, billingHint("acme", "posthog"), "ALTER SCHEMA `acme.posthog` SET OPTIONS (storage_billing_model = 'LOGICAL')")
}
