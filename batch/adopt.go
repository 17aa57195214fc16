package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Position is where a newly assigned partition is consumed from.
type Position struct {
	Offset int64
	Clock  time.Time // of the records before Offset, as far as known
	// Stop says why the partition must not be consumed at all, if it must not.
	Stop error
}

// Assign takes over partitions as Kafka describes them. Batches that their chains name are driven to the end from now
// on, whoever sealed them, and the partitions are consumed from the last one's end at once. A chain entry that was
// never decided is void and is cleared. Assign is safe to repeat for a partition it was called for before.
//
// A partition whose metadata or manifests cannot be trusted (unknown version, manifest missing) gets Position.Stop. An
// error means that not all partitions were taken over, and none must be consumed before a repeated call with newly read
// offsets succeeds; it wraps [ErrRejoin] if the session has to end.
func (d *Driver) Assign(ctx context.Context, offsets map[TopicPartition]GroupOffset) (map[TopicPartition]Position, error) {
	positions := make(map[TopicPartition]Position, len(offsets))
	for _, tp := range sortedKeys(offsets) {
		pos, err := d.assign(ctx, tp, offsets[tp])
		if err != nil {
			return nil, fmt.Errorf("assign %s: %w", tp, err)
		}
		positions[tp] = pos
	}
	return positions, nil
}

func (d *Driver) assign(ctx context.Context, tp TopicPartition, o GroupOffset) (Position, error) {
	meta, err := ParseMetadata(o.Metadata)
	if err != nil {
		return Position{Stop: err}, nil
	}
	var found []*entry
	pos := Position{Offset: o.Offset, Clock: meta.Clock}
	for i, link := range meta.Chain {
		e, err := d.adopt(ctx, tp, link)
		switch {
		case errors.Is(err, ErrNoManifest), errors.Is(err, ErrManifestVersion), errors.Is(err, ErrGap), errors.Is(err, ErrMetadataVersion),
			errors.Is(err, ErrNoOffset):
			return Position{Stop: fmt.Errorf("batch %s: %w", link.Batch, err)}, nil
		case err != nil:
			return Position{}, err
		case e == nil:
			return pos, d.hold(ctx, tp, o, meta, i, found)
		}
		found = append(found, e)
		r, _ := e.manifest.Range(tp)
		pos = Position{Offset: r.End, Clock: r.Clock}
	}
	return pos, d.hold(ctx, tp, o, meta, len(meta.Chain), found)
}

// adopt returns the entry of a batch named in tp's chain, nil if the batch is void.
func (d *Driver) adopt(ctx context.Context, tp TopicPartition, link Link) (*entry, error) {
	d.mu.Lock()
	i := slices.IndexFunc(d.batches, func(e *entry) bool { return e.manifest.ID == link.Batch })
	if i >= 0 {
		defer d.mu.Unlock()
		return d.batches[i], nil
	}
	d.mu.Unlock()
	m, err := d.ports.Manifests.Get(ctx, link.Batch)
	if err != nil {
		return nil, err
	}
	if r, ok := m.Range(tp); !ok || r.End != link.End {
		return nil, fmt.Errorf("chain ends it at %d, its manifest has range [%d, %d): %w", link.End, r.Start, r.End, ErrGap)
	}
	e := &entry{manifest: m, prepared: make(chan struct{}), state: Found, since: time.Now()}
	var next State
	if err := d.step("adopt", func() (err error) { next, err = d.judge(ctx, m); return err }); err != nil {
		return nil, err
	}
	d.log.Info("batch found in commit metadata", "batch", m.ID, "state", next, "sealed_at", m.SealedAt, "topic", tp.Topic, "partition", tp.Partition)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.become(e, next)
	if next == Void {
		return nil, nil
	}
	close(e.prepared)
	return e, nil
}

// judge finds out whether a batch that one partition names was decided. It was if every partition of its manifest names
// it. Where one neither names it nor is past its range, the prepare was accepted in part only and its replica applied
// nothing. Where one is past the range, the batch was either applied and committed there, or never decided and consumed
// again in another batch: only BigQuery can tell, and nothing new may be submitted to find out. Where one has no offset
// any more, Kafka has forgotten what would tell: a partition has an offset before a batch can name it.
func (d *Driver) judge(ctx context.Context, m *Manifest) (State, error) {
	offsets, err := d.ports.Offsets.Fetch(ctx, m.Partitions())
	if err != nil {
		return 0, err
	}
	past := false
	for _, r := range m.Ranges {
		o := offsets[r.TopicPartition]
		meta, err := ParseMetadata(o.Metadata)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", r.TopicPartition, err)
		}
		if slices.ContainsFunc(meta.Chain, func(l Link) bool { return l.Batch == m.ID }) {
			continue
		}
		switch {
		case o.Offset < 0:
			return 0, fmt.Errorf("%s: %w", r.TopicPartition, ErrNoOffset)
		case o.Offset < r.End:
			return Void, nil
		}
		past = true
	}
	if !past {
		return Prepared, nil
	}
	return d.trace(ctx, m)
}

// trace looks in BigQuery for an undecided-looking batch. No table is applied before the decision, so one that is proves
// it, and the others are still to be applied: a batch whose offsets were moved by hand in between.
func (d *Driver) trace(ctx context.Context, m *Manifest) (State, error) {
	found := 0
	for i := range m.Tables {
		applied, err := d.ports.Applier.Applied(ctx, m, &m.Tables[i])
		if err != nil {
			return 0, err
		}
		if applied {
			found++
		}
	}
	switch found {
	case len(m.Tables):
		return Applied, nil
	case 0:
		return Void, nil
	}
	return Prepared, nil
}

// hold enters the partition into the ledger with the first n links of its chain, clears the rest in Kafka, and starts
// driving the batches found.
func (d *Driver) hold(ctx context.Context, tp TopicPartition, o GroupOffset, meta Metadata, n int, found []*entry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ledger.Hold(tp, o.Offset, meta)
	if n < len(meta.Chain) {
		d.log.Warn("undecided batches cleared from commit metadata; their records are read again",
			"topic", tp.Topic, "partition", tp.Partition, "batch", meta.Chain[n].Batch, "count", len(meta.Chain)-n)
		if err := d.commit(ctx, []Commit{d.ledger.Cut(tp, n)}); err != nil {
			return err
		}
		d.ledger.WasCut(tp, n)
	}
	for _, e := range found {
		if slices.Contains(d.batches, e) {
			continue
		}
		if e.driven {
			e = d.again(e)
		}
		d.batches = append(d.batches, e)
	}
	d.drive()
	d.refresh()
	return nil
}

// again returns a new entry for a batch that came to its end here, because no held partition named it, while Assign was
// reading: the partition that is being taken over does name it and is still to be committed. d.mu is held.
func (d *Driver) again(e *entry) *entry {
	next := e.state
	if next == Committed {
		next = Applied // it was; the new partition was not committed
	}
	n := &entry{manifest: e.manifest, prepared: e.prepared, state: Found, since: time.Now()}
	d.become(n, next)
	return n
}

func sortedKeys[V any](m map[TopicPartition]V) []TopicPartition {
	tps := make([]TopicPartition, 0, len(m))
	for tp := range m {
		tps = append(tps, tp)
	}
	slices.SortFunc(tps, TopicPartition.Compare)
	return tps
}
