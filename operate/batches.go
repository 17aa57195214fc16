package operate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tidemark/batch"
)

// Batch is a batch with all that is known of it.
type Batch struct {
	ID       batch.ID  `json:"id"`
	Stream   string    `json:"stream,omitempty"`
	Group    string    `json:"group,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	SealedAt time.Time `json:"sealed_at,omitzero"`
	Tables   []Table   `json:"tables"`
	// Partitions are the ranges, and how the group's offsets stand to them.
	Partitions []batch.PartitionStanding `json:"partitions"`
	// Named are the partitions that name the batch although its manifest is not readable.
	Named []batch.TopicPartition `json:"named,omitempty"`
	// Next is what the next replica would do with it.
	Next string `json:"next"`
	// Problem is why a person has to decide.
	Problem string `json:"problem,omitempty"`

	manifest *batch.Manifest
	err      error
}

// Table is one table of a batch.
type Table struct {
	Name  string `json:"table"`
	Rows  int64  `json:"rows"`
	Parts int    `json:"parts"`
	batch.Evidence
}

// Batches returns the batches that the metadata of any partition names, in the order in which they were opened.
func (o *Operator) Batches(ctx context.Context) ([]Batch, error) {
	chains, err := o.chains(ctx)
	if err != nil {
		return nil, err
	}
	named := make(map[batch.ID][]batch.TopicPartition)
	for tp, c := range chains {
		for _, link := range c.meta.Chain {
			named[link.Batch] = append(named[link.Batch], tp)
		}
	}
	list := make([]Batch, 0, len(named))
	for id, tps := range named {
		b, err := o.look(ctx, id)
		if err != nil {
			return nil, err
		}
		if b.manifest == nil {
			slices.SortFunc(tps, batch.TopicPartition.Compare)
			b.Named = tps
		}
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b Batch) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	return list, nil
}

// Show returns one batch, whether or not a partition names it.
func (o *Operator) Show(ctx context.Context, id batch.ID) (Batch, error) {
	b, err := o.look(ctx, id)
	if err == nil && b.manifest == nil {
		return b, refuse("batch %s: %v; looked for %s", id, b.err, o.Manifests.Place(id))
	}
	return b, err
}

// look reads a batch's manifest and judges it. A manifest that cannot be read is told of in the batch.
func (o *Operator) look(ctx context.Context, id batch.ID) (Batch, error) {
	m, err := o.Manifests.Get(ctx, id)
	if errors.Is(err, batch.ErrNoManifest) || errors.Is(err, batch.ErrManifestVersion) {
		return Batch{ID: id, Next: "waits for a person", Problem: fmt.Sprintf("%v; looked for %s", err, o.Manifests.Place(id)), err: err}, nil
	}
	if err != nil {
		return Batch{}, err
	}
	judged, err := batch.Judge{Offsets: o.Group, Witness: o.Jobs, Thorough: true}.Judge(ctx, m)
	if err != nil {
		return Batch{}, fmt.Errorf("batch %s: %w", id, err)
	}
	b := Batch{ID: id, Stream: m.Stream, Group: m.Group, Reason: m.Reason, SealedAt: m.SealedAt, Partitions: judged.Partitions, manifest: m}
	for i := range m.Tables {
		t := &m.Tables[i]
		b.Tables = append(b.Tables, Table{Name: t.Target.String(), Rows: t.Rows(), Parts: len(t.Parts), Evidence: judged.Tables[i]})
	}
	b.Next = next(judged)
	if judged.Err != nil {
		b.Problem = judged.Err.Error()
	}
	return b, nil
}

// next says what a replica would do with a batch.
func next(j batch.Judgement) string {
	if !slices.ContainsFunc(j.Partitions, func(p batch.PartitionStanding) bool { return p.Standing == batch.Names }) {
		return "leaves it alone: no partition names it"
	}
	switch j.Verdict {
	case batch.Prepared:
		return "applies it"
	case batch.Applied:
		return "commits it: its rows are in BigQuery"
	case batch.Void:
		return "clears it: it was never decided, or was voided"
	default:
		return "waits for a person"
	}
}

// chain is what a partition's metadata names.
type chain struct {
	offset batch.GroupOffset
	meta   batch.Metadata
}

// chains reads the metadata of all partitions. Metadata that cannot be read stop it: they may name anything.
func (o *Operator) chains(ctx context.Context) (map[batch.TopicPartition]chain, error) {
	tps, err := o.Group.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	offsets, err := o.Group.Fetch(ctx, tps)
	if err != nil {
		return nil, err
	}
	chains := make(map[batch.TopicPartition]chain, len(tps))
	for tp, offset := range offsets {
		meta, err := batch.ParseMetadata(offset.Metadata)
		if err = errors.Join(offset.Err, err); err != nil {
			return nil, fmt.Errorf("%s: %w", tp, err)
		}
		chains[tp] = chain{offset, meta}
	}
	return chains, nil
}

// place says where a batch stands in a partition's chain, or -1.
func (c chain) place(id batch.ID) int {
	return slices.IndexFunc(c.meta.Chain, func(l batch.Link) bool { return l.Batch == id })
}

// refuse is an error that wraps ErrRefused.
func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// short lists the first few names.
func short(names []string) string {
	const most = 3
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}
