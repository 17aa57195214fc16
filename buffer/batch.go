package buffer

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tidemark/batch"
)

const (
	// maxParts is how many source URIs a load job may name,
	// https://cloud.google.com/bigquery/quotas#load_jobs, 2026-09.
	maxParts = 10_000
	// fullParts leaves room for the parts of one more poll, and for the tails.
	fullParts = 9_000
	// maxTails is how many teams' tails become parts of their own; more teams share parts.
	maxTails = (maxParts - fullParts) / 2
)

var (
	// ErrDiscarded means that the batch was discarded.
	ErrDiscarded = errors.New("batch was discarded")
	// ErrSealed means that records came after [Batch.Finish], a fault of the caller: they would be lost.
	ErrSealed = errors.New("batch is sealed")
)

// Opening is what a batch is opened with.
type Opening struct {
	ID         batch.ID
	Stream     string    // whose records it takes
	Prefix     string    // of object names
	IngestedAt time.Time // value of bq_ingested_timestamp
	// Events and Persons are where the rows of the models go that are exported.
	Events, Persons Table
	// Topics says what the records of each topic are.
	Topics map[string]Kind
	// Wants says whether a team has a destination; the records of others are skipped. It is called concurrently, for
	// every record of a team that has no rows yet, so it should only look up.
	Wants func(team int64) bool
}

// Batch collects the rows of one batch. [Batch.Append] must not be called after [Batch.Finish]; otherwise all methods
// are safe for concurrent use. Every batch must be finished or discarded.
type Batch struct {
	buffer      *Buffer
	id          batch.ID
	stream      string
	prefix      string
	ingestedAt  int64 // microseconds
	events      *sheet
	persons     *sheet
	topics      map[string]Kind
	wants       func(int64) bool
	deduplicate bool

	teams     teams
	rejects   rejects
	handed    atomic.Int64 // parts handed over
	fixed     atomic.Int64 // bytes that only the end of the batch frees
	sealed    atomic.Bool
	discarded atomic.Bool
	gone      chan struct{} // closed when discarded

	changed signal // of what mu guards
	mu      sync.Mutex
	pending int // parts handed over and not stored
	err     error
	tally   tally
	stored  []storedPart
}

// tally counts what records became.
type tally struct {
	batch.Counts
	rows int64
}

// storedPart is a part with its place among the batch's.
type storedPart struct {
	batch.Part
	number int
	sheet  *sheet
}

// Open starts a batch. It uses next to no memory before the first record.
func (b *Buffer) Open(o Opening) *Batch {
	n := &Batch{
		buffer: b, id: o.ID, stream: o.Stream, prefix: o.Prefix, ingestedAt: o.IngestedAt.UnixMicro(), events: newSheet(o.Events, o.IngestedAt), persons: newSheet(o.Persons, o.IngestedAt),
		topics: o.Topics, wants: o.Wants, deduplicate: b.cfg.Deduplicate == DeduplicateBatch,
		gone: make(chan struct{}),
	}
	n.rejects.bin = bin{batch: n, sheet: &sheet{reject: true, schema: b.rejects}}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = append(b.open, n)
	return n
}

// Full says that the batch must be sealed before its period ends, because of a limit: parts of one load job, partitions
// one load job may write to, or memory that only the end of the batch frees. Batches of a stream are sealed in the order in
// which they were opened, so it is also full when a later one of its stream is.
func (b *Batch) Full() bool {
	open := b.buffer.openBatches()
	for _, o := range open[max(0, slices.Index(open, b)):] {
		if o.stream == b.stream && (o.handed.Load() >= fullParts || o.events.partitions.full() || o.crowds(len(open))) {
			return true
		}
	}
	return false
}

// crowds says that the seen events of the open batches leave too little memory for rows, and that this batch has at
// least its share of them: one that was opened while the full one waits to be finished must not be sealed at once, too.
func (b *Batch) crowds(open int) bool {
	return b.buffer.budget.crowded() && b.fixed.Load()*int64(open) >= b.buffer.budget.fixed.Load()
}

// fix counts bytes that only the end of the batch frees.
func (b *Batch) fix(bytes int64) {
	b.fixed.Add(bytes)
	b.buffer.budget.fix(bytes)
}

// team returns the team's rows, nil if the team is not wanted or the batch was discarded.
func (b *Batch) team(id int64) *team {
	return b.teams.find(id, func() *team {
		if b.discarded.Load() || !b.wants(id) {
			return nil
		}
		b.fix(teamBytes)
		return newTeam(b, id)
	})
}

// nonEmpty returns the bins with rows.
func (b *Batch) nonEmpty() []*bin {
	bins := b.teams.bins()
	if b.rejects.size.Load() > 0 {
		bins = append(bins, &b.rejects.bin)
	}
	return bins
}

// enqueue hands rows over to the encoders. It does not wait.
func (b *Batch) enqueue(j *job) {
	b.mu.Lock()
	b.pending++
	b.mu.Unlock()
	if !j.sheet.reject {
		b.handed.Add(1)
	}
	b.buffer.jobs.Add(1)
	b.buffer.put(&b.buffer.encode, j)
}

// ended notes what became of a job.
func (b *Batch) ended(j *job, part batch.Part, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending--
	if err != nil && b.err == nil {
		b.err = err
	}
	if err == nil && part.Object != "" {
		b.stored = append(b.stored, storedPart{part, j.number, j.sheet})
	}
	b.changed.broadcast()
}

// failure returns the error of the first part that could not be stored, if any.
func (b *Batch) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.discarded.Load(): // whatever becomes of its parts then is a consequence
		return fmt.Errorf("batch %s: %w", b.id, ErrDiscarded)
	case b.err != nil:
		return fmt.Errorf("batch %s: %w", b.id, b.err)
	}
	return nil
}
