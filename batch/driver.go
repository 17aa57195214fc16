package batch

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config bounds the driver.
type Config struct {
	// Stream is whose batches the driver drives; it stands in logs.
	Stream string
	// Group is the consumer group's name, which counts in the size of commits.
	Group string
	// MaxBatches is how many batches may be on their way before fetching pauses. Slots in the chains for the batches that a
	// revoke or a shutdown seals come on top.
	MaxBatches int
	// MaxJudging is how many batches found in the metadata are judged at a time; zero means [maxJudging].
	MaxJudging int
	// MaxCommit is how many bytes the entries of one offset commit may take in Kafka's own topic; zero means
	// [DefaultMaxCommit].
	MaxCommit int
	// CommitTimeout bounds one offset request, its retries included.
	CommitTimeout time.Duration
	// RetryMin and RetryMax bound the backoff between two attempts to apply a batch; of several that fail, RetryMax is
	// what they have together, until one of them is applied.
	RetryMin, RetryMax time.Duration
}

// Ports are what the driver calls.
type Ports struct {
	Offsets   Offsets
	Manifests Manifests
	Applier   Applier
	Observer  Observer
}

// Driver takes the batches of one stream in one session through their states: prepares them in the order they were sealed,
// applies them side by side, commits them in order. A session is one membership in the consumer group; when in doubt about
// what Kafka accepted the driver ends with [ErrRejoin], and everything that is decided is found again in the metadata.
type Driver struct {
	cfg   Config
	ports Ports
	log   *slog.Logger

	sealed  chan *entry                      // in the order sealed
	decided chan struct{}                    // capacity 1: there are batches to be taken by takeDecided
	idle    chan map[TopicPartition]Complete // capacity 1
	dead    chan struct{}                    // closed when Run ends
	why     error                            // why Run ended; it is set before dead is closed

	// mu is the ownership lock. Kafka fences generations, not owners: a live member may commit a partition it has just
	// lost. So every commit request is made under this lock, for partitions the ledger holds, and the revoke callback
	// takes it to release them.
	mu      sync.Mutex
	ledger  *Ledger
	batches []*entry      // in the order sealed or found; the finished ones are removed
	healed  chan struct{} // closed and made anew when a batch is applied

	view atomic.Pointer[View]
}

// entry is one batch on its way. manifest is complete from Stored on; the fields below it are guarded by Driver.mu.
type entry struct {
	manifest   *Manifest
	unfinished Unfinished
	prepared   chan struct{} // closed when the batch is decided

	state    State
	since    time.Time // of the state
	driven   bool      // a goroutine finishes it
	attempts int       // failed attempts to apply
	err      error     // of the last attempt

	committed bool // by this replica, for at least one partition
}

// maxJudging is how many batches are judged at a time if the configuration does not say.
const maxJudging = 8

// maxSealed is how many batches can wait for their prepare: the two periods that may be open at a revoke, once more for
// the shutdown that follows it, and the one being prepared.
const maxSealed = 8

// NewDriver returns a driver that holds no partition.
func NewDriver(cfg Config, ports Ports, log *slog.Logger) *Driver {
	cfg.MaxCommit, cfg.MaxJudging = cmp.Or(cfg.MaxCommit, DefaultMaxCommit), cmp.Or(cfg.MaxJudging, maxJudging)
	d := &Driver{
		cfg: cfg, ports: ports, log: log.With("stream", cfg.Stream), ledger: NewLedger(),
		sealed:  make(chan *entry, maxSealed),
		decided: make(chan struct{}, 1),
		idle:    make(chan map[TopicPartition]Complete, 1),
		dead:    make(chan struct{}),
		healed:  make(chan struct{}),
	}
	d.refresh()
	return d
}

