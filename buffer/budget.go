package buffer

import (
	"sync"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow/memory"
)

// budget counts bytes. It never refuses any: it says when to hand over and when to wait.
type budget struct {
	limit int64
	held  atomic.Int64 // everything
	live  atomic.Int64 // of it, rows that can still be handed over
	fixed atomic.Int64 // of it, what only the end of its batch frees: seen uuids, teams
}

// short says that rows should be handed over: what nobody is freeing yet has reached three quarters of the budget. The
// rest is for rows that are being encoded and parts that are being uploaded.
func (b *budget) short() bool { return b.live.Load()+b.fixed.Load() > b.limit/4*3 }

// relieved says that enough was handed over. The distance to short keeps early parts few and large.
func (b *budget) relieved() bool { return b.live.Load()+b.fixed.Load() <= b.limit/8*5 }

// over says that no more should be taken in.
func (b *budget) over() bool { return b.held.Load() > b.limit }

// crowded says that what cannot be handed over takes more than half of the budget: the rest would go out in ever
// smaller parts.
func (b *budget) crowded() bool { return b.fixed.Load() > b.limit/2 }

func (b *budget) fix(bytes int64) {
	b.held.Add(bytes)
	b.fixed.Add(bytes)
}

// alignment is what Arrow's Go allocator adds to every allocation.
const alignment = 64

// account is the allocator of one builder and its records: Arrow's Go allocator, counted. Builders and readers of
// records may use it concurrently; handedOver must not race with either.
type account struct {
	memory.GoAllocator
	budget *budget
	bytes  atomic.Int64
	handed bool // no longer live
}

// Allocate implements memory.Allocator.
func (a *account) Allocate(size int) []byte {
	a.add(int64(size) + alignment)
	return a.GoAllocator.Allocate(size)
}

// Reallocate implements memory.Allocator.
func (a *account) Reallocate(size int, b []byte) []byte {
	a.add(int64(size - len(b)))
	return a.GoAllocator.Reallocate(size, b)
}

// Free implements memory.Allocator.
func (a *account) Free(b []byte) {
	a.add(-int64(len(b)) - alignment)
	a.GoAllocator.Free(b)
}

func (a *account) add(bytes int64) {
	a.bytes.Add(bytes)
	a.budget.held.Add(bytes)
	if !a.handed {
		a.budget.live.Add(bytes)
	}
}

// handedOver takes the account's bytes out of those that can be handed over.
func (a *account) handedOver() {
	a.budget.live.Add(-a.bytes.Load())
	a.handed = true
}

// signal lets any number of goroutines wait for the next change of something. To miss none, take the channel first,
// look at the state, and then wait.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

// next returns a channel that the next broadcast closes.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) broadcast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}
