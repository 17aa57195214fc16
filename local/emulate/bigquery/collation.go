package bigquery

import (
	"slices"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// caseInsensitive is the only collation there is
// (docs.cloud.google.com/bigquery/docs/reference/standard-sql/collation-concepts#limitations).
const caseInsensitive = "und:ci"

// minTableExpiration is the least default lifetime of a dataset's tables, and the
// hours of time travel are within bounds
// (docs.cloud.google.com/bigquery/docs/reference/rest/v2/datasets, 2026-08-22).
const (
	minTableExpiration               = 3_600_000 // milliseconds
	minTravelHours, maxTravelHours   = 48, 168
	billingLogical, billingPhysical  = "LOGICAL", "PHYSICAL"
	billingUnspecified, defaultHours = "STORAGE_BILLING_MODEL_UNSPECIFIED", 168
)

// checkDataset refuses properties that a dataset cannot have, and fills in those that
// it has anyway.
func checkDataset(d *bq.Dataset) error {
	switch {
	case d.DefaultTableExpirationMs != 0 && d.DefaultTableExpirationMs < minTableExpiration:
		return invalid("Invalid value for defaultTableExpirationMs: %d; it must be at least %d", d.DefaultTableExpirationMs, minTableExpiration)
	case d.DefaultPartitionExpirationMs < 0:
		return invalid("Invalid value for defaultPartitionExpirationMs: %d", d.DefaultPartitionExpirationMs)
	case d.MaxTimeTravelHours != 0 && (d.MaxTimeTravelHours < minTravelHours || d.MaxTimeTravelHours > maxTravelHours):
		return invalid("Invalid value for maxTimeTravelHours: %d; it must be %d to %d", d.MaxTimeTravelHours, minTravelHours, maxTravelHours)
	case !slices.Contains([]string{"", billingUnspecified, billingLogical, billingPhysical}, d.StorageBillingModel):
		return invalid("Invalid value for storageBillingModel: %s", d.StorageBillingModel)
	case d.DefaultEncryptionConfiguration != nil:
		return notImplemented("default encryption keys of datasets")
	}
	if d.MaxTimeTravelHours == 0 {
		d.MaxTimeTravelHours = defaultHours
	}
	return checkCollationName(d.DefaultCollation)
}

func checkCollationName(name string) error {
	if name != "" && name != caseInsensitive {
		return invalid("Unsupported collation: %s; it must be %s or empty", name, caseInsensitive)
	}
	return nil
}

// inheritCollation gives a new table the dataset's default, unless it has its own, and
// its text columns the table's.
func inheritCollation(table *bq.Table, dataset *bq.Dataset) {
	if table.DefaultCollation == "" {
		table.DefaultCollation = dataset.DefaultCollation
	}
	inheritNewCollation(table, &bq.Table{})
}

// inheritNewCollation gives text columns that the table did not have before the
// table's default.
func inheritNewCollation(table, before *bq.Table) {
	if table.Schema == nil || table.DefaultCollation == "" {
		return
	}
	for _, field := range table.Schema.Fields {
		isNew := before.Schema == nil || fieldNamed(before.Schema, field.Name) == nil
		if isNew && field.Collation == "" && strings.EqualFold(field.Type, typeString) {
			field.Collation = table.DefaultCollation
		}
	}
}

// checkCollation refuses collations that there are not.
func checkCollation(table *bq.Table) error {
	if err := checkCollationName(table.DefaultCollation); err != nil {
		return err
	}
	for _, field := range table.Schema.Fields {
		if err := checkCollationName(field.Collation); err != nil {
			return err
		}
		if field.Collation != "" && field.Type != typeString {
			return invalid("Collation can be set for fields of type STRING only (field %s)", field.Name)
		}
	}
	return nil
}

// hasCollation tells whether text of the table compares by other rules than its bytes.
func hasCollation(table *bq.Table) bool {
	return slices.ContainsFunc(table.Schema.Fields, func(f *bq.TableFieldSchema) bool { return f.Collation != "" })
}