// Run drives batches until ctx ends or the session has to. It returns an error that wraps [ErrRejoin], or ctx's.
func (d *Driver) Run(ctx context.Context) (err error) {
	defer func() { d.close(err) }()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.runPrepare(ctx) })
	g.Go(func() error { return d.runIdle(ctx) })
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-d.decided:
				for _, e := range d.takeDecided() {
					g.Go(func() error { return d.finish(ctx, e) })
				}
			}
		}
	})
	return g.Wait()
}

// close drops what was not prepared, and tells those who wait for it why.
func (d *Driver) close(why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.why = why
	close(d.dead)
	for _, e := range d.batches {
		if e.state == Sealed || e.state == Stored {
			d.become(e, Dropped)
			e.unfinished.Discard()
			d.log.Warn("batch dropped before it was prepared; its records are read again", "batch", e.manifest.ID)
		}
	}
}

// Seal hands over a batch whose offsets are fixed. The driver owns m and u from then on. It returns a function that
// waits until the batch is decided. Batches are prepared in the order of these calls, which must not be concurrent.
func (d *Driver) Seal(m *Manifest, u Unfinished) (wait func(context.Context) error) {
	e := &entry{manifest: m, unfinished: u, prepared: make(chan struct{}), state: Sealed, since: m.SealedAt}
	if !d.enter(e) {
		u.Discard()
	}
	return func(ctx context.Context) error {
		select {
		case <-e.prepared:
			return nil
		case <-d.dead:
			return fmt.Errorf("batch %s: %w: %w", m.ID, d.why, ErrRejoin)
		case <-ctx.Done():
			return fmt.Errorf("batch %s is %s: %w", m.ID, d.stateOf(e), ctx.Err())
		}
	}
}

// enter queues a sealed batch for its prepare, unless the driver has ended.
func (d *Driver) enter(e *entry) bool {
	d.mu.Lock()
	select {
	case <-d.dead:
		d.mu.Unlock()
		return false
	default:
	}
	d.batches = append(d.batches, e) // close discards it from now on
	d.refresh()
	d.mu.Unlock()
	select {
	case d.sealed <- e:
	case <-d.dead:
	}
	return true
}

// Release forgets partitions: from its return on nothing is committed for them. Applied batches that only they named are
// done with here.
func (d *Driver) Release(tps []TopicPartition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, tp := range tps {
		d.ledger.Release(tp)
	}
	d.drive()
	d.refresh()
}

// Full says that no further batch may be sealed for now: as many are on their way as may be, one commit of all the partitions
// held would be larger than Kafka takes, or batches wait for their prepare. Fetching pauses until it is false. No chain is longer
// than the number of batches, of which one may have few of the partitions.
func (d *Driver) Full() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting := 0
	for _, e := range d.batches {
		if e.state == Sealed || e.state == Stored {
			waiting++
		}
	}
	if len(d.batches) >= d.cfg.MaxBatches || waiting > maxSealed/2 {
		return true
	}
	// With nothing on its way nothing would make room, so then the next batch must do, whatever its size.
	return len(d.batches) > 0 && d.ledger.prepareBytes(d.cfg.Group, waiting+spareLinks) > d.cfg.MaxCommit
}

func (d *Driver) stateOf(e *entry) State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return e.state
}

// become changes the state; d.mu is held. A transition that state.go does not know is a fault of this program.
func (d *Driver) become(e *entry, next State) {
	if !slices.Contains(transitions(e.state), next) {
		panic(fmt.Sprintf("batch %s cannot become %s from %s", e.manifest.ID, next, e.state))
	}
	e.state, e.since, e.err = next, time.Now(), nil
	d.refresh()
}

// remove forgets a finished batch; d.mu is held.
func (d *Driver) remove(e *entry) {
	if i := slices.Index(d.batches, e); i >= 0 {
		d.batches = slices.Delete(d.batches, i, i+1)
		d.refresh()
	}
}

// step runs one step and reports it.
func (d *Driver) step(name string, do func() error) error {
	start := time.Now()
	err := do()
	d.ports.Observer.Step(name, time.Since(start), err)
	return err
}
