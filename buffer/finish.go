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
	b.sealed.Store(true)
	b.seal()
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

// seal takes the batch from those whose rows memory pressure hands over, and hands over what is left. It waits for a
// hand-over that is under way: rows it has taken but not put into the queue yet are not counted as pending.
func (b *Batch) seal() {
	b.buffer.relief.Lock()
	defer b.buffer.relief.Unlock()
	b.buffer.forget(b)
	b.handOverTails()
	b.buffer.wake()
}

// handOverTails makes parts of all rows that are left, a bounded number of them, and frees the seen uuids.
func (b *Batch) handOverTails() {
	all := b.teams.clear()
	slices.SortFunc(all, func(x, y *team) int { return cmp.Compare(x.team, y.team) })
	var tails []*bin
	var total int64
	for _, t := range all {
		t.forget()
		if size := t.size.Load(); size > 0 {
			tails = append(tails, &t.bin)
			total += size
		}
	}
	b.rejects.handOver(causeSeal)
	if len(tails) <= maxTails {
		for _, tail := range tails {
			tail.handOver(causeSeal)
		}
		return
	}
	s := &shared{batch: b, sheet: b.events, target: max(int64(b.buffer.cfg.PartSize), total/maxTails), cause: causeSeal}
	for _, tail := range tails {
		s.add(tail)
	}
	s.flush()
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
	table := batch.Table{Target: b.events.Target}
	for _, p := range b.stored {
		if p.sheet.reject {
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
	b.buffer.wake()
}

// sweep ends the jobs of a discarded batch that nobody works on.
func (b *Batch) sweep() {
	ours := func(j *job) bool { return j.batch == b }
	for _, j := range append(b.buffer.encode.remove(ours), b.buffer.upload.remove(ours)...) {
		b.buffer.end(j, batch.Part{}, nil)
	}
}
