package batch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Position is where a newly assigned partition is consumed from.
type Position struct {
	Offset int64
	Epoch  int32     // leader epoch of the record before Offset, -1 if it is not known
	Clock  time.Time // up to which the partition is complete at Offset
	// Err says why the partition must not be consumed, if it must not. Taking it over may be tried again with newly read
	// offsets; [NeedsPerson] tells whether that can help before a person has done something.
	Err error
}

// NeedsPerson says whether a partition stays as it is until a person has decided something, given why it is not consumed.
func NeedsPerson(err error) bool {
	for _, final := range []error{ErrNoManifest, ErrManifestVersion, ErrMetadataVersion, ErrMetadata, ErrGap, ErrNoOffset, ErrMoved, ErrUndecided} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// judged is a batch that a chain names, with what becomes of it.
type judged struct {
	manifest *Manifest
	verdict  State
	err      error
}

// Assign takes over partitions as Kafka describes them, each by itself. Batches that their chains name are driven to the
// end from now on, whoever sealed them, and the partitions are consumed from the last one's end at once. A chain entry that
// was never decided is void and is cleared.
//
// Everything is read first, and then the partitions are entered in one step under the ownership lock. still is asked there
// whether a partition is still assigned: whoever takes one away makes still say so first, and calls [Driver.Release] then.
// An error wraps [ErrRejoin]: the session has to end.
func (d *Driver) Assign(ctx context.Context, offsets map[TopicPartition]GroupOffset, still func(TopicPartition) bool) (map[TopicPartition]Position, error) {
	metas := make(map[TopicPartition]Metadata, len(offsets))
	positions := make(map[TopicPartition]Position, len(offsets))
	var named []ID
	for tp, o := range offsets {
		meta, err := ParseMetadata(o.Metadata)
		if err = errors.Join(o.Err, err); err != nil {
			positions[tp] = Position{Err: err}
			continue
		}
		metas[tp] = meta
		for _, link := range meta.Chain {
			if !slices.Contains(named, link.Batch) {
				named = append(named, link.Batch)
			}
		}
	}
	found := d.findBatches(ctx, named)
	d.mu.Lock()
	defer d.mu.Unlock()
	var cuts []Commit
	for _, tp := range sortedKeys(metas) {
		if !still(tp) {
			continue
		}
		pos, keep := position(tp, offsets[tp], metas[tp], found)
		positions[tp] = pos
		if pos.Err != nil {
			continue
		}
		cuts = append(cuts, d.hold(tp, offsets[tp], metas[tp], keep, found)...)
	}
	if len(cuts) > 0 {
		if err := d.commit(ctx, cuts); err != nil {
			return nil, fmt.Errorf("clear undecided batches: %w", err)
		}
	}
	d.drive()
	d.refresh()
	return positions, nil
}

// findBatches reads and judges batches, several at a time. One that is on its way here is not judged again.
func (d *Driver) findBatches(ctx context.Context, ids []ID) map[ID]judged {
	found := make(map[ID]judged, len(ids))
	d.mu.Lock()
	for _, e := range d.batches {
		if slices.Contains(ids, e.manifest.ID) {
			found[e.manifest.ID] = judged{manifest: e.manifest, verdict: Prepared}
		}
	}
	d.mu.Unlock()
	unknown := slices.DeleteFunc(slices.Clone(ids), func(id ID) bool { return found[id].manifest != nil })
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(d.cfg.MaxJudging)
	for _, id := range unknown {
		g.Go(func() error {
			j := d.judge(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			found[id] = j
			return nil
		})
	}
	_ = g.Wait() // each has its own error
	return found
}

func (d *Driver) judge(ctx context.Context, id ID) (j judged) {
	if j.manifest, j.err = d.ports.Manifests.Get(ctx, id); j.err != nil {
		return j
	}
	_ = d.step("judge", func() error {
		var what Judgement
		if what, j.err = (Judge{Offsets: d.ports.Offsets, Witness: d.ports.Applier}).Judge(ctx, j.manifest); j.err == nil {
			j.verdict, j.err = what.Verdict, what.Err
		}
		return j.err
	})
	if j.err == nil {
		d.log.Info("batch found in commit metadata", "batch", id, "verdict", j.verdict, "sealed_at", j.manifest.SealedAt)
	}
	return j
}

// position says where a partition is consumed from, and how many links of its chain stay.
func position(tp TopicPartition, o GroupOffset, meta Metadata, found map[ID]judged) (pos Position, keep int) {
	pos = Position{Offset: o.Offset, Epoch: o.Epoch, Clock: meta.Clock}
	for i, link := range meta.Chain {
		j := found[link.Batch]
		if j.err == nil && j.verdict == Void {
			return pos, i // nothing can have been decided behind it
		}
		if j.err != nil {
			return Position{Err: fmt.Errorf("batch %s: %w", link.Batch, j.err)}, 0
		}
		r, ok := j.manifest.Range(tp)
		if !ok || r.End != link.End || r.Start != pos.Offset {
			return Position{Err: fmt.Errorf("batch %s: chain has it from %d to %d, its manifest has range [%d, %d): %w",
				link.Batch, pos.Offset, link.End, r.Start, r.End, ErrGap)}, 0
		}
		pos = Position{Offset: r.End, Epoch: r.Epoch, Clock: r.Clock}
	}
	return pos, len(meta.Chain)
}

// hold enters the partition into the ledger with the first links of its chain, and their batches among those that are
// driven. It returns the commit that clears the rest of the chain, if there is one. d.mu is held.
func (d *Driver) hold(tp TopicPartition, o GroupOffset, meta Metadata, keep int, found map[ID]judged) (cut []Commit) {
	if keep < len(meta.Chain) {
		d.log.Warn("undecided batches cleared from commit metadata; their records are read again",
			"topic", tp.Topic, "partition", tp.Partition, "batch", meta.Chain[keep].Batch, "count", len(meta.Chain)-keep)
		meta.Chain = meta.Chain[:keep:keep]
		cut = append(cut, Commit{tp, o.Offset, o.Epoch, meta.String()})
	}
	d.ledger.Hold(tp, o, meta)
	for _, link := range meta.Chain {
		if slices.ContainsFunc(d.batches, func(e *entry) bool { return e.manifest.ID == link.Batch }) {
			continue
		}
		// It may also have been here and come to its end while the offsets were read: this partition is still to be committed.
		j := found[link.Batch]
		e := &entry{manifest: j.manifest, prepared: make(chan struct{}), state: Found, since: time.Now()}
		close(e.prepared)
		d.become(e, j.verdict)
		d.batches = append(d.batches, e)
	}
	return cut
}

// Begin commits the offsets at which partitions start that the group has never consumed, under the ownership lock: of those
// that are still assigned, which it returns. An error wraps [ErrRejoin].
func (d *Driver) Begin(ctx context.Context, commits []Commit, still func(TopicPartition) bool) (done []Commit, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range commits {
		if still(c.TopicPartition) {
			done = append(done, c)
		}
	}
	if len(done) == 0 {
		return nil, nil
	}
	if err := d.commit(ctx, done); err != nil {
		return nil, fmt.Errorf("commit start offsets: %w", err)
	}
	return done, nil
}

func sortedKeys[V any](m map[TopicPartition]V) []TopicPartition {
	return slices.SortedFunc(maps.Keys(m), TopicPartition.Compare)
}
