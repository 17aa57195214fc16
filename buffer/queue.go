package buffer

import (
	"context"
	"sync"
)

// queue is first in, first out, and has no bound of its own: the memory budget bounds what can be in it, and putting
// must never wait, because what waits in it is what frees memory.
type queue[T any] struct {
	pushed signal
	mu     sync.Mutex
	items  []T
}

func (q *queue[T]) push(item T) {
	q.mu.Lock()
	q.items = append(q.items, item)
	q.mu.Unlock()
	q.pushed.broadcast()
}

// pop waits for an item; the error is ctx's.
func (q *queue[T]) pop(ctx context.Context) (item T, err error) {
	for {
		if ctx.Err() != nil {
			return item, ctx.Err()
		}
		pushed := q.pushed.next()
		if item, ok := q.take(); ok {
			return item, nil
		}
		select {
		case <-pushed:
		case <-ctx.Done():
		}
	}
}

func (q *queue[T]) take() (item T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return item, false
	}
	var none T
	item, q.items[0] = q.items[0], none
	q.items = q.items[1:]
	return item, true
}

// remove takes out the items that match.
func (q *queue[T]) remove(match func(T) bool) (removed []T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	kept := make([]T, 0, len(q.items))
	for _, item := range q.items {
		if match(item) {
			removed = append(removed, item)
		} else {
			kept = append(kept, item)
		}
	}
	q.items = kept
	return removed
}
