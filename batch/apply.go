package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// drive asks Run to finish the decided batches it does not finish yet. It never waits: the caller holds d.mu, which the
// goroutines that Run waits for may be waiting for in turn.
func (d *Driver) drive() {
	select {
	case d.decided <- struct{}{}:
	default: // asked for already
	}
}

// takeDecided returns the decided batches that nobody finishes yet; the caller has to. Applied ones are among them each
// time: one that waited for an earlier batch has its turn when a partition goes or comes back.
func (d *Driver) takeDecided() (taken []*entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.batches {
		if e.state == Applied || e.state == Prepared && !e.driven {
			e.driven = true
			taken = append(taken, e)
		}
	}
	return taken
}

// finish applies one decided batch, however long its destination refuses, and commits it in its turn. It returns an
// error only when the session has to end. This is the one place that tries again what BigQuery refuses.
func (d *Driver) finish(ctx context.Context, e *entry) error {
	backoff := Backoff{Min: d.cfg.RetryMin}
	for d.stateOf(e) == Prepared {
		healed := d.whenHealed()
		err := d.step("apply", func() error { return d.applyTables(ctx, e.manifest) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			d.mu.Lock()
			d.become(e, Applied)
			d.heal()
			d.mu.Unlock()
			break
		}
		backoff.Max = d.retryMax(err)
		wait := max(backoff.Next(), RetryAfter(err))
		if gone := d.failed(e, err, wait); gone {
			return nil
		}
		rest, cancel := context.WithTimeout(ctx, wait)
		select {
		case <-rest.Done():
		case <-healed:
		}
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return d.commitApplied(ctx)
}

const (
	// expectedMax bounds the pause after a failure that is nothing to worry about: merges that exclude each other come again
	// soon. It is about as long as a merge of a large table, so that those who wait do not all come again within one.
	expectedMax = time.Minute
	// expectedFor is how long a decided batch may give way to others before that is told as a failure: as long as 59 replicas
	// take that merge for two minutes each.
	expectedFor = 2 * time.Hour
)

// retryMax bounds the backoff of one batch so that all failing ones together make an attempt per RetryMax: each costs load
// jobs, of which a table may have 1,500 a day, failed ones included.
func (d *Driver) retryMax(err error) time.Duration {
	if Expected(err) {
		return min(expectedMax, d.cfg.RetryMax)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	failing := 0
	for _, e := range d.batches {
		if e.state == Prepared && e.attempts > 0 {
			failing++
		}
	}
	return d.cfg.RetryMax * time.Duration(max(1, failing))
}

// whenHealed returns what is closed when the next batch is applied: the destination works again.
func (d *Driver) whenHealed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.healed
}

// heal lets every failing batch try again at once; d.mu is held.
func (d *Driver) heal() {
	close(d.healed)
	d.healed = make(chan struct{})
}

// applyTables applies all tables of the batch and takes the second half of the double count: BigQuery's own number of
// rows against that of the parts.
//
// The tables are applied side by side: one that waits or fails does not hold up the others.
func (d *Driver) applyTables(ctx context.Context, m *Manifest) error {
	errs := make([]error, len(m.Tables))
	var g sync.WaitGroup
	for i := range m.Tables {
		g.Go(func() { errs[i] = ApplyTable(ctx, d.ports.Applier, m, &m.Tables[i]) })
	}
	g.Wait()
	return errors.Join(errs...)
}

// ApplyTable applies one table of a decided batch and counts: BigQuery's own number of rows must be that of the parts, or it
// is [ErrMiscount], over which nothing is committed. It is safe to repeat.
func ApplyTable(ctx context.Context, a Applier, m *Manifest, t *Table) error {
	rows, err := a.Apply(ctx, m, t)
	if err != nil {
		return fmt.Errorf("apply table %s: %w", t.Target, err)
	}
	if rows != t.Rows() {
		return fmt.Errorf("apply table %s: BigQuery counted %d rows and the parts have %d: %w", t.Target, rows, t.Rows(), ErrMiscount)
	}
	return nil
}

// failed notes a failed attempt. It reports true when no held partition names the batch any more: the replicas that
// hold them drive it.
func (d *Driver) failed(e *entry, err error, wait time.Duration) (gone bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e.attempts++
	e.err = err
	if gone = !d.ledger.Concerns(e.manifest); gone {
		d.remove(e)
		d.log.Info("batch left to the replicas that hold its partitions", "batch", e.manifest.ID, "err", err)
		return gone
	}
	d.refresh()
	args := []any{"batch", e.manifest.ID, "failed_attempts", e.attempts, "retry_in", wait.Round(time.Millisecond), "err", err}
	if Expected(err) && time.Since(e.since) < expectedFor {
		d.log.Info("batch gives way to another one and is applied after it", args...)
		return gone
	}
	d.log.Error("batch not applied; later batches of its stream wait for it", append(args, "hint", HintOf(err))...)
	return gone
}

// commitApplied commits the end offsets of applied batches as far as the chains allow: a batch behind an earlier one
// waits for it. Any goroutine that finished a batch may call it; the ownership lock serializes them.
func (d *Driver) commitApplied(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for progress := true; progress; {
		progress = false
		for _, e := range slices.Clone(d.batches) {
			if e.state != Applied {
				continue
			}
			done, err := d.commitOne(ctx, e)
			if err != nil {
				return fmt.Errorf("commit batch %s: %w", e.manifest.ID, err)
			}
			progress = progress || done
		}
	}
	return nil
}

// commitOne commits what it may of one applied batch and reports whether nothing is left to do; d.mu is held.
func (d *Driver) commitOne(ctx context.Context, e *entry) (done bool, err error) {
	commits, more := d.ledger.Finish(e.manifest)
	if len(commits) > 0 {
		if err := d.step("commit", func() error { return d.commit(ctx, commits) }); err != nil {
			return false, err
		}
		d.ledger.Finished(e.manifest)
		e.committed = true
	}
	if more {
		return false, nil
	}
	d.become(e, Committed)
	d.remove(e)
	d.tellCommitted(e)
	return true, nil
}

// tellCommitted reports a finished batch in full where its first partition is held, so that one that several replicas
// commit is logged and counted once.
func (d *Driver) tellCommitted(e *entry) {
	whole := d.ledger.Holds(e.manifest.Ranges[0].TopicPartition)
	if e.committed {
		d.ports.Observer.Committed(e.manifest, whole)
	}
	switch {
	case e.committed && whole:
		d.logCommitted(e.manifest)
	case e.committed:
		d.log.Info("rest of a batch committed; the replica with its first partition tells the whole", "batch", e.manifest.ID)
	default:
		d.log.Info("batch applied; other replicas hold its partitions and commit it", "batch", e.manifest.ID)
	}
}

func (d *Driver) logCommitted(m *Manifest) {
	var rows, bytes int64
	parts := 0
	for i := range m.Tables {
		rows += m.Tables[i].Rows()
		parts += len(m.Tables[i].Parts)
		for _, p := range m.Tables[i].Parts {
			bytes += p.Bytes
		}
	}
	d.log.Info("batch committed", "batch", m.ID, "reason", m.Reason, "period", m.Period.Start, "rows", rows, "parts", parts,
		"bytes", bytes, "rejects", m.Counts.Rejected, "duplicates", m.Counts.Duplicates, "skipped", m.Counts.Skipped,
		"partitions", len(m.Ranges), "took", time.Since(m.SealedAt).Round(time.Millisecond))
	if rows == 0 && m.Counts.Skipped > 0 {
		d.log.Warn("the batch has no row, and records of it were skipped, since their teams have no destination; check TIDEMARK_TEAMS",
			"batch", m.ID, "skipped", m.Counts.Skipped, "consumed", m.Counts.Consumed)
	}
}
