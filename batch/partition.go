package batch

import (
	"math"
	"time"
)

// PartitionUnit is what one partition of a table holds.
type PartitionUnit string

// The units, in BigQuery's words.
const (
	Hour     PartitionUnit = "HOUR"
	Day      PartitionUnit = "DAY"
	Month    PartitionUnit = "MONTH"
	Year     PartitionUnit = "YEAR"
	IntRange PartitionUnit = "RANGE" // of integers
)

// BigQuery's limits on partitions (cloud.google.com/bigquery/quotas, partitioned tables, 2026-08-22).
const (
	// JobPartitions is how many partitions one job may change, whatever its kind.
	JobPartitions = 4000
	// TablePartitions is how many a table may have in all. Expired ones count until they are deleted, which may take days.
	TablePartitions = 10_000
	// DailyPartitions is how often a day load jobs may change partitions of a table that is partitioned by a column; each job
	// counts once for every partition that it touches. DML does not count.
	DailyPartitions = 30_000
	// DailyIngestionPartitions is the same of a table that is partitioned by the time of ingestion.
	DailyIngestionPartitions = 11_000
)

// Partitioning says what of a row decides in which partition of its table it is.
type Partitioning struct {
	Unit   PartitionUnit `json:"unit"`
	Column string        `json:"column,omitempty"` // empty: the time of ingestion
	// Start, End and Interval cut integers into ranges: [Start, End) in steps of Interval.
	Start    int64 `json:"start,omitempty"`
	End      int64 `json:"end,omitempty"`
	Interval int64 `json:"interval,omitempty"`
	// Expiration is how long after its time a partition is deleted; 0 = never. It is not told in manifests.
	Expiration time.Duration `json:"-"`
}

// Quota is how often a day load jobs may change the table's partitions.
func (p *Partitioning) Quota() int {
	if p.Column == "" {
		return DailyIngestionPartitions
	}
	return DailyPartitions
}

// Unpartitioned is the key of values that have no partition of their own: BigQuery keeps them together in __UNPARTITIONED__.
const Unpartitioned = math.MinInt64

// NullKey is the key of rows without a value: BigQuery keeps them together in __NULL__.
const NullKey = math.MinInt64 + 1

// Instants outside of the years 1960 to 2159 have no partition of their own
// (cloud.google.com/bigquery/docs/partitioned-tables, 2026-08-22). Microseconds since 1970.
const (
	firstPartitioned = -315619200 * 1e6
	endPartitioned   = 5995814400 * 1e6
)

// KeyOfTime says in which partition an instant in microseconds since 1970 is: equal keys are one partition.
func (p *Partitioning) KeyOfTime(micros int64) int64 {
	if micros < firstPartitioned || micros >= endPartitioned {
		return Unpartitioned
	}
	switch p.Unit {
	case Hour:
		return floorDiv(micros, time.Hour.Microseconds())
	case Month:
		year, month, _ := time.UnixMicro(micros).UTC().Date()
		return int64(year)*12 + int64(month)
	case Year:
		return int64(time.UnixMicro(micros).UTC().Year())
	default:
		return DayOf(micros)
	}
}

// KeyOfInt says in which partition an integer is.
func (p *Partitioning) KeyOfInt(v int64) int64 {
	if v < p.Start || v >= p.End || p.Interval < 1 {
		return Unpartitioned
	}
	return (v - p.Start) / p.Interval
}

// DayOf returns the UTC day of an instant in microseconds since 1970.
func DayOf(micros int64) int64 { return floorDiv(micros, 24*time.Hour.Microseconds()) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

const (
	// plausiblePartitions is how many partitions plausible times may fill. It stays below [TablePartitions], so that no sender
	// can use up a table that all share.
	plausiblePartitions = 9000
	// ahead is how far in the future times are plausible. PostHog's ingestion takes 23 hours.
	ahead = 7 * 24 * time.Hour
	// lag is how long expired partitions may be there and count.
	lag = 14 * 24 * time.Hour
)

// Window says which times of the partitioning column are plausible for rows that come at now, in microseconds since 1970:
// those from first on and before end. from is the earliest that a person wants. Days and hours are few enough that times
// which mean nothing could use up a table's partitions. Months are not: but whether DML may write times outside of 1970 to
// 2159 is not known, and one such row must not hold up the others.
func (p *Partitioning) Window(now, from time.Time) (first, end int64) {
	first, end = 0, endPartitioned
	unit := map[PartitionUnit]time.Duration{Hour: time.Hour, Day: 24 * time.Hour}[p.Unit]
	if unit == 0 {
		return first, end
	}
	until := now.Add(ahead)
	longest := plausiblePartitions * unit
	if p.Expiration > 0 {
		longest = min(longest, max(p.Expiration, unit)+ahead)
	}
	if p.Unit == Hour { // what has expired and is not deleted yet
		longest = min(longest, plausiblePartitions*unit-lag)
	}
	if since := until.Add(-longest); since.After(from) {
		from = since
	}
	return max(first, from.UnixMicro()), min(end, until.UnixMicro())
}
