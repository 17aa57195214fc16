package service

import (
	"fmt"
	"slices"
	"strings"

	"tidemark/loader"
)

// dualRegions are the pairs that have names of their own (cloud.google.com/storage/docs/locations, 2026-09). In any other
// dual-region somebody has chosen the regions, and the bucket says which.
var dualRegions = map[string][]string{
	"asia1": {"asia-northeast1", "asia-northeast2"},
	"eur4":  {"europe-north1", "europe-west4"},
	"eur5":  {"europe-west1", "europe-west2"},
	"eur7":  {"europe-west2", "europe-west3"},
	"eur8":  {"europe-west3", "europe-west6"},
	"nam4":  {"us-central1", "us-east1"},
}

// homes are the regions that BigQuery reads for nothing into a dataset in a multi-region, besides buckets in the multi-region
// itself.
var homes = map[string]string{"us": "us-central1", "eu": "europe-west4"}

// transfer is what becomes of the bytes between a bucket and a dataset.
type transfer uint8

const (
	free    transfer = iota
	charged          // per byte, or the load is refused
	unknown          // tidemark does not know the dual-region, or the bucket does not say where it is
)

// transferOf follows docs.cloud.google.com/bigquery/docs/locations ("Load Cloud Storage data into BigQuery" and the section on
// queries that it refers to, 2026-08-22): what is not in one location is charged, although it may lie in the same multi-region.
// Loads from a multi-region into a region have been refused (airbytehq/airbyte issue 17013).
func transferOf(bucket loader.BucketLocation, dataset string) transfer {
	name, dataset := strings.ToLower(bucket.Name), strings.ToLower(dataset)
	regions := []string{name}
	switch pair, known := dualRegions[name]; {
	case len(bucket.Regions) > 0:
		regions = nil
		for _, r := range bucket.Regions {
			regions = append(regions, strings.ToLower(r))
		}
	case known:
		regions = pair
	case name == "", strings.EqualFold(bucket.Type, "dual-region"):
		return unknown
	}
	if slices.Contains(regions, dataset) || slices.Contains(regions, homes[dataset]) {
		return free
	}
	return charged
}

// where names a bucket's location, with the regions of a dual-region.
func where(bucket loader.BucketLocation) string {
	if len(bucket.Regions) == 0 {
		return bucket.Name
	}
	return fmt.Sprintf("%s (%s)", bucket.Name, strings.Join(bucket.Regions, ", "))
}

// freeBuckets says where a bucket has to be for loads into a dataset to cost nothing.
func freeBuckets(dataset string) string {
	if home := homes[strings.ToLower(dataset)]; home != "" {
		return fmt.Sprintf("%s, %s, or a dual-region with %s", strings.ToUpper(dataset), home, home)
	}
	return fmt.Sprintf("%s, or a dual-region with it", strings.ToLower(dataset))
}

// warnOfTransfer tells of a bucket from which loads are not free.
func (s *service) warnOfTransfer(bucket loader.BucketLocation, dataset string) {
	args := []any{"bucket", s.cfg.Loader.Bucket, "bucket_location", where(bucket), "dataset", s.cfg.Destination.Dataset, "dataset_location", dataset,
		"hint", "loads cost nothing from a bucket in " + freeBuckets(dataset) + "; TIDEMARK_BUCKET can be changed when no batch is on its way (tidemark batches)"}
	switch transferOf(bucket, dataset) {
	case free:
	case charged:
		s.log.Warn("bucket and dataset are in different locations: each load is charged as data transfer, from about $0.02 per GiB (cloud.google.com/storage/pricing#network-buckets), or refused", args...)
	case unknown:
		s.log.Warn("tidemark does not know where the bucket keeps its objects: loads may be charged as data transfer, or refused", args...)
	}
}
