package buffer

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tidemark/batch"
)

var _ batch.Unfinished = (*Batch)(nil)

// Finish implements [batch.Unfinished]: it hands over what is left, waits until every part is stored, and says what the
// batch's records became. Its error is ctx's, that of a part which could not be stored, [ErrDiscarded] or [ErrStopped].
func (b *Batch) Finish(ctx context.Context) (batch.Contents, error) {
	b.buffer.forget(b)
	b.handOverTails()
	b.buffer.freed.broadcast()
	for {
		changed := b.changed.next()
		if err := b.failure(); err != nil {
			return batch.Contents{}, err
		}
		if contents, done := b.contents(); done {
			return contents, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return batch.Contents{}, fmt.Errorf("batch %s: %w", b.id, ctx.Err())
		case <-b.buffer.stopped:
			return batch.Contents{}, fmt.Errorf("batch %s: %w", b.id, ErrStopped)
		}
	}
}

// handOverTails makes parts of all rows that are left, and frees the seen uuids.
func (b *Batch) handOverTails() {
	all := b.teams.clear()
	slices.SortFunc(all, func(x, y *team) int { return cmp.Compare(x.team, y.team) })
	var tails []*bin
	for _, t := range all {
		t.forget()
		if t.size.Load() > 0 {
			tails = append(tails, &t.bin)
		}
	}
	b.rejects.handOver(causeSeal)
	room := maxParts - int(b.handed.Load())
	if len(tails) <= room {
		for _, tail := range tails {
			tail.handOver(causeSeal)
		}
		return
	}
	for i, tails := range shares(tails, max(1, room)) {
		b.handOverShared(i, tails)
	}
}

// shares cuts tails into at most n groups of about the same number.
func shares(tails []*bin, n int) (groups [][]*bin) {
	size := (len(tails) + n - 1) / n
	return slices.Collect(slices.Chunk(tails, size))
}

// handOverShared makes one part of several teams' rows. It happens only when there are more teams than a load job can
// have parts.
func (b *Batch) handOverShared(number int, tails []*bin) {
	j := &job{batch: b, number: number, schema: b.schema, cause: causeSeal}
	for _, tail := range tails {
		tail.mu.Lock()
		if r := tail.take(); r != nil {
			j.rows = append(j.rows, r)
		}
		tail.mu.Unlock()
	}
	b.enqueue(j)
}

// contents returns what the batch became; false while parts are on their way.
func (b *Batch) contents() (batch.Contents, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending > 0 {
		return batch.Contents{}, false
	}
	slices.SortFunc(b.stored, func(x, y storedPart) int {
		return cmp.Or(cmp.Compare(x.Team, y.Team), cmp.Compare(x.number, y.number))
	})
	contents := batch.Contents{Counts: b.tally.Counts}
	table := batch.Table{Target: b.target}
	for _, p := range b.stored {
		if p.reject {
			contents.Rejects = append(contents.Rejects, p.Part)
		} else {
			table.Parts = append(table.Parts, p.Part)
		}
	}
	if len(table.Parts) > 0 {
		contents.Tables = []batch.Table{table}
	}
	return contents, true
}

// Discard implements [batch.Unfinished]. What an encoder is working on is freed as soon as it is done.
func (b *Batch) Discard() {
	if b.discarded.Swap(true) {
		return
	}
	close(b.gone)
	b.buffer.forget(b)
	for _, t := range b.teams.clear() {
		t.forget()
		t.handOver(causeSeal)
	}
	b.rejects.handOver(causeSeal)
	b.sweep()
	b.changed.broadcast()
	b.buffer.freed.broadcast()
}

// sweep ends the jobs of a discarded batch that nobody works on.
func (b *Batch) sweep() {
	ours := func(j *job) bool { return j.batch == b }
	for _, j := range append(b.buffer.encode.remove(ours), b.buffer.upload.remove(ours)...) {
		b.buffer.end(j, batch.Part{}, nil)
	}
}
