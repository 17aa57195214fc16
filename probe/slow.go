package probe

import (
	"context"
	"fmt"
	"strings"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// slowQuery is a SELECT without tables that takes about as long as a transaction is to be kept open. BigQuery has no sleep; this
// one multiplies three lists, and is billed nothing. One worker does it, so that 20 s are far from the 256 CPU seconds that
// on-demand queries may use while they read little.
type slowQuery struct {
	expression string // a scalar subquery
	takes      time.Duration
}

// Sizes of the three lists.
const (
	outer     = 1000
	firstSize = 5
	maxSize   = 5000
)

// numbers is a literal list of 0 to n-1.
func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, i)
	}
	return "[" + b.String() + "]"
}

func slowExpression(size int) string {
	return fmt.Sprintf("(SELECT COUNTIF(MOD(a * 31 + b * 17 + c, 7) = 3) FROM UNNEST(%s) AS a CROSS JOIN UNNEST(%s) AS b CROSS JOIN UNNEST(%s) AS c)",
		numbers(outer), numbers(outer), numbers(size))
}

// calibrate finds the size of the query that takes the configured time here: it depends on the service.
func (r *run) calibrate(ctx context.Context) error {
	if r.slow.expression != "" {
		return nil
	}
	for size := firstSize; ; {
		job, err := r.must(ctx, query{name: "slow query", sql: "SELECT " + slowExpression(size)})
		if err != nil {
			return fmt.Errorf("a query that keeps a transaction open: %w", err)
		}
		took := max(ranFor(job), time.Millisecond)
		ratio := float64(r.cfg.Overlap) / float64(took)
		if ratio <= 4 || size == maxSize { // a larger step would be a guess: part of the time is the start of a query
			size = min(maxSize, max(firstSize, int(float64(size)*max(1, ratio))))
			r.slow = slowQuery{slowExpression(size), time.Duration(float64(took) * max(1, ratio))}
			return nil
		}
		size = min(maxSize, int(float64(size)*min(ratio/2, 20))+1)
	}
}

// ranFor is how long a job was RUNNING.
func ranFor(job *bq.Job) time.Duration {
	return time.Duration(job.Statistics.EndTime-job.Statistics.StartTime) * time.Millisecond
}
