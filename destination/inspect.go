package destination

import (
	"fmt"
	"time"

	"tidemark/batch"
)

// longLife is from how long on an expiration is taken for none: what tidemark makes gets one of a hundred years where the
// dataset's default is shorter.
const longLife = 50 * 365 * 24 * time.Hour

// unmergeable says what about a table, or its dataset, would make merges fail or, worse, take two keys for one.
func unmergeable(name string, t Table, ds Dataset) (faults []string) {
	if t.FilterRequired {
		faults = append(faults, fmt.Sprintf("it has require_partition_filter, and rows are merged without such a filter; want ALTER TABLE `%s` SET OPTIONS (require_partition_filter = FALSE)", name))
	}
	if p := t.Partitions; p != nil && (p.Unit == batch.Hour || p.Unit == batch.Day) && p.Column != "" {
		faults = append(faults, fmt.Sprintf("it is partitioned by %s of %s, and one merge may change at most %d partitions; want a table that is partitioned by MONTH or not at all", p.Unit, p.Column, batch.JobPartitions))
	}
	for _, f := range t.Fields {
		if f.Collation != "" {
			faults = append(faults, fmt.Sprintf("column %s has the collation %s, under which ids that differ in case are one; want a table without collations", f.Name, f.Collation))
		}
	}
	return append(faults, unfit(ds)...)
}

// unfit says what about a dataset would get into the tables that tidemark makes.
func unfit(ds Dataset) (faults []string) {
	if ds.Collation != "" {
		faults = append(faults, fmt.Sprintf("its dataset has the default collation %s, which new tables get and under which ids that differ in case are one; want ALTER SCHEMA … SET DEFAULT COLLATE ''", ds.Collation))
	}
	if ds.CaseInsensitive {
		faults = append(faults, "its dataset has is_case_insensitive; want ALTER SCHEMA … SET OPTIONS (is_case_insensitive = FALSE)")
	}
	return faults
}

// Expirations tells of the ends that a table or its partitions have: a person has set them, or a dataset's default has when an older
// version made the table.
func Expirations(name string, t Table) (list []string) {
	if !t.Expires.IsZero() && time.Until(t.Expires) < longLife {
		list = append(list, fmt.Sprintf("table %s expires at %s with all its rows; ALTER TABLE … SET OPTIONS (expiration_timestamp = NULL) keeps it", name, t.Expires.UTC().Format(time.RFC3339)))
	}
	if p := t.Partitions; p != nil && p.Expiration > 0 && p.Expiration < longLife {
		list = append(list, fmt.Sprintf("table %s deletes partitions that are older than %s (partition_expiration_days)", name, p.Expiration))
	}
	return list
}

// warnings tells of what a person has set that will take rows away, or may refuse some.
func warnings(name string, model string, t Table) []string {
	list := Expirations(name, t)
	say := func(format string, args ...any) { list = append(list, "table "+name+" "+fmt.Sprintf(format, args...)) }
	p := t.Partitions
	if model == EventsModel && p != nil && p.Unit == batch.Hour && p.Expiration == 0 {
		say("is partitioned by HOUR and keeps partitions for ever: BigQuery allows %d, which is %d days in all; partition by DAY or MONTH, or set partition_expiration_days", batch.TablePartitions, batch.TablePartitions/24)
	}
	for _, f := range t.Fields {
		if f.PolicyTags && model == PersonsModel {
			say("has policy tags on column %s: merging reads it, which takes the role Fine-Grained Reader (roles/datacatalog.categoryFineGrainedReader)", f.Name)
		}
	}
	return list
}
