package buffer

import (
	"sync"
	"sync/atomic"
)

// cause is why rows are handed over; it is a metric label.
type cause string

const (
	causeSize   cause = "size"   // they reached the part size
	causeBudget cause = "budget" // memory was short
	causeSeal   cause = "seal"   // the batch ended
)

// bin collects the rows of one kind of part: a team's, or the rejects.
type bin struct {
	batch *Batch
	sheet *sheet
	team  int64 // 0: rejects

	// size is that of rows, for finding the largest bin without its lock.
	size atomic.Int64

	mu    sync.Mutex
	rows  *rows  // nil if empty
	parts int    // handed over so far: the number of the next part
	pour  func() // makes the rows if they are held in another form; nil otherwise
}

// ready makes sure that there is a builder for a row; fresh says that it is a new one. n.mu is held.
func (n *bin) ready() (fresh bool) {
	if n.rows != nil {
		return false
	}
	n.rows = newRows(&n.batch.buffer.budget, n.sheet.schema)
	return true
}

// appended is called after the row was appended. n.mu is held.
func (n *bin) appended() {
	n.rows.appended()
	n.size.Store(n.rows.size)
	if n.rows.size >= int64(n.batch.buffer.cfg.PartSize) {
		n.flush(causeSize)
	}
}

// flush hands the rows over. n.mu is held.
func (n *bin) flush(c cause) {
	if r := n.take(); r != nil {
		n.batch.enqueue(&job{batch: n.batch, sheet: n.sheet, team: n.team, number: n.parts, rows: []*rows{r}, cause: c})
		n.parts++
	}
}

// take closes the rows and returns them, nil if there are none. n.mu is held.
func (n *bin) take() *rows {
	if n.pour != nil {
		n.pour()
	}
	r := n.rows
	if r == nil {
		return nil
	}
	r.close()
	n.rows = nil
	n.size.Store(0)
	return r
}

// handOver flushes, or frees the rows of a batch that was discarded.
func (n *bin) handOver(c cause) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.batch.discarded.Load() {
		n.flush(c)
	} else if r := n.take(); r != nil {
		r.release()
	}
}
