package bigquery

import (
	"context"
	"slices"
	"sync"
)

// Limits of UPDATE, DELETE and MERGE statements per table
// (docs.cloud.google.com/bigquery/quotas#data-manipulation-language-statements,
// 2026-08-22).
const (
	maxMutating = 2  // that run at the same time
	maxQueued   = 20 // that wait, PENDING
)

// dmlQueue holds statements back that change a table outside of transactions. In a
// transaction they do not wait: they conflict.
type dmlQueue struct {
	phrases phrases

	mu     sync.Mutex
	tables map[tableRef]*lane
}

// lane is the statements of a table.
type lane struct {
	running int
	waiting []chan struct{} // in order; closed when it is one's turn
}

func newDMLQueue(p phrases) *dmlQueue {
	return &dmlQueue{phrases: p, tables: map[tableRef]*lane{}}
}

// enter waits for the statement's turn, and returns what to call at its end.
func (q *dmlQueue) enter(ctx context.Context, ref tableRef) (leave func(), err error) {
	turn, err := q.join(ref)
	if err != nil {
		return nil, err
	}
	select {
	case <-turn:
		return func() { q.leave(ref) }, nil
	case <-ctx.Done():
		q.giveUp(ref, turn)
		return nil, context.Cause(ctx)
	}
}

// join returns a channel that is closed when it is one's turn.
func (q *dmlQueue) join(ref tableRef) (chan struct{}, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.tables[ref]
	if l == nil {
		l = &lane{}
		q.tables[ref] = l
	}
	turn := make(chan struct{})
	switch {
	case l.running < maxMutating:
		l.running++
		close(turn)
	case len(l.waiting) < maxQueued:
		l.waiting = append(l.waiting, turn)
	default:
		return nil, q.phrases.refuse(caseDMLQueue, with(about(ref), "limit", maxQueued))
	}
	return turn, nil
}

// leave lets the next one in.
func (q *dmlQueue) leave(ref tableRef) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.next(q.tables[ref])
}

func (q *dmlQueue) next(l *lane) {
	if len(l.waiting) == 0 {
		l.running--
		return
	}
	close(l.waiting[0])
	l.waiting = slices.Delete(l.waiting, 0, 1)
}

// giveUp leaves the queue, or what it led to if it was one's turn just then.
func (q *dmlQueue) giveUp(ref tableRef, turn chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.tables[ref]
	if i := slices.Index(l.waiting, turn); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
		return
	}
	q.next(l)
}
