package batch

import (
	"context"
	"errors"
	"fmt"
)

// perform lets the driver do its part of the action. An error that wraps ErrRejoin ends the session; any other one is a
// violation.
func (s *stage) perform(ctx context.Context, a action, d *Driver, pending map[*entry]bool) error {
	switch a.kind {
	case assign:
		s.node.owner[a.p] = int8(a.r + 1)
		return s.takeOver(ctx, a.p, d)
	case takeOver:
		return s.takeOver(ctx, a.p, d)
	case seal:
		s.seal(d)
		return nil
	case prepare:
		return s.prepare(ctx, d, d.batches[a.p])
	case finish:
		e := d.batches[a.p]
		err := d.finish(ctx, e)
		if (a.fault.kind == stopApply || a.fault.kind == failApply) && errors.Is(err, context.Canceled) {
			return nil
		}
		pending[e] = false
		return err
	default:
		return s.handOver(ctx, a.p, d)
	}
}

// takeOver is what the consumer's callback does for an assigned partition: it is consumed from Position.Offset on.
func (s *stage) takeOver(ctx context.Context, p int, d *Driver) error {
	offsets, err := (&stage{node: s.node}).Fetch(context.Background(), []TopicPartition{tp(int32(p))})
	if err != nil {
		return err
	}
	if s.node.kafka[p].gone {
		return nil // the marks in the bucket tell that it had one: the consumer stops it
	}
	positions, err := d.Assign(ctx, offsets, always)
	switch pos := positions[tp(int32(p))]; {
	case errors.Is(err, ErrRejoin):
		return err
	case err != nil:
		return err
	case pos.Err != nil && s.fault.kind == interrupt:
		s.node.interrupts++
		return nil
	case pos.Err != nil && NeedsPerson(pos.Err) && s.node.waits(p):
		return nil
	case pos.Err != nil:
		return fmt.Errorf("partition %d stopped: %w", p, pos.Err)
	default:
		c := &s.node.replica[s.actor].cursor[p]
		c.taken, c.start, c.pos = true, int8(pos.Offset), int8(pos.Offset)
		return nil
	}
}

// seal is what the consumer does at a boundary: all partitions of which it has consumed something are in the batch.
func (s *stage) seal(d *Driver) *entry {
	i := s.node.batches
	s.node.batches++
	for p := range s.node.replica[s.actor].cursor {
		if c := &s.node.replica[s.actor].cursor[p]; c.pos > c.start {
			s.node.ranges[i][p] = span{true, c.start, c.pos}
			c.start = c.pos
		}
	}
	m := s.node.manifest(i)
	d.Seal(m, &rows{manifest: m})
	return <-d.sealed
}

// prepare is what runPrepare does with a batch: every error ends the session.
func (s *stage) prepare(ctx context.Context, d *Driver, e *entry) error {
	if err := d.prepare(ctx, e); err != nil {
		return fmt.Errorf("%w: %w", err, ErrRejoin)
	}
	return nil
}

// handOver is what the consumer's revoke callback does: everything open is decided, then the partition is released.
func (s *stage) handOver(ctx context.Context, p int, d *Driver) error {
	for _, e := range d.batches {
		if e.state == Sealed {
			if err := s.prepare(ctx, d, e); err != nil {
				return err
			}
		}
	}
	if s.node.open(s.actor) {
		if err := s.prepare(ctx, d, s.seal(d)); err != nil {
			return err
		}
	}
	d.Release([]TopicPartition{tp(int32(p))})
	s.node.moves++
	s.node.owner[p] = 0
	c := &s.node.replica[s.actor].cursor[p]
	c.taken, c.start, c.pos = false, 0, 0
	return nil
}
