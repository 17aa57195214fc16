package batch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// world is the other end of the driver's ports: one consumer group's offsets, one bucket, one table. It refuses what
// the real services refuse: commits of an old generation, manifests that exist with other content. A fault is asked
// before and after every effect.
type world struct {
	mu         sync.Mutex
	generation int
	offsets    map[TopicPartition]GroupOffset
	manifests  map[ID][]byte
	applied    map[ID]int           // how many times a batch's rows became visible
	trace      map[ID]EvidenceState // what there is of a batch that is not applied
	submitted  []string             // what was asked of the warehouse
	told       map[ID][]bool
	fault      func(point string) error
}

func newWorld() *world {
	return &world{
		offsets: map[TopicPartition]GroupOffset{tp(0): begun, tp(1): begun}, manifests: map[ID][]byte{},
		applied: map[ID]int{}, trace: map[ID]EvidenceState{}, told: map[ID][]bool{}, fault: func(string) error { return nil },
	}
}

// begun is what the group has of a partition that it has begun and not yet got anywhere with.
var begun = GroupOffset{Epoch: -1, Metadata: Metadata{}.String()}

var errLostReply = errors.New("reply lost")

// failOnce returns a fault that fails one point once.
func failOnce(point string) func(string) error {
	done := false
	return func(p string) error {
		if p == point && !done {
			done = true
			return errLostReply
		}
		return nil
	}
}

// around runs an effect between its two fault points. A fault before it means it never happens.
func (w *world) around(point string, effect func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fault(point + " before"); err != nil {
		return err
	}
	if err := effect(); err != nil {
		return err
	}
	return w.fault(point + " after")
}

// member is one session's view of the world.
type member struct {
	*world
	generation int
}

func (w *world) join() *member {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.generation++
	return &member{w, w.generation}
}

func (m *member) Commit(_ context.Context, commits []Commit) error {
	return m.around("commit", func() error {
		if m.generation != m.world.generation {
			return ErrFenced
		}
		for i, c := range commits {
			if err := m.fault(fmt.Sprintf("commit entry %d", i)); err != nil {
				return err // the entries before it were accepted
			}
			m.offsets[c.TopicPartition] = GroupOffset{Offset: c.Offset, Epoch: c.Epoch, Metadata: c.Metadata}
		}
		return nil
	})
}

func (m *member) Fetch(_ context.Context, tps []TopicPartition) (got map[TopicPartition]GroupOffset, err error) {
	got = map[TopicPartition]GroupOffset{}
	err = m.around("fetch", func() error {
		for _, tp := range tps {
			got[tp] = m.offsets[tp]
		}
		return nil
	})
	return got, err
}

func (m *member) Put(_ context.Context, b *Manifest) error {
	return m.around("manifest", func() error {
		text, err := b.Encode()
		if old, ok := m.manifests[b.ID]; ok && string(old) != string(text) {
			return errors.New("manifest exists with other content")
		}
		m.manifests[b.ID] = text
		return err
	})
}

func (m *member) Get(_ context.Context, id ID) (*Manifest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text, ok := m.manifests[id]
	if !ok {
		return nil, ErrNoManifest
	}
	return DecodeManifest(text)
}

func (m *member) Apply(_ context.Context, b *Manifest, t *Table) (rows int64, err error) {
	err = m.around("apply", func() error {
		m.submitted = append(m.submitted, b.ID.String())
		if m.applied[b.ID] == 0 { // a job ID is used once
			m.applied[b.ID]++
		}
		return nil
	})
	return t.Rows(), err
}

func (m *member) Evidence(_ context.Context, b *Manifest, _ *Table) (Evidence, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.applied[b.ID] > 0:
		return Evidence{State: Succeeded}, nil
	case m.trace[b.ID] != "":
		return Evidence{State: m.trace[b.ID]}, nil
	}
	return Evidence{State: NoJob}, nil
}

func (m *member) Step(string, time.Duration, error) {}

// Committed notes who told what.
func (m *member) Committed(b *Manifest, whole bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told[b.ID] = append(m.told[b.ID], whole)
}

// rows is a sealed batch's content: one row per record, in one part.
type rows struct {
	manifest  *Manifest
	discarded bool
	view      bool // the table is one
	err       error
}

func (r *rows) Finish(context.Context) (Contents, error) {
	var n int64
	for _, g := range r.manifest.Ranges {
		n += g.Records
	}
	c := Contents{Counts: Counts{Consumed: n}}
	if n > 0 {
		c.Tables = []Table{{Target: Target{Project: "p", Dataset: "d", Table: "events", View: r.view}, Parts: []Part{{Object: "o", Rows: n}}}}
	}
	return c, r.err
}

func (r *rows) Discard() { r.discarded = true }

// session runs a driver until the test ends it.
type session struct {
	*Driver
	*member
	end func() error // crash: stops the driver and returns why it ended
}

func start(t *testing.T, w *world) *session {
	return startWith(t, w, Config{MaxBatches: 4, CommitTimeout: time.Second, RetryMin: time.Millisecond, RetryMax: time.Millisecond})
}

func startWith(t *testing.T, w *world, cfg Config) *session {
	return startLogged(t, w, cfg, slog.New(slog.DiscardHandler))
}

func startLogged(t *testing.T, w *world, cfg Config, log *slog.Logger) *session {
	m := w.join()
	d := NewDriver(cfg, Ports{m, m, m, m}, log)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	var once sync.Once
	var err error
	end := func() error {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	t.Cleanup(func() { _ = end() })
	return &session{d, m, end}
}

// assign takes over partitions as the world has them.
func (s *session) assign(t *testing.T, tps ...TopicPartition) map[TopicPartition]Position {
	t.Helper()
	offsets, err := s.Fetch(t.Context(), tps)
	require.NoError(t, err)
	positions, err := s.Assign(t.Context(), offsets, always)
	require.NoError(t, err)
	return positions
}

// always says that a partition is still assigned.
func always(TopicPartition) bool { return true }

func tp(n int32) TopicPartition { return TopicPartition{"events", n} }

// manifest covers [start, end) of each partition given.
func manifest(ranges map[TopicPartition][2]int64) *Manifest {
	m := &Manifest{Version: ManifestVersion, ID: NewID(time.Now()), Group: "g", Reason: "boundary", SealedAt: time.Now()}
	for _, p := range sortedKeys(ranges) {
		r := ranges[p]
		m.Ranges = append(m.Ranges, Range{TopicPartition: p, Start: r[0], End: r[1], Records: r[1] - r[0], Clock: time.UnixMilli(1000 + r[1]).UTC()})
	}
	return m
}

func (s *session) seal(m *Manifest) func(context.Context) error { return s.Seal(m, &rows{manifest: m}) }

// eventually polls a condition of the world without sleeping: the driver's goroutines run on other cores.
func (w *world) eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return cond()
	}, 10*time.Second, time.Millisecond, what)
}
