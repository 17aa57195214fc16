package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"
)

const (
	// tick is how often a peer is looked at.
	tick = 250 * time.Millisecond
	// limit is how long a run may take.
	limit = 8 * time.Minute
)

// outcome is what a run came to.
type outcome struct {
	records    uint64
	before     time.Duration // CPU time until the first process had partitions
	cpu        time.Duration // of the last process, from then on until the last row was there
	wall       time.Duration // likewise
	peak       uint64        // largest resident set of any process, in bytes
	kills      int           // that found work left to do
	unfinished bool          // at the limit
	counts     counts
	left       int // rows that were sent again and that insertAll left out
}

func (o outcome) String() string {
	return fmt.Sprintf("%.1f s of CPU and %.1f before, %.1f s, peak %d MiB, %d kills, %d missing, %d duplicated, %d left out by insertId",
		o.cpu.Seconds(), o.before.Seconds(), o.wall.Seconds(), o.peak>>20, o.kills, o.counts.missing, o.counts.extra, o.left)
}

// killer decides when to kill.
type killer struct {
	random *rand.Rand
	left   int
	work   time.Duration // how long the peer takes when left alone
	// worst kills once, when the first rows are in the table, and has the broker lose every commit of theirs until then. At
	// random, that moment is hit about never: it lasts milliseconds in ten seconds.
	worst bool
}

// delay is the time from the moment a process has partitions to its end: well within what the rest of the work should take.
func (k *killer) delay(rest float64) time.Duration {
	return time.Duration((0.1 + 0.6*k.random.Float64()) * max(rest, 0.2) * float64(k.work))
}

// play runs a peer until everything is in the table, or nothing moves any more, and kills it when k says so.
func (s *stage) play(ctx context.Context, p peer, name string, k *killer) (o outcome, err error) {
	c, err := s.openScene(ctx, p.name+"-"+name)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	ready, err := p.prepare(ctx, c)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, ready.close()) }()
	o.records = s.opts.records
	r := &watch{scene: c, ready: ready, peer: p, out: &o, killer: k, group: p.group(c), members: map[string]bool{}}
	if err := r.run(ctx); err != nil {
		return o, err
	}
	if ready.left != nil {
		o.left = ready.left()
	}
	o.counts, err = c.count(ctx)
	return o, err
}

// watch follows a peer's processes through one run.
type watch struct {
	*scene
	ready   prepared
	peer    peer
	out     *outcome
	killer  *killer
	group   string
	members map[string]bool // of the group, of processes killed so far

	process  *process
	began    taken     // when the process had partitions
	killAt   time.Time // zero = no more
	rows     uint64
	moved    taken // when rows or offsets last changed
	progress uint64

	losing         atomic.Bool // commits of what is in the table
	committedUntil atomic.Uint64
}

func (w *watch) run(whole context.Context) error {
	ctx, cancel := context.WithTimeout(whole, limit)
	defer cancel()
	if w.killer != nil && w.killer.worst {
		w.loseCommits(ctx)
	}
	if err := w.start(ctx); err != nil {
		return err
	}
	defer func() { w.process.kill() }()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			w.out.unfinished = true
			return whole.Err() // nil when only this run's time is up
		case <-ticker.C:
		}
		done, err := w.look(ctx)
		if ctx.Err() != nil {
			continue
		}
		if done || err != nil {
			return err
		}
	}
}

func (w *watch) start(ctx context.Context) (err error) {
	w.began, w.killAt = taken{}, time.Time{}
	w.process, err = start(w.ready.command(ctx), w.log)
	return err
}

// look reads where the process is, and kills it when it is time.
func (w *watch) look(ctx context.Context) (done bool, err error) {
	if err := w.process.alive(); err != nil {
		return false, err
	}
	now, err := w.process.taken()
	if err != nil {
		return false, err
	}
	w.out.peak = max(w.out.peak, now.peak)
	if w.began.at.IsZero() {
		return false, w.begin(ctx, now)
	}
	offsets, atEnd, err := w.committed(ctx)
	if err != nil {
		return false, err
	}
	if w.rows, err = w.countRows(ctx); err != nil {
		return false, err
	}
	if progress := w.rows + offsets; progress != w.progress || w.moved.at.Before(w.began.at) {
		w.progress, w.moved = progress, now
	}
	w.out.cpu, w.out.wall = w.moved.cpu-w.began.cpu, w.moved.at.Sub(w.began.at)
	w.committedUntil.Store(offsets)
	ahead := w.losing.Load() && w.rows > offsets
	if ahead || !w.killAt.IsZero() && now.at.After(w.killAt) {
		w.losing.Store(false)
		return false, w.kill(ctx, offsets)
	}
	return atEnd && now.at.Sub(w.moved.at) > w.peer.quiet, nil
}

// begin notes when the group has given partitions to a process that lives.
func (w *watch) begin(ctx context.Context, now taken) error {
	members, err := w.stable(ctx, w.group)
	if err != nil {
		return err
	}
	for id := range members {
		if w.members[id] {
			continue
		}
		w.began = now
		if w.out.before == 0 {
			w.out.before = now.cpu
		}
		if w.killer != nil && w.killer.left > 0 {
			w.killer.left--
			w.killAt = now.at.Add(w.killer.delay(1 - float64(min(w.rows, w.out.records))/float64(w.out.records)))
		}
		return nil
	}
	return nil
}

// kill kills the process and starts the next.
func (w *watch) kill(ctx context.Context, offsets uint64) error {
	w.process.kill()
	ran := time.Since(w.began.at)
	useful := w.rows < w.out.records || offsets < w.out.records
	if useful {
		w.out.kills++
	}
	fmt.Fprintf(os.Stderr, "%s: kill -9 %.1f s after it had partitions, %d rows in the table, %d offsets committed (work left: %t)\n",
		w.peer.name, ran.Seconds(), w.rows, offsets, useful)
	members, err := w.stable(ctx, w.group)
	if err != nil {
		return err
	}
	for id := range members {
		w.members[id] = true
	}
	return w.start(ctx)
}
