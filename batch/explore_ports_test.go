package batch

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

var (
	// Nothing is retried within a step, where what fails stays failed, or ends the session; and steps happen in one order.
	exploreConfig = Config{MaxBatches: maxBatches, MaxJudging: 1, CommitTimeout: time.Hour, RetryMin: 1, RetryMax: 1}
	discard       = slog.New(slog.DiscardHandler)
)

// fault is what goes wrong in a step, at the given call of its kind.
type fault struct {
	kind faultKind
	at   int
	part int // of a torn commit: the entries the broker took, as bits
}

type faultKind uint8

const (
	noFault     faultKind = iota
	lostRequest           // a commit that never arrived
	lostReply             // a commit whose reply was lost; reading back shows that it happened
	blindReply            // the same, and reading back fails: the session ends although it happened
	tornCommit            // the broker took a part of a commit
	stopApply             // the step ends between the job and the state change
	failApply             // the destination refuses, twice
	interrupt             // the context ends before a read
)

func (k faultKind) String() string {
	return [...]string{"", ", request lost", ", reply lost", ", reply lost and not read back", ", torn", ", stopped after the job",
		", refused", ", interrupted"}[k]
}

var errExplore = errors.New("injected")

// stage is the other end of one replica's ports during one step.
type stage struct {
	node   node
	actor  int
	cancel context.CancelFunc
	fault  fault
	blind  bool // fetches fail
	chances
	refused bool
}

// chances are the calls of a step at which something can go wrong.
type chances struct {
	commits []int // with so many entries each
	reads   int
}

func (s *stage) Commit(_ context.Context, commits []Commit) error {
	if !s.node.replica[s.actor].member {
		return ErrFenced
	}
	s.commits = append(s.commits, len(commits))
	hit := noFault
	if s.fault.at == len(s.commits)-1 {
		hit = s.fault.kind
	}
	if hit == lostRequest {
		return errExplore
	}
	for i, c := range commits {
		if hit == tornCommit && s.fault.part&(1<<i) == 0 {
			continue
		}
		meta, err := ParseMetadata(c.Metadata)
		if err != nil {
			return err
		}
		s.node.kafka[c.Partition] = s.node.place(int(c.Partition), c.Offset, meta)
	}
	s.blind = hit == blindReply
	if hit == tornCommit || hit == lostReply || hit == blindReply {
		return errExplore
	}
	return nil
}

func (s *stage) read(ctx context.Context) error {
	if s.fault.kind == interrupt && s.fault.at == s.reads {
		s.cancel()
	}
	s.reads++
	return ctx.Err()
}

func (s *stage) Fetch(ctx context.Context, tps []TopicPartition) (map[TopicPartition]GroupOffset, error) {
	if s.blind {
		return nil, errExplore
	}
	got := make(map[TopicPartition]GroupOffset, len(tps))
	for _, t := range tps {
		at := s.node.kafka[t.Partition]
		if at.gone {
			got[t] = GroupOffset{Offset: -1}
			continue
		}
		got[t] = GroupOffset{Offset: int64(at.committed), Metadata: s.node.metadata(int(t.Partition), at).String()}
	}
	return got, s.read(ctx)
}

func (s *stage) Put(_ context.Context, m *Manifest) error {
	s.node.stored[number(m.ID)] = true
	return nil
}

func (s *stage) Get(ctx context.Context, id ID) (*Manifest, error) {
	if err := s.read(ctx); err != nil {
		return nil, err
	}
	if !s.node.stored[number(id)] {
		return nil, ErrNoManifest
	}
	return s.node.manifest(number(id)), nil
}

func (s *stage) Apply(_ context.Context, m *Manifest, t *Table) (int64, error) {
	if s.fault.kind == failApply {
		if s.refused {
			s.cancel() // the driver would go on trying
		}
		s.refused = true
		return 0, errExplore
	}
	s.node.applied[number(m.ID)] = true
	if s.fault.kind == stopApply {
		s.cancel()
	}
	return t.Rows(), nil
}

func (s *stage) Evidence(ctx context.Context, m *Manifest, _ *Table) (Evidence, error) {
	e := Evidence{State: NoJob}
	if s.node.applied[number(m.ID)] {
		e.State = Succeeded
	}
	return e, s.read(ctx)
}

func (s *stage) Step(string, time.Duration, error) {}
func (s *stage) Committed(*Manifest, bool)         {}
