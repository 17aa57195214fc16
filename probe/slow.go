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
	size  int
	takes time.Duration
}

const (
	firstSize = 5
	maxSize   = 10_000
	list      = 100 // numbers in a list
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

// expression is a scalar subquery that counts a million combinations for each unit of the size. A size above 100 is rounded up to
// the next hundred, so that the text stays short.
func (s slowQuery) expression() string {
	last, more := s.size, 1
	if last > list {
		last, more = list, (s.size+list-1)/list
	}
	all := numbers(list)
	return fmt.Sprintf("(SELECT COUNTIF(MOD(a * 31 + b * 17 + c * 13 + d + e, 7) = 3) FROM UNNEST(%s) AS a CROSS JOIN UNNEST(%s) AS b CROSS JOIN UNNEST(%s) AS c CROSS JOIN UNNEST(%s) AS d CROSS JOIN UNNEST(%s) AS e)",
		all, all, all, numbers(last), numbers(more))
}

// calibrate finds the size of the query that takes the configured time here: it depends on the service.
func (r *run) calibrate(ctx context.Context) error {
	for s := (slowQuery{size: firstSize}); r.slow.size == 0; {
		job, err := r.must(ctx, query{name: "slow query", sql: "SELECT " + s.expression()})
		if err != nil {
			return fmt.Errorf("a query that keeps a transaction open: %w", err)
		}
		s.takes = max(ranFor(job), time.Millisecond)
		ratio := float64(r.cfg.Overlap) / float64(s.takes)
		if ratio <= 4 || s.size == maxSize { // a larger step would be a guess: part of the time is the start of a query
			r.slow = s.times(max(1, ratio))
			return nil
		}
		s = s.times(min(ratio/2, 20))
	}
	return nil
}

// times is a query that takes so many times as long.
func (s slowQuery) times(n float64) slowQuery {
	size := min(maxSize, int(float64(s.size)*n)+1)
	return slowQuery{size, time.Duration(float64(s.takes) * float64(size) / float64(s.size))}
}

// ranFor is how long a job was RUNNING.
func ranFor(job *bq.Job) time.Duration {
	return time.Duration(job.Statistics.EndTime-job.Statistics.StartTime) * time.Millisecond
}
