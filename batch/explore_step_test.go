package batch

import (
	"context"
	"errors"
	"fmt"
)

// action is one thing that can happen.
type action struct {
	kind  actionKind
	r     int
	p     int // partition, or entry of replica r
	fault fault
}

type actionKind uint8

const (
	assign   actionKind = iota // the group gives an unassigned partition to r
	takeOver                   // the client of r asks again for a partition whose callback was interrupted
	read
	seal
	prepare
	finish
	crash
	expel
	handOver
	lose // Kafka forgets the offset of p: its topic was deleted, or a person deleted it
)

func (a action) String() string {
	names := [...]string{"is assigned p%d", "takes over p%d", "reads p%d", "seals%.0d", "prepares its entry %d", "finishes its entry %d",
		"crashes%.0d", "is expelled%.0d", "hands over p%d", "and all lose the offset of p%d"}
	s := fmt.Sprintf("r%d "+names[a.kind], a.r, a.p) + a.fault.kind.String()
	if a.fault.kind == tornCommit {
		s += fmt.Sprintf(" (entries %b)", a.fault.part)
	}
	return s
}

// progress says that the action is not a fault: without faults, progress must lead to the end.
func (a action) progress() bool {
	return a.kind < crash && (a.fault.kind == noFault || a.fault.kind == stopApply)
}

// successors calls visit for every action that is enabled in n.
func (n *node) successors(b bounds, visit func(action, node, error)) {
	v := visitor{n, b, visit}
	v.assignments()
	for p := range b.partitions {
		if int(n.losses) < b.losses && !n.kafka[p].gone {
			v.try(lose, 0, p, fault{})
		}
	}
	for r := range b.replicas {
		v.work(r)
		m := &n.replica[r]
		if m.member && int(n.crashes) < b.crashes {
			v.try(crash, r, 0, fault{})
		}
		if m.member && int(n.kicks) < b.kicks && n.owns(r) {
			v.try(expel, r, 0, fault{})
		}
		for p := range b.partitions {
			if m.member && n.owner[p] == int8(r+1) && int(n.moves) < b.moves && (!n.open(r) || int(n.batches) < b.batches) {
				v.faulty(handOver, r, p)
			}
		}
	}
}

type visitor struct {
	*node
	b     bounds
	visit func(action, node, error)
}

// try visits one action and says which of the ports' calls could have failed.
func (v visitor) try(kind actionKind, r, p int, f fault) chances {
	a := action{kind, r, p, f}
	next, c, err := v.step(a)
	v.visit(a, next, err)
	return c
}

// faulty visits the action without a fault, and with each fault at each opportunity.
func (v visitor) faulty(kind actionKind, r, p int) {
	c := v.try(kind, r, p, fault{})
	crash := int(v.crashes) < v.b.crashes
	for at, entries := range c.commits {
		v.try(kind, r, p, fault{kind: lostReply, at: at})
		if crash {
			v.try(kind, r, p, fault{kind: lostRequest, at: at})
			v.try(kind, r, p, fault{kind: blindReply, at: at})
		}
		for part := 1; crash && v.b.torn && part < 1<<entries-1; part++ {
			v.try(kind, r, p, fault{tornCommit, at, part})
		}
	}
	for at := 0; at < c.reads && kind <= takeOver && int(v.interrupts) < v.b.interrupts; at++ {
		v.try(kind, r, p, fault{kind: interrupt, at: at})
	}
}

func (v visitor) assignments() {
	n, b, do := v.node, v.b, v.faulty
	for p := range b.partitions {
		for r := range b.replicas {
			switch m := &n.replica[r]; {
			case n.owner[p] == 0 && m.member:
				do(assign, r, p)
			case n.owner[p] == int8(r+1) && !m.cursor[p].taken:
				do(takeOver, r, p)
			}
		}
	}
}

// work tries what replica r does on its own, as a member or not.
func (v visitor) work(r int) {
	n, b := v.node, v.b
	m := &n.replica[r]
	for p := range b.partitions {
		if c := m.cursor[p]; c.taken && int(c.pos) < b.records {
			v.try(read, r, p, fault{})
		}
	}
	sealed := false
	for i, e := range m.entries {
		switch {
		case e.batch == 0:
		case e.state == Sealed && !sealed:
			sealed = true
			v.faulty(prepare, r, i)
		case e.pending:
			if e.state == Prepared && !n.applied[e.batch-1] {
				v.try(finish, r, i, fault{kind: stopApply})
			}
			if !n.concerns(r, e.batch) {
				v.try(finish, r, i, fault{kind: failApply})
			}
			v.faulty(finish, r, i)
		}
	}
	if !sealed && n.open(r) && int(n.batches) < b.batches {
		v.try(seal, r, 0, fault{})
	}
}

func (n *node) owns(r int) bool {
	for _, o := range n.owner {
		if o == int8(r+1) {
			return true
		}
	}
	return false
}

// open says that replica r has consumed records that are in no batch.
func (n *node) open(r int) bool {
	for _, c := range n.replica[r].cursor {
		if c.pos > c.start {
			return true
		}
	}
	return false
}

// concerns says that a partition replica r holds names the batch.
func (n *node) concerns(r int, batch int8) bool {
	for _, h := range n.replica[r].held {
		for _, c := range h.chain {
			if c == batch {
				return true
			}
		}
	}
	return false
}

// step lets the action happen. An error is a violation.
func (n *node) step(a action) (next node, c chances, violation error) {
	defer func() {
		if p := recover(); p != nil {
			violation = fmt.Errorf("panic: %v", p)
		}
	}()
	switch a.kind {
	case crash:
		next = *n
		next.crashes++
		next.restart(a.r)
		return next, c, nil
	case expel:
		next = *n
		next.kicks++
		next.replica[a.r].member = false
		next.leave(a.r)
		return next, c, nil
	case lose:
		next = *n
		next.losses++
		next.lost[a.p], next.kafka[a.p] = true, place{gone: true}
		return next, c, nil
	case read:
		next = *n
		next.replica[a.r].cursor[a.p].pos++
		return next, c, nil
	case assign, takeOver, seal, prepare, finish, handOver: // the driver's, below
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &stage{node: *n, actor: a.r, cancel: cancel, fault: a.fault}
	d, pending := n.driver(a.r, Ports{s, s, s, s})
	err := s.perform(ctx, a, d, pending)
	blamed := a.fault.kind == lostRequest || a.fault.kind == blindReply || a.fault.kind == tornCommit
	switch {
	case errors.Is(err, ErrRejoin) && n.replica[a.r].member && !blamed:
		violation = fmt.Errorf("a session ended without a reason: %w", err)
	case errors.Is(err, ErrRejoin):
		d.close(errLostReply)
		if blamed {
			s.node.crashes++
		}
		s.node.restart(a.r)
	case err != nil:
		violation = err
	default:
		s.node.remember(a.r, d, pending)
	}
	return s.node, s.chances, violation
}

// restart begins a new session of replica r, and a new membership.
func (n *node) restart(r int) {
	n.leave(r)
	n.replica[r] = memory{member: true}
}

func (n *node) leave(r int) {
	for p, o := range n.owner {
		if o == int8(r+1) {
			n.owner[p] = 0
		}
	}
}
