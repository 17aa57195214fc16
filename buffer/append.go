package buffer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tidemark/batch"
	"tidemark/model"
)

// chunkRecords is how many records a worker takes at a time: enough to make taking them cheap, few enough that a poll
// of ten thousand is shared evenly.
const chunkRecords = 256

// maxRowBytes is less than BigQuery's 50 MB for a Parquet row. A message that is short enough may become a longer row:
// $set stands in a column of its own next to the properties, a byte that is no UTF-8 becomes three, and a slash of the
// elements two. So what is measured are the bytes to be written. A batch with a row that cannot be loaded could never be
// applied.
const maxRowBytes = 45_000_000

// worker decodes on one goroutine at a time.
type worker struct {
	decoder *model.Decoder
	event   model.Event
	change  model.Change
	source  model.Source
	tally   tally // of the chunk
}

// Append decodes the records, given in runs of one partition each, on all cores and keeps their rows. It returns when all are in, without waiting for memory,
// and retains no record. Of duplicates in one call any may be kept. An error (ctx's, that of a part which could not be
// stored, [ErrDiscarded] or [ErrSealed]) leaves the batch with some of the records; it must be discarded.
func (b *Batch) Append(ctx context.Context, work [][]*kgo.Record) error {
	if b.sealed.Load() {
		return fmt.Errorf("batch %s: %w", b.id, ErrSealed)
	}
	c := &cursor{work: work}
	workers := min(cap(b.buffer.workers), c.chunks())
	if workers <= 1 {
		return b.appendChunks(ctx, c)
	}
	var g errgroup.Group
	for range workers {
		g.Go(func() error { return b.appendChunks(ctx, c) })
	}
	return g.Wait()
}

// appendChunks works until the cursor is at its end.
func (b *Batch) appendChunks(ctx context.Context, c *cursor) error {
	var w *worker
	select { // another Append may have them all for the moment
	case w = <-b.buffer.workers:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { b.buffer.workers <- w }()
	for ctx.Err() == nil {
		records := c.next()
		if len(records) == 0 {
			return b.failure()
		}
		w.tally = tally{}
		take, err := b.taker(records[0].Topic)
		if err != nil {
			return err
		}
		for _, r := range records {
			take(w, r)
		}
		b.taken(records[0].Topic, len(records), &w.tally)
		b.buffer.relieve()
	}
	return ctx.Err()
}

// ErrUnknownTopic means that a record's topic is none of [Opening.Topics], a fault of the caller.
var ErrUnknownTopic = errors.New("topic is none of the batch's")

// taker returns what takes the records of a topic: makes each a row or a reject, or drops and counts it.
func (b *Batch) taker(topic string) (func(*worker, *kgo.Record), error) {
	switch b.topics[topic] {
	case Events:
		return b.takeEvent, nil
	case Persons:
		return b.takePerson, nil
	case DistinctIDs:
		return b.takeMapping, nil
	}
	return nil, fmt.Errorf("batch %s, topic %q: %w", b.id, topic, ErrUnknownTopic)
}

func (b *Batch) takeEvent(w *worker, r *kgo.Record) {
	e, c := &w.event, &w.tally
	if err := w.decoder.Decode(r.Value, e); err != nil {
		b.undecoded(c, r, err)
		return
	}
	t := b.team(e.TeamID)
	if t == nil {
		c.Skipped++
		return
	}
	if !b.events.partitions.plausible(e.Timestamp) {
		b.reject(c, r, ReasonImplausible, b.events.partitions.implausible)
		return
	}
	w.source = model.Source{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMicro()}
	if size, exceeds := e.RowExceeds(maxRowBytes, b.events.Columns, &w.source); exceeds {
		b.reject(c, r, model.ReasonTooLarge, fmt.Sprintf("row has %d bytes; want at most %d", size, maxRowBytes))
		return
	}
	switch t.append(e, &w.source) {
	case nulled:
		c.Nulled++
		c.rows++
		b.unloadable(r)
	case kept:
		c.rows++
	case duplicate:
		c.Duplicates++
	case tooManyPartitions:
		b.reject(c, r, ReasonPartitions, fmt.Sprintf("rows of the batch are in %d partitions of the table already, as many as one job may write to", batch.JobPartitions))
	case superseded, supersedes, supersedesNulled, dropped: // the first three are of persons; nobody asks for the counts of a discarded batch
	}
}

// undecoded rejects a record that a decoder has refused.
func (b *Batch) undecoded(c *tally, r *kgo.Record, err error) {
	var reject *model.Reject
	if !errors.As(err, &reject) {
		reject = &model.Reject{Reason: model.ReasonJSON, Detail: err.Error()}
	}
	b.reject(c, r, reject.Reason, reject.Detail)
}

func (b *Batch) reject(c *tally, r *kgo.Record, reason model.Reason, detail string) {
	c.Rejected++
	b.rejects.append(r, reason, detail)
	b.buffer.metrics.rejected.WithLabelValues(string(reason)).Inc()
}

// taken adds a chunk's counts.
func (b *Batch) taken(topic string, n int, c *tally) {
	b.buffer.metrics.taken(topic, n, c)
	b.buffer.tellHeld()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tally.Consumed += int64(n)
	b.tally.Duplicates += c.Duplicates
	b.tally.Superseded += c.Superseded
	b.tally.Skipped += c.Skipped
	b.tally.Rejected += c.Rejected
	b.tally.Nulled += c.Nulled
}

// cursor shares the records of an Append among the workers.
type cursor struct {
	mu    sync.Mutex
	work  [][]*kgo.Record
	slice int
	from  int
}

// chunks returns how many chunks there are at most.
func (c *cursor) chunks() (n int) {
	for _, s := range c.work {
		n += (len(s) + chunkRecords - 1) / chunkRecords
	}
	return n
}

// next returns the next records, all of one partition; none at the end.
func (c *cursor) next() []*kgo.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ; c.slice < len(c.work); c.slice, c.from = c.slice+1, 0 {
		records := c.work[c.slice]
		if c.from < len(records) {
			chunk := records[c.from:min(c.from+chunkRecords, len(records))]
			c.from += len(chunk)
			return chunk
		}
	}
	return nil
}
