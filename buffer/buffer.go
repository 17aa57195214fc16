package buffer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow"
	"golang.org/x/sync/errgroup"

	"tidemark/model"
)

// ErrStopped means that [Buffer.Run] has ended: nothing is encoded or stored any more.
var ErrStopped = errors.New("buffer has stopped")

// uploads is how many parts are stored side by side. They wait for the network, and a thousand tails at a tenth of a
// second each should take a few seconds; their bytes are counted against the budget.
const uploads = 32

// Buffer holds the batches of one process under one memory budget. Its methods are safe for concurrent use.
type Buffer struct {
	cfg     Config
	parts   PartWriter
	metrics *Metrics
	budget  budget

	workers chan *worker  // those that are not decoding; its capacity is their number
	encode  queue[*job]   // rows
	upload  queue[*job]   // bytes
	jobs    atomic.Int64  // in the queues or being worked on
	freed   signal        // memory was freed, or a job ended
	stopped chan struct{} // closed when Run ends
	relief  sync.Mutex    // held by the one goroutine that hands over because memory is short
	rejects *arrow.Schema

	identities *identities // of events

	mu   sync.Mutex
	open []*Batch // neither finished nor discarded
}

// New returns a buffer that decodes and encodes with the given number of workers each (the number of cores, usually).
// cfg must be valid.
func New(cfg Config, parts PartWriter, metrics *Metrics, workers int) *Buffer {
	b := &Buffer{
		cfg: cfg, parts: parts, metrics: metrics, budget: budget{limit: int64(cfg.Memory)},
		workers: make(chan *worker, workers), stopped: make(chan struct{}), rejects: rejectSchema(),
		identities: newIdentities(),
	}
	for range workers {
		b.workers <- &worker{decoder: model.NewDecoder(int(cfg.MaxRecordSize))}
	}
	metrics.budget.Set(float64(cfg.Memory))
	return b
}

// CountFetched makes the budget count what a Kafka client holds. There is one client at a time; the newest counts. fetched must be
// safe for concurrent use and cheap: it is called often.
func (b *Buffer) CountFetched(fetched func() int64) { b.budget.fetched.Store(&fetched) }

// Run encodes and stores parts until ctx ends or a part cannot be stored for a permanent reason, which is its error. It
// is called once.
func (b *Buffer) Run(ctx context.Context) error {
	defer close(b.stopped)
	g, ctx := errgroup.WithContext(ctx)
	for range cap(b.workers) {
		g.Go(func() error { return b.each(ctx, &b.encode, b.encodeJob) })
	}
	for range uploads {
		g.Go(func() error { return b.each(ctx, &b.upload, b.uploadJob) })
	}
	return g.Wait()
}

// Wait returns nil once the memory held is below the budget, so that more records may be taken in. It hands rows over
// first if need be. It also returns nil when nothing is on its way to be freed: then a batch that is open is
// [Batch.Full], and sealing it frees memory. The error is ctx's, or [ErrStopped].
func (b *Buffer) Wait(ctx context.Context) error {
	for {
		freed := b.freed.next()
		select {
		case <-b.stopped:
			return ErrStopped
		default:
		}
		b.relieve()
		if !b.budget.over() || b.jobs.Load() == 0 {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		case <-b.stopped:
			return ErrStopped
		}
	}
}

// relieve hands over the largest bins of all open batches if memory is short.
func (b *Buffer) relieve() {
	if !b.budget.short() || !b.relief.TryLock() {
		return
	}
	defer b.relief.Unlock()
	small := map[*sheet]*shared{}
	for _, bin := range b.largest() {
		if b.budget.relieved() {
			break
		}
		if bin.sheet.reject || bin.size.Load() >= sharedBelow {
			bin.handOver(causeBudget)
			continue
		}
		if small[bin.sheet] == nil {
			small[bin.sheet] = &shared{batch: bin.batch, sheet: bin.sheet, target: int64(b.cfg.PartSize), cause: causeBudget}
		}
		small[bin.sheet].add(bin)
	}
	for _, s := range small {
		s.flush()
	}
}

// largest returns the bins with rows of all open batches, the largest first.
func (b *Buffer) largest() []*bin {
	type candidate struct {
		bin  *bin
		size int64 // as seen once: it may grow while we sort
	}
	var found []candidate
	for _, batch := range b.openBatches() {
		for _, bin := range batch.nonEmpty() {
			found = append(found, candidate{bin, bin.size.Load()})
		}
	}
	slices.SortFunc(found, func(x, y candidate) int { return int(y.size - x.size) })
	bins := make([]*bin, len(found))
	for i, c := range found {
		bins[i] = c.bin
	}
	return bins
}

// wake is called after memory was freed or a job ended.
func (b *Buffer) wake() {
	b.tellHeld()
	b.freed.broadcast()
}

// tellHeld updates the gauges of memory.
func (b *Buffer) tellHeld() {
	b.metrics.held.Set(float64(b.budget.held.Load()))
	b.metrics.fetched.Set(float64(b.budget.fetchedBytes()))
}

func (b *Buffer) openBatches() []*Batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.open)
}

func (b *Buffer) forget(batch *Batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = slices.DeleteFunc(b.open, func(o *Batch) bool { return o == batch })
}
