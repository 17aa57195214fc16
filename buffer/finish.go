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

// handOverTails makes parts of all rows that are left, a bounded number of them, and frees the seen events.
func (b *Batch) handOverTails() {
	all := b.teams.clear()
	slices.SortFunc(all, func(x, y *team) int { return cmp.Compare(x.team, y.team) })
	tails := make(map[*sheet][]*bin)
	for _, t := range all {
		t.forget()
		for _, n := range t.bins() {
			tails[n.sheet] = append(tails[n.sheet], n)
		}
	}
	b.rejects.handOver(causeSeal)
	for s, bins := range tails {
		b.handOverBins(s, bins)
	}
}

func (b *Batch) handOverBins(of *sheet, bins []*bin) {
	if len(bins) <= maxTails {
		for _, n := range bins {
			n.handOver(causeSeal)
		}
		return
	}
	var total int64
	for _, n := range bins {
		total += n.size.Load()
	}
	s := &shared{batch: b, sheet: of, target: max(int64(b.buffer.cfg.PartSize), total/maxTails), cause: causeSeal}
	for _, n := range bins {
		s.add(n)
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
	parts := make(map[*sheet][]batch.Part)
	for _, p := range b.stored {
		parts[p.sheet] = append(parts[p.sheet], p.Part)
	}
	contents := batch.Contents{Counts: b.tally.Counts, Rejects: parts[b.rejects.sheet]}
	for _, s := range []*sheet{b.events, b.persons} {
		if len(parts[s]) > 0 {
			contents.Tables = append(contents.Tables, s.contents(parts[s]))
		}
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
		t.people.discard()
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
