package probe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	bq "google.golang.org/api/bigquery/v2"
)

// P0: the environment that the configuration names.
var (
	noExpiration = question{
		ID:        "P0a",
		Assumes:   "the dataset has no default expiration of tables or partitions",
		Confirmed: "tables that tidemark makes live until a person drops them",
		Different: "tables made here without an expiration of their own expire, and events' partitions with them: remove the defaults (ALTER SCHEMA … SET OPTIONS), or set the expiration of tidemark's tables by hand",
		Unknown:   "look at the dataset's details in the console: a default expiration deletes rows that have been committed",
	}
	plainStrings = question{
		ID:        "P0b",
		Assumes:   "the dataset has no default collation and its names are case-sensitive",
		Confirmed: "distinct ids are told apart by every byte",
		Different: "distinct ids that differ in case only would be merged into one person: use a dataset without defaultCollation and without isCaseInsensitive",
		Unknown:   "use a dataset without defaultCollation and without isCaseInsensitive",
	}
	freeTransfer = question{
		ID:        "P0c",
		Assumes:   "loads from the bucket into the dataset cross no location",
		Confirmed: "loads are free of charge",
		Different: "loads are charged as a transfer between locations, or refused: use a bucket in the dataset's location",
		Unknown:   "use a bucket in the dataset's location; tidemark warns at start where it can tell that they differ",
	}
	logicalBilling = question{
		ID:        "P0d",
		Assumes:   "storage is billed by logical bytes",
		Confirmed: "blocks that merges rewrite cost no storage",
		Different: "every block that a merge rewrites is billed for the time travel window and seven days more: set the billing model to LOGICAL, or max_time_travel_hours to 48",
		Unknown:   "look at the dataset's storage billing model",
	}
	keptObjects = question{
		ID:        "P0e",
		Assumes:   "no lifecycle rule of the bucket deletes the marks of groups and tables, or parts and manifests within a week",
		Confirmed: "what tidemark needs stays for as long as it may need it",
		Different: "a rule deletes what tidemark needs to go on after an outage: keep groups/ and tables/, and parts/ and batches/ for longer than any outage (deploy/lifecycle.json)",
		Unknown:   "compare the bucket's lifecycle rules with deploy/lifecycle.json",
	}
	bucketRights = question{
		ID:        "P0f",
		Assumes:   "this identity may create, get and list objects and get the bucket",
		Confirmed: "nothing is missing on the bucket",
		Different: "grant what is missing on the bucket",
		Unknown:   "tidemark run says at start what it is refused",
	}
	tableRights = question{
		ID:        "P0g",
		Assumes:   "this identity may get, read, change and drop tables of the dataset",
		Confirmed: "nothing is missing on tables",
		Different: "grant what is missing on the dataset",
		Unknown:   "tidemark run says at start what it is refused",
	}
)

func environmentQuestions() []question {
	return []question{noExpiration, plainStrings, freeTransfer, logicalBilling, keptObjects, bucketRights, tableRights}
}

