package batch

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

var (
	// Nothing is retried within a step: what fails stays failed, or ends the session.
	exploreConfig = Config{Group: "g", MaxChain: maxBatches, CommitTimeout: time.Hour, RetryMin: 1, RetryMax: 1}
	discard       = slog.New(slog.DiscardHandler)
)

// fault is what goes wrong in a step, at the given call of its kind.
type fault struct {
	kind faultKind
	at   int8
	part uint8 // of a torn commit: the entries the broker took, as bits
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
	fired  bool
	blind  bool // fetches fail
	calls  [interrupt + 1]int8
}

// hit says that the fault strikes at this call.
func (s *stage) hit(kind faultKind) bool {
	if s.fault.kind != kind {
		return false
	}
	s.calls[kind]++
	hit := s.calls[kind]-1 == s.fault.at
	s.fired = s.fired || hit
	return hit
}

func (s *stage) Commit(_ context.Context, commits []Commit) error {
	if !s.node.replica[s.actor].member {
		return ErrFenced
	}
	if s.hit(lostRequest) {
		return errExplore
	}
	torn := s.hit(tornCommit)
	if torn && int(s.fault.part) >= 1<<len(commits)-1 { // it took all
		s.fired = false
	}
	for i, c := range commits {
		if torn && s.fault.part&(1<<i) == 0 {
			continue
		}
		meta, err := ParseMetadata(c.Metadata)
		if err != nil {
			return err
		}
		s.node.kafka[c.Partition] = s.node.place(int(c.Partition), c.Offset, meta)
	}
	s.blind = s.hit(blindReply)
	if torn || s.blind || s.hit(lostReply) {
		return errExplore
	}
	return nil
}

func (s *stage) read(ctx context.Context) error {
	if s.hit(interrupt) {
		s.cancel()
	}
	return ctx.Err()
}

func (s *stage) Fetch(ctx context.Context, tps []TopicPartition) (map[TopicPartition]GroupOffset, error) {
	if s.blind {
		return nil, errExplore
	}
	got := make(map[TopicPartition]GroupOffset, len(tps))
	for _, t := range tps {
		at := s.node.kafka[t.Partition]
		got[t] = GroupOffset{int64(at.committed), s.node.metadata(int(t.Partition), at).String()}
	}
	return got, s.read(ctx)
}

func (s *stage) Ends(context.Context, []TopicPartition) (map[TopicPartition]int64, error) {
	return nil, nil // clocks are not explored
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
		if s.hit(failApply) || s.calls[failApply] > s.fault.at+1 {
			if s.calls[failApply] > s.fault.at+1 {
				s.cancel()
			}
			return 0, errExplore
		}
	}
	s.node.applied[number(m.ID)] = true
	if s.hit(stopApply) {
		s.cancel()
	}
	return t.Rows(), nil
}

func (s *stage) Applied(ctx context.Context, m *Manifest, _ *Table) (bool, error) {
	return s.node.applied[number(m.ID)], s.read(ctx)
}

func (s *stage) Step(string, time.Duration, error) {}
func (s *stage) Committed(*Manifest)               {}
