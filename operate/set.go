package operate

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tidemark/batch"
)

// Setting is what [Operator.Set] is asked for.
type Setting struct {
	Of Selection
	// Where is earliest, latest, an offset or an RFC 3339 instant.
	Where string
	// Skip allows records to be skipped, and Repeat to be read again.
	Skip, Repeat bool
}

// Set is one partition's new offset.
type Set struct {
	batch.TopicPartition
	From int64 `json:"from"` // -1 if there was none
	To   int64 `json:"to"`
	// Skipped and Repeated are how many offsets are passed over without being exported, and are exported again.
	Skipped  int64 `json:"skipped"`
	Repeated int64 `json:"repeated"`
}

// Set sets offsets of the group, with metadata of tidemark's own. It refuses what would disturb a batch, and what would skip or
// repeat records unless that is asked for. A topic that was made again is consumed from the offset on. It is safe to repeat.
func (o *Operator) Set(ctx context.Context, s Setting) ([]Set, error) {
	to, err := parseWhere(s.Where)
	if err != nil {
		return nil, err
	}
	tps, err := o.selected(ctx, s.Of)
	if err != nil {
		return nil, err
	}
	if err := o.requireEmpty(ctx); err != nil {
		return nil, err
	}
	if err := o.requireUnnamed(ctx, tps); err != nil {
		return nil, err
	}
	sets, err := o.plan(ctx, tps, to, s)
	if err != nil {
		return nil, err
	}
	commits := make([]batch.Commit, len(sets))
	for i, p := range sets {
		commits[i] = batch.Commit{TopicPartition: p.TopicPartition, Offset: p.To, Epoch: -1, Metadata: batch.Metadata{}.String()}
	}
	if err := o.Group.Commit(ctx, commits); err != nil {
		return nil, fmt.Errorf("set offsets: %w", err)
	}
	return sets, o.Group.Accept(ctx, tps)
}

// requireUnnamed refuses partitions that a batch on its way has: by their own chain, or by the manifest of a batch that another
// partition's chain names.
func (o *Operator) requireUnnamed(ctx context.Context, tps []batch.TopicPartition) error {
	list, err := o.Batches(ctx)
	if err != nil {
		return err
	}
	for _, b := range list {
		if b.manifest == nil && slices.ContainsFunc(b.Named, func(tp batch.TopicPartition) bool { return slices.Contains(tps, tp) }) {
			return refuse("%s names batch %s, whose manifest cannot be read; want none: see `tidemark batches`", b.Named[0], b.ID)
		}
		for _, p := range b.Partitions {
			if slices.Contains(tps, p.TopicPartition) {
				return refuse("batch %s has offsets %d to %d of %s and is not finished; want none: apply or void it first, see `tidemark batches show %s`",
					b.ID, p.Start, p.End, p.TopicPartition, b.ID)
			}
		}
	}
	return nil
}

// plan finds out the new offsets and what they skip and repeat.
func (o *Operator) plan(ctx context.Context, tps []batch.TopicPartition, to where, s Setting) ([]Set, error) {
	is, err := o.situation(ctx, tps)
	if err != nil {
		return nil, err
	}
	targets, err := o.targets(ctx, tps, is.bounds, to)
	if err != nil {
		return nil, err
	}
	sets := make([]Set, len(tps))
	var skipped, repeated int64
	for i, tp := range tps {
		if b := is.bounds[tp]; targets[tp] < b.Start || targets[tp] > b.End {
			return nil, refuse("offset %d of %s is not in Kafka; want %d to %d", targets[tp], tp, b.Start, b.End)
		}
		sets[i] = Set{TopicPartition: tp, From: is.offsets[tp].Offset, To: targets[tp]}
		from := sets[i].From
		if from < 0 || is.problems[tp] != nil { // nothing is known of what was exported: what Kafka has before it is skipped
			from = is.bounds[tp].Start
		}
		sets[i].Skipped, sets[i].Repeated = max(0, targets[tp]-from), max(0, from-targets[tp])
		skipped, repeated = skipped+sets[i].Skipped, repeated+sets[i].Repeated
	}
	switch {
	case skipped > 0 && !s.Skip:
		return nil, refuse("%d offsets would be skipped, and their records lost to the export; if that is meant, add --skip-records", skipped)
	case repeated > 0 && !s.Repeat:
		return nil, refuse("%d offsets would be read again, and the rows of events doubled; if that is meant, add --repeat-records", repeated)
	}
	return sets, nil
}

// where is where to go: to an end of the partition, to an offset, or to the first record of an instant.
type where struct {
	earliest, latest bool
	offset           int64
	at               time.Time
}

func parseWhere(s string) (w where, err error) {
	switch s {
	case "earliest":
		return where{earliest: true}, nil
	case "latest":
		return where{latest: true}, nil
	}
	if w.offset, err = strconv.ParseInt(s, 10, 64); err == nil {
		return w, nil
	}
	if w.at, err = time.Parse(time.RFC3339, s); err == nil {
		return w, nil
	}
	return w, refuse("found %q; want earliest, latest, an offset, or an RFC 3339 instant like 2026-09-01T00:00:00Z", s)
}

// targets finds the offsets that it means.
func (o *Operator) targets(ctx context.Context, tps []batch.TopicPartition, bounds map[batch.TopicPartition]Bounds, w where) (map[batch.TopicPartition]int64, error) {
	if !w.at.IsZero() {
		return o.Group.After(ctx, tps, w.at)
	}
	to := make(map[batch.TopicPartition]int64, len(tps))
	for _, tp := range tps {
		switch {
		case w.earliest:
			to[tp] = bounds[tp].Start
		case w.latest:
			to[tp] = bounds[tp].End
		default:
			to[tp] = w.offset
		}
	}
	return to, nil
}
