package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// crashJob is a BigQuery job of a batch: its attempts follow each other.
type crashJob struct {
	running bool
	done    bool
}

// mayTakeTime marks the context of calls that are not made under the ownership lock.
type mayTakeTime struct{}

func (m *crashMember) Commit(_ context.Context, commits []Commit) error {
	return m.call("commit", func() error {
		m.arrive()
		if !slices.Contains(m.members, m) {
			return ErrFenced
		}
		r := m.rand(m.name + "torn")
		if m.due(r) {
			switch r.IntN(3) {
			case 0: // it is still on its way
				m.delayed = commits
				time.AfterFunc(time.Duration(r.IntN(200))*time.Millisecond, func() {
					m.mu.Lock()
					defer m.mu.Unlock()
					m.arrive()
				})
			default:
				m.accept(commits[:r.IntN(len(commits)+1)])
			}
			return errCrash
		}
		m.accept(commits)
		return nil
	})
}

// arrive delivers a delayed request: a connection's requests are handled in order, and a rebalance makes it stale.
func (m *crashMember) arrive() {
	if m.delayed != nil && slices.Contains(m.members, m) {
		m.accept(m.delayed)
	}
	m.delayed = nil
}

// accept stores commits and notes which batches they decide.
func (m *crashMember) accept(commits []Commit) {
	for _, c := range commits {
		m.offsets[c.TopicPartition] = GroupOffset{Offset: c.Offset, Metadata: c.Metadata}
	}
	for _, c := range commits {
		meta, err := ParseMetadata(c.Metadata)
		m.fail(err)
		for _, l := range meta.Chain {
			m.note(l.Batch)
		}
	}
}

func (m *crashMember) note(id ID) {
	b, err := DecodeManifest(m.manifests[id])
	if err != nil {
		m.fail(fmt.Errorf("batch %s is named and its manifest is not readable: %w", id, err))
		return
	}
	for _, t := range b.Partitions() {
		meta, _ := ParseMetadata(m.offsets[t].Metadata)
		if !slices.ContainsFunc(meta.Chain, func(l Link) bool { return l.Batch == id }) {
			return
		}
	}
	m.decided[id] = b
}

// fail keeps the first thing that must not happen.
func (w *crashWorld) fail(err error) {
	if w.wrong == nil {
		w.wrong = err
	}
}

func (m *crashMember) Fetch(ctx context.Context, tps []TopicPartition) (map[TopicPartition]GroupOffset, error) {
	got := make(map[TopicPartition]GroupOffset, len(tps))
	effect := func() error {
		for _, t := range tps {
			got[t] = m.offsets[t]
		}
		return nil
	}
	if ctx.Value(mayTakeTime{}) != nil {
		return got, m.slowCall(ctx, "fetch", effect)
	}
	return got, m.call("read back", effect)
}

// Put repeats what fails, as the port asks.
func (m *crashMember) Put(ctx context.Context, b *Manifest) error {
	for {
		err := m.slowCall(ctx, "put", func() error {
			text, err := b.Encode()
			if old, ok := m.manifests[b.ID]; ok && string(old) != string(text) {
				m.fail(fmt.Errorf("manifest %s is written twice", b.ID))
			}
			m.manifests[b.ID] = text
			return err
		})
		if !errors.Is(err, errCrash) {
			return err
		}
	}
}

func (m *crashMember) Get(ctx context.Context, id ID) (got *Manifest, err error) {
	err = m.slowCall(ctx, "get", func() (err error) {
		if m.manifests[id] == nil {
			return ErrNoManifest
		}
		got, err = DecodeManifest(m.manifests[id])
		return err
	})
	return got, err
}

// Apply submits the batch's job, or attaches to it, and waits for its end. It goes on without its replica.
func (m *crashMember) Apply(ctx context.Context, b *Manifest, t *Table) (int64, error) {
	err := m.slowCall(ctx, "submit", func() error {
		m.submit(b.ID)
		return nil
	})
	for err == nil {
		var job crashJob
		err = m.slowCall(ctx, "job", func() error { job = *m.jobs[b.ID]; return nil })
		switch {
		case err != nil:
		case job.done:
			return t.Rows(), nil
		case !job.running:
			err = errors.New("job failed")
		}
	}
	return 0, err
}

func (m *crashMember) submit(id ID) {
	if m.decided[id] == nil {
		m.fail(fmt.Errorf("batch %s is submitted and was never decided", id))
	}
	if m.jobs[id] == nil {
		m.jobs[id] = &crashJob{}
	}
	job := m.jobs[id]
	if job.running || job.done {
		return
	}
	job.running = true
	r := m.rand("job" + id.String())
	failed := m.due(r)
	time.AfterFunc(1+time.Duration(r.Int64N(int64(m.plan.Job)+1)), func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		job.running = false
		if !failed {
			job.done = true
			m.visible[id]++
		}
	})
}

func (m *crashMember) Evidence(ctx context.Context, b *Manifest, _ *Table) (e Evidence, err error) {
	e.State = NoJob
	err = m.slowCall(ctx, "evidence", func() error {
		switch job := m.jobs[b.ID]; {
		case job == nil:
		case job.done:
			e.State = Succeeded
		case job.running:
			e.State = Running
		default:
			e.State = Failed
		}
		return nil
	})
	return e, err
}

func (m *crashMember) Step(string, time.Duration, error) {}
func (m *crashMember) Committed(*Manifest, bool)         {}

// crashRows are a batch's rows, whose upload takes time and may fail.
type crashRows struct {
	rows
	member *crashMember
}

func (r *crashRows) Finish(ctx context.Context) (Contents, error) {
	if err := r.member.slowCall(ctx, "upload", func() error { return nil }); err != nil {
		return Contents{}, err
	}
	return r.rows.Finish(ctx)
}
