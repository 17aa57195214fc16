package buffer

import (
	"sync"
	"sync/atomic"
)

// budget counts bytes. It never refuses any: it says when to hand over and when to wait.
type budget struct {
	limit int64
	// fetched says what the Kafka client holds beside all that: records that are fetched and not taken in yet.
	fetched atomic.Pointer[func() int64]
	held    atomic.Int64 // everything
	live    atomic.Int64 // of it, rows that can still be handed over
	fixed   atomic.Int64 // of it, what only the end of its batch frees: seen events, teams
}

// short says that rows should be handed over: what nobody is freeing yet has reached three quarters of the budget. The
// rest is for rows that are being encoded and parts that are being uploaded.
func (b *budget) short() bool { return b.live.Load()+b.fixed.Load()+b.ahead() > b.limit/4*3 }

// ahead is what the Kafka client holds, as far as it makes rows be handed over: more of it does not, or the parts would get ever
// smaller for records that only taking them in can free.
func (b *budget) ahead() int64 { return min(b.fetchedBytes(), b.limit/4) }

func (b *budget) fetchedBytes() int64 {
	if fetched := b.fetched.Load(); fetched != nil {
		return (*fetched)()
	}
	return 0
}

// relieved says that enough was handed over. The distance to short keeps early parts few and large.
func (b *budget) relieved() bool { return b.live.Load()+b.fixed.Load()+b.ahead() <= b.limit/8*5 }

// over says that no more should be taken in.
func (b *budget) over() bool { return b.held.Load()+b.fetchedBytes() > b.limit }

// crowded says that what cannot be handed over takes more than half of the budget: the rest would go out in ever
// smaller parts.
func (b *budget) crowded() bool { return b.fixed.Load() > b.limit/2 }

func (b *budget) fix(bytes int64) {
	b.held.Add(bytes)
	b.fixed.Add(bytes)
}

// account counts the memory of some rows. It belongs to whoever holds these.
type account struct {
	budget *budget
	bytes  int64
	handed bool // no longer live
}

// set says that the account has bytes now.
func (a *account) set(bytes int64) {
	added := bytes - a.bytes
	if added == 0 {
		return // as with most rows
	}
	a.bytes = bytes
	a.budget.held.Add(added)
	if !a.handed {
		a.budget.live.Add(added)
	}
}

// handedOver takes the account's bytes out of those that can be handed over.
func (a *account) handedOver() {
	a.budget.live.Add(-a.bytes)
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
