package bigquery

// Limits are BigQuery's limits of tables and jobs. Zero stands for BigQuery's own
// number, but for DMLPerTenSeconds; tests set smaller ones, lest they need 10,000 days of data.
type Limits struct {
	// PartitionsPerJob is how many partitions, in the table's own unit, a load job or
	// a statement may modify: 4,000.
	PartitionsPerJob int

	// PartitionsPerTable is how many partitions a table may have in all: 10,000. Those
	// that have expired count until they are removed, see ExpiredPartitions.
	PartitionsPerTable int

	// PartitionModifications is how many partitions of a table that is partitioned by a
	// column load jobs may modify within a day: 30,000. DML is exempt.
	PartitionModifications int

	// IngestionModifications is the same for tables partitioned by ingestion time: 11,000.
	IngestionModifications int

	// DMLPerTenSeconds is how many DML statements may begin on a table within ten
	// seconds. BigQuery's number is 25; here zero is any number, because what tests
	// compress into seconds takes hours in production.
	DMLPerTenSeconds int

	// RowBytes is how large a row of a load job may be: 100 MB.
	RowBytes int64
}

// BigQuery's own numbers
// (docs.cloud.google.com/bigquery/quotas#partitioned_tables, #query_jobs, 2026-08-22).
const (
	partitionsPerJob       = 4_000
	partitionsPerTable     = 10_000
	partitionModifications = 30_000
	ingestionModifications = 11_000
	rowBytes               = 100 << 20
)

func (l Limits) withDefaults() Limits {
	for limit, preset := range map[*int]int{
		&l.PartitionsPerJob:       partitionsPerJob,
		&l.PartitionsPerTable:     partitionsPerTable,
		&l.PartitionModifications: partitionModifications,
		&l.IngestionModifications: ingestionModifications,
	} {
		if *limit == 0 {
			*limit = preset
		}
	}
	if l.RowBytes == 0 {
		l.RowBytes = rowBytes
	}
	return l
}
