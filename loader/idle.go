package loader

import "sync"

// idle holds what is not in use, so never more than was in use at once. A [sync.Pool] is emptied by every other garbage
// collection, of which there are dozens a second when memory is short, and encoders are worth megabytes.
type idle[T any] struct {
	mu   sync.Mutex
	free []T
}

// take returns one that is not in use, and false if there is none.
func (i *idle[T]) take() (v T, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if n := len(i.free); n > 0 {
		v, i.free = i.free[n-1], i.free[:n-1]
		return v, true
	}
	return v, false
}

func (i *idle[T]) put(v T) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.free = append(i.free, v)
}
