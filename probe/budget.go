package probe

import (
	"errors"
	"fmt"

	bq "google.golang.org/api/bigquery/v2"
)

const (
	// dollarsPerTiB is BigQuery's on-demand price in the US multi-region; other locations cost up to 40 % more
	// (cloud.google.com/bigquery/pricing, 2026-08).
	dollarsPerTiB = 6.25
	// minBilled is what a query is billed at least for each table that it names (same page).
	minBilled = 10 << 20
)

// budget is how many bytes all queries of the run may be billed. It is used by one goroutine; what jobs that run at the same
// time may cost is reserved until they have ended.
type budget struct {
	limit    int64
	billed   int64
	reserved int64
}

func newBudget(dollars float64) *budget {
	return &budget{limit: int64(dollars / dollarsPerTiB * (1 << 40))}
}

func dollars(bytes int64) float64 { return float64(bytes) / (1 << 40) * dollarsPerTiB }

// left is what is neither billed nor reserved.
func (b *budget) left() int64 { return b.limit - b.billed - b.reserved }

// errTooDear means that a query was not started because of the cost cap.
var errTooDear = errors.New("the cost cap refuses it")

// reserve sets bytes aside, or says that too little is left.
func (b *budget) reserve(bytes int64) error {
	if bytes > b.left() {
		return fmt.Errorf("%w: the query may be billed $%.5f (%s), and $%.5f of --max-cost $%.5f are left; raise --max-cost, or choose probes with --only",
			errTooDear, dollars(bytes), mebibytes(bytes), dollars(max(b.left(), 0)), dollars(b.limit))
	}
	b.reserved += bytes
	return nil
}

// settle replaces what was reserved for a job by what it was billed.
func (b *budget) settle(reserved, billed int64) {
	b.reserved -= reserved
	b.billed += billed
}

// estimate is what a query may be billed: what the dry run says, and the minimum for each table that is named.
func estimate(dryRun *bq.Job, tables int) int64 {
	bytes := int64(tables) * minBilled
	if dryRun != nil && dryRun.Statistics != nil {
		bytes += dryRun.Statistics.TotalBytesProcessed
	}
	return bytes
}

// billedOf is what a job was billed, and what it read where nothing is billed by bytes (a reservation). Zero means that the
// service says neither.
func billedOf(job *bq.Job) (billed, processed int64) {
	if job == nil || job.Statistics == nil {
		return 0, 0
	}
	processed = job.Statistics.TotalBytesProcessed
	if q := job.Statistics.Query; q != nil {
		billed, processed = q.TotalBytesBilled, max(processed, q.TotalBytesProcessed)
	}
	return billed, processed
}

func mebibytes(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