// environment asks P0.
func (r *run) environment(ctx context.Context) error {
	var dataset *bq.Dataset
	err := r.request(ctx, func(ctx context.Context) (err error) {
		dataset, err = r.svc.BigQuery.Datasets.Get(r.cfg.Project, r.cfg.Dataset).Context(ctx).Do()
		return err
	})
	if err != nil {
		return fmt.Errorf("look at dataset %s: %w", r.cfg.Dataset, err)
	}
	r.answerDataset(dataset)
	if err := r.try(ctx, tableRights, func() error { return r.askTableRights(ctx) }); err != nil {
		return err
	}
	if err := r.try(ctx, bucketRights, func() error { return r.askBucketRights(ctx) }); err != nil {
		return err
	}
	var bucket *storage.BucketAttrs
	err = r.request(ctx, func(ctx context.Context) (err error) {
		bucket, err = r.svc.Storage.Bucket(r.cfg.Loader.Bucket).Attrs(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("look at bucket %s: %w", r.cfg.Loader.Bucket, err)
	}
	r.answerBucket(bucket, dataset.Location)
	return nil
}

func (r *run) answerDataset(d *bq.Dataset) {
	r.settle(noExpiration, d.DefaultTableExpirationMs == 0 && d.DefaultPartitionExpirationMs == 0,
		"tables: %s; partitions: %s", orNone(d.DefaultTableExpirationMs), orNone(d.DefaultPartitionExpirationMs))
	collation := d.DefaultCollation
	if collation == "" {
		collation = "none"
	}
	r.settle(plainStrings, d.DefaultCollation == "" && !d.IsCaseInsensitive, "default collation: %s; case-insensitive: %t", collation, d.IsCaseInsensitive)
	model := d.StorageBillingModel
	if model == "" || model == "STORAGE_BILLING_MODEL_UNSPECIFIED" {
		model = "LOGICAL (by default)"
	}
	travel := "168 (by default)"
	if d.MaxTimeTravelHours != 0 {
		travel = fmt.Sprint(d.MaxTimeTravelHours)
	}
	r.settle(logicalBilling, strings.HasPrefix(model, "LOGICAL"), "billing model: %s; time travel: %s hours", model, travel)
}

// orNone is a number of milliseconds in words.
func orNone(millis int64) string {
	if millis == 0 {
		return "no default expiration"
	}
	return "expire after " + (time.Duration(millis) * time.Millisecond).String()
}

func (r *run) answerBucket(b *storage.BucketAttrs, dataset string) {
	var pair []string
	if b.CustomPlacementConfig != nil {
		pair = b.CustomPlacementConfig.DataLocations
	}
	where := b.Location
	if len(pair) > 0 {
		where += " (" + strings.Join(pair, ", ") + ")"
	}
	r.settle(freeTransfer, isFree(b.Location, pair, dataset), "bucket: %s %s; dataset: %s", b.LocationType, where, dataset)
	soft := "off"
	if p := b.SoftDeletePolicy; p != nil && p.RetentionDuration > 0 {
		soft = p.RetentionDuration.String()
	}
	harmful := harmfulRules(b.Lifecycle.Rules, r.cfg.Loader.Prefix)
	found := "none"
	if len(harmful) > 0 {
		found = strings.Join(harmful, "; ")
	}
	r.settle(keptObjects, len(harmful) == 0, "rules that do: %s, of %d rules; deleted objects are kept for: %s (soft delete)", found, len(b.Lifecycle.Rules), soft)
}

// isFree says whether BigQuery reads the bucket without a charge: both are in one location, the dataset is in a multi-region
// and the bucket where that is served from, or the bucket's pair of regions contains the dataset's
// (cloud.google.com/bigquery/docs/batch-loading-data, data location considerations, 2026-08-22).
func isFree(bucket string, pair []string, dataset string) bool {
	bucket, dataset = strings.ToUpper(bucket), strings.ToUpper(dataset)
	regions := []string{bucket}
	for _, region := range pair {
		regions = append(regions, strings.ToUpper(region))
	}
	switch bucket { // the pairs with a name of their own (cloud.google.com/storage/docs/locations)
	case "NAM4":
		regions = append(regions, "US-CENTRAL1", "US-EAST1")
	case "EUR4":
		regions = append(regions, "EUROPE-NORTH1", "EUROPE-WEST4")
	case "ASIA1":
		regions = append(regions, "ASIA-NORTHEAST1", "ASIA-NORTHEAST2")
	}
	served := map[string]string{"US": "US-CENTRAL1", "EU": "EUROPE-WEST4"}[dataset]
	return slices.Contains(regions, dataset) || served != "" && slices.Contains(regions, served)
}

// shortestOutage is for how long parts and manifests must stay at least: Kafka's own default retention.
const shortestOutage = 7 // days

// harmfulRules describes the rules that delete what tidemark needs.
func harmfulRules(rules []storage.LifecycleRule, prefix string) (found []string) {
	for _, rule := range rules {
		if rule.Action.Type != storage.DeleteAction {
			continue
		}
		for _, folder := range []struct {
			name string
			days int64 // from which on it may be deleted; 0 is never
		}{{"groups/", 0}, {"tables/", 0}, {"parts/", shortestOutage}, {"batches/", shortestOutage}} {
			c := rule.Condition
			name := prefix + "/" + folder.name
			if reaches(c, name) && (folder.days == 0 || c.AgeInDays < folder.days) {
				found = append(found, fmt.Sprintf("one deletes objects under %s at an age of %d days", name, c.AgeInDays))
			}
		}
	}
	return found
}

// reaches tells whether a rule may meet live objects under the folder. Suffixes and storage classes may narrow it down: then it may.
func reaches(c storage.LifecycleCondition, folder string) bool {
	onlyOld := c.Liveness == storage.Archived || c.NumNewerVersions > 0 || c.DaysSinceNoncurrentTime > 0 || !c.NoncurrentTimeBefore.IsZero()
	if onlyOld {
		return false // of versions that were overwritten or deleted, which tidemark does to none
	}
	if len(c.MatchesPrefix) == 0 {
		return true
	}
	return slices.ContainsFunc(c.MatchesPrefix, func(p string) bool {
		return strings.HasPrefix(folder, p) || strings.HasPrefix(p, folder)
	})
}

func (r *run) askBucketRights(ctx context.Context) error {
	granted, err := r.bucketRights(ctx)
	if err != nil {
		return err
	}
	wanted := []string{"storage.objects.create", "storage.objects.get", "storage.objects.list", "storage.buckets.get"}
	r.settle(bucketRights, containsAll(granted, wanted), "%s; storage.objects.delete: %t", missing(granted, wanted), slices.Contains(granted, objectsDelete))
	return nil
}

const objectsDelete = "storage.objects.delete"

// bucketRights are the permissions on the bucket that the identity has, of those tidemark knows.
func (r *run) bucketRights(ctx context.Context) (granted []string, err error) {
	asked := []string{"storage.objects.create", "storage.objects.get", "storage.objects.list", "storage.buckets.get", objectsDelete}
	err = r.request(ctx, func(ctx context.Context) (err error) {
		granted, err = r.svc.Storage.Bucket(r.cfg.Loader.Bucket).IAM().TestPermissions(ctx, asked)
		return err
	})
	return granted, err
}

func (r *run) askTableRights(ctx context.Context) error {
	table, err := r.create(ctx, "rights", &bq.Table{Schema: columns("id STRING")})
	if err != nil {
		return err
	}
	wanted := []string{"bigquery.tables.get", "bigquery.tables.getData", "bigquery.tables.updateData", "bigquery.tables.update", "bigquery.tables.delete"}
	ref := table.TableReference
	resource := fmt.Sprintf("projects/%s/datasets/%s/tables/%s", ref.ProjectId, ref.DatasetId, ref.TableId)
	var reply *bq.TestIamPermissionsResponse
	err = r.request(ctx, func(ctx context.Context) (err error) {
		reply, err = r.svc.BigQuery.Tables.TestIamPermissions(resource, &bq.TestIamPermissionsRequest{Permissions: wanted}).Context(ctx).Do()
		return err
	})
	if err != nil {
		return err
	}
	r.settle(tableRights, containsAll(reply.Permissions, wanted), "%s", missing(reply.Permissions, wanted))
	return nil
}

func containsAll(granted, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(w string) bool { return !slices.Contains(granted, w) })
}

// missing names the permissions that are wanted and not granted.
func missing(granted, wanted []string) string {
	var lacking []string
	for _, w := range wanted {
		if !slices.Contains(granted, w) {
			lacking = append(lacking, w)
		}
	}
	if len(lacking) == 0 {
		return "granted: " + strings.Join(wanted, ", ")
	}
	return "missing: " + strings.Join(lacking, ", ")
}
