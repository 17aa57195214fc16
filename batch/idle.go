package batch

import (
	"context"
	"slices"
	"time"
)

// Idle asks for the committed clocks to be moved on although there is nothing to flush. It does not block.
func (d *Driver) Idle() {
	select {
	case d.idle <- struct{}{}:
	default: // asked for already
	}
}

// runIdle serves Idle. Failing to read the ends is harmless: the clocks stand still until the next time.
func (d *Driver) runIdle(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.idle:
		}
		if err := d.step("idle", func() error { return d.moveClocks(ctx) }); err != nil {
			return err
		}
	}
}

func (d *Driver) moveClocks(ctx context.Context) error {
	d.mu.Lock()
	tps := d.ledger.consumed()
	d.mu.Unlock()
	if len(tps) == 0 {
		return nil
	}
	asked := time.Now().UTC()
	readCtx, cancel := context.WithTimeout(ctx, d.cfg.CommitTimeout)
	defer cancel()
	ends, err := d.ports.Offsets.Ends(readCtx, tps)
	if err != nil {
		d.log.Warn("end offsets not read; the watermark stands still", "err", err)
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	commits := d.ledger.Idle(ends, asked)
	if len(commits) == 0 {
		return nil
	}
	if err := d.commit(ctx, commits); err != nil {
		return err
	}
	d.ledger.WasIdle(commits, asked)
	d.refresh()
	return nil
}

// consumed returns the partitions that are held and not stopped.
func (l *Ledger) consumed() []TopicPartition {
	return slices.DeleteFunc(sortedKeys(l.held), func(tp TopicPartition) bool { return l.held[tp].stopped })
}

// Idle moves the committed clocks of partitions whose end was reached to asked, the instant at which the ends were asked
// for, when there is no batch to do it: without records there are no batches, and the watermark would stand still.
// Partitions with a chain are left alone; their batches carry the clock.
func (l *Ledger) Idle(ends map[TopicPartition]int64, asked time.Time) []Commit {
	var commits []Commit
	for tp, h := range l.held {
		if end, ok := ends[tp]; ok && !h.stopped && end <= h.committed && len(h.meta.Chain) == 0 && h.meta.Clock.Before(asked) {
			commits = append(commits, Commit{tp, h.committed, Metadata{Clock: asked}.String()})
		}
	}
	slices.SortFunc(commits, func(a, b Commit) int { return a.Compare(b.TopicPartition) })
	return commits
}

// WasIdle records that Kafka has the commits of [Ledger.Idle].
func (l *Ledger) WasIdle(commits []Commit, asked time.Time) {
	for _, c := range commits {
		if h := l.held[c.TopicPartition]; h != nil {
			h.meta.Clock = asked
		}
	}
}
