package bigquery

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// locks hands out one lock per table. DuckDB aborts the later of two transactions
// that change the same rows or alter a table under a writer, where BigQuery queues
// them; so writers of a table go one at a time.
type locks struct {
	mu   sync.Mutex
	held map[tableRef]chan struct{} // capacity 1: full while the lock is held
}

func newLocks() *locks { return &locks{held: map[tableRef]chan struct{}{}} }

// acquire takes the locks of all tables, in the order of their names lest two jobs
// wait for each other, and returns the function that gives them back.
func (l *locks) acquire(ctx context.Context, tables []tableRef) (release func(), err error) {
	ordered := slices.Clone(tables)
	slices.SortFunc(ordered, func(a, b tableRef) int { return strings.Compare(a.String(), b.String()) })
	ordered = slices.Compact(ordered)
	var taken []chan struct{}
	release = func() {
		for _, lock := range taken {
			<-lock
		}
	}
	for _, ref := range ordered {
		lock := l.of(ref)
		select {
		case lock <- struct{}{}:
			taken = append(taken, lock)
		case <-ctx.Done():
			release()
			return nil, context.Cause(ctx)
		}
	}
	return release, nil
}

func (l *locks) of(ref tableRef) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	lock := l.held[ref]
	if lock == nil {
		lock = make(chan struct{}, 1)
		l.held[ref] = lock
	}
	return lock
}
