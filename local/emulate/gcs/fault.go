package gcs

import (
	"cmp"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Fault is a way to misbehave. The zero value matches the next request of any
// kind and lets it pass, which is a way to count or (with Delay or Hold) to slow.
type Fault struct {
	// Op is the operation to match; empty matches all.
	Op Op

	// Object is a prefix of the object's name (for a list, of its prefix); empty
	// matches all.
	Object string

	// Skip is the number of matching requests that pass before the fault applies.
	Skip int

	// Count is the number of requests the fault applies to; 0 means one, and a
	// negative number every one until Remove.
	Count int

	// Delay passes before the request is handled.
	Delay time.Duration

	// Hold, if not nil, must be closed before the request is handled.
	Hold <-chan struct{}

	// Apply lets the request have its effect before Status or Drop replaces the
	// reply: the reply is lost. Without it the effect never happens. Delay and
	// Hold then come after the effect.
	Apply bool

	// Status answers with this HTTP status and an error in the JSON API's form;
	// 0 means the true answer.
	Status int

	// Message is the text of that error; empty means "injected".
	Message string

	// Drop closes the connection instead of answering.
	Drop bool
}

// Injected is a fault in force.
type Injected struct {
	fault   Fault
	owner   *faults
	matched int // under owner.mu; includes those skipped
	removed bool
	hits    chan struct{} // closed and replaced by hit
}

// Hits returns how many requests the fault has been applied to so far.
func (i *Injected) Hits() int {
	i.owner.mu.Lock()
	defer i.owner.mu.Unlock()
	return max(i.matched-i.fault.Skip, 0)
}

// Hit returns a channel that is closed when the fault is next applied; with
// Apply, when the request has had its effect.
func (i *Injected) Hit() <-chan struct{} {
	i.owner.mu.Lock()
	defer i.owner.mu.Unlock()
	return i.hits
}

// Remove ends the fault. It may be called more than once.
func (i *Injected) Remove() {
	i.owner.mu.Lock()
	defer i.owner.mu.Unlock()
	i.removed = true
}

// spent tells whether the fault has been applied as often as asked.
func (i *Injected) spent() bool {
	return i.removed || i.fault.Count >= 0 && i.matched >= i.fault.Skip+max(i.fault.Count, 1)
}

// faults is the list of those in force.
type faults struct {
	mu   sync.Mutex
	list []*Injected
}

func (f *faults) add(fault Fault) *Injected {
	f.mu.Lock()
	defer f.mu.Unlock()
	injected := &Injected{fault: fault, owner: f, hits: make(chan struct{})}
	f.list = append(f.list, injected)
	return injected
}

// hit tells those who wait.
func (i *Injected) hit() {
	i.owner.mu.Lock()
	defer i.owner.mu.Unlock()
	close(i.hits)
	i.hits = make(chan struct{})
}

// match counts the request against the first fault that wants it, nil if none
// does.
func (f *faults) match(call call) *Injected {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.list {
		wanted := (i.fault.Op == "" || i.fault.Op == call.op) && strings.HasPrefix(call.object, i.fault.Object)
		if !wanted || i.spent() {
			continue
		}
		i.matched++
		if i.matched <= i.fault.Skip {
			continue
		}
		return i
	}
	return nil
}

// wrap applies the faults around next.
func (f *faults) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		injected := f.match(classify(r))
		if injected == nil {
			next.ServeHTTP(w, r)
			return
		}
		fault := injected.fault
		replaced := fault.Status != 0 || fault.Drop
		if fault.Apply && replaced {
			next.ServeHTTP(discard{http.Header{}}, r)
		}
		injected.hit()
		if !fault.pause(r) {
			panic(http.ErrAbortHandler) // the client has given up
		}
		if !replaced {
			next.ServeHTTP(w, r)
			return
		}
		if fault.Drop {
			panic(http.ErrAbortHandler) // net/http's way to cut a connection quietly
		}
		refuse(w, fault.Status, cmp.Or(fault.Message, "injected"))
	})
}

// pause waits for Delay and Hold, and reports false if the client left first.
func (f Fault) pause(r *http.Request) bool {
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return false
		}
	}
	if f.Hold != nil {
		select {
		case <-f.Hold:
		case <-r.Context().Done():
			return false
		}
	}
	return true
}

// discard is where a reply goes that will be lost.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
