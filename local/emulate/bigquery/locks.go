package bigquery

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// locks hands out one lock per table. DuckDB aborts a transaction whose table is
// altered under it; so those that load into a table, alter it, execute a statement that
// writes to it or commit one go one at a time. A job that is held RUNNING has none.
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

// lockIdle takes the locks of tables that are to be altered or dropped, once nobody
// is changing their rows: DuckDB alters no table under one who deletes. Who only adds
// rows is not waited for, and has to start over.
func (s *Server) lockIdle(ctx context.Context, tables []tableRef) (release func(), err error) {
	for {
		release, err := s.locks.acquire(ctx, tables)
		if err != nil {
			return nil, err
		}
		// Claims are made under these locks: there will be none from here on.
		ended := s.conflicts.changing(tables)
		if ended == nil {
			return release, nil
		}
		release()
		if err := pause(ctx, 0, ended); err != nil {
			return nil, err
		}
	}
}
