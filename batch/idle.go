package batch

import (
	"context"
	"maps"
)

// Idle asks for the committed clocks of partitions to be moved on, of which everything is committed and for which no batch
// does it. It does not block.
// Calls must not be concurrent; clocks is the driver's from then on.
func (d *Driver) Idle(clocks map[TopicPartition]Complete) {
	select {
	case waiting := <-d.idle:
		maps.Copy(waiting, clocks)
		clocks = waiting
	default:
	}
	d.idle <- clocks // there is room: nobody else sends
}

// runIdle serves Idle.
func (d *Driver) runIdle(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case clocks := <-d.idle:
			if err := d.step("idle", func() error { return d.moveClocks(ctx, clocks) }); err != nil {
				return err
			}
		}
	}
}

func (d *Driver) moveClocks(ctx context.Context, clocks map[TopicPartition]Complete) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	commits := d.ledger.Idle(clocks)
	if len(commits) == 0 {
		return nil
	}
	if err := d.commit(ctx, commits); err != nil {
		return err
	}
	d.ledger.WasIdle(commits, clocks)
	return nil
}
