package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

var (
	// ErrNoOffset means that a partition of a batch had a committed offset and has none any more, so that Kafka cannot tell
	// whether the batch was decided.
	ErrNoOffset = errors.New("the group's committed offset is gone")
	// ErrMoved means that something other than tidemark has committed an offset of the group, and with it wiped out what
	// named the batches of the partition.
	ErrMoved = errors.New("the group's offset was set by another program")
	// ErrUndecided means that nobody but a person can say what becomes of a batch.
	ErrUndecided = errors.New("a person has to decide what becomes of the batch")
)

// Standing is how one partition's committed offset stands to a batch.
type Standing string

// The standings.
const (
	Names  Standing = "names it"     // the partition's chain holds the batch
	Before Standing = "before it"    // the offset is below the range's end, and tidemark wrote it
	Past   Standing = "past it"      // the offset is at the range's end or behind, and tidemark wrote it
	Moved  Standing = "moved"        // another program wrote the offset
	Gone   Standing = "no offset"    // Kafka has none
	Newer  Standing = "not known"    // a newer tidemark wrote the metadata
	Denied Standing = "not readable" // Kafka refuses to tell
)

// Judgement is what is known of a batch that a partition's metadata names, and what follows from it.
type Judgement struct {
	// Verdict is [Prepared] (decided: it has to be applied), [Applied] (its rows are in BigQuery: it has to be committed) or
	// [Void] (never decided). It is zero if a person has to decide; Err says why then.
	Verdict State
	Err     error
	// Partitions has the standing of every range, in the manifest's order.
	Partitions []PartitionStanding
	// Tables has BigQuery's evidence of every table, in the manifest's order; nil if it was not asked for.
	Tables []Evidence
}

// PartitionStanding is one partition of a judged batch.
type PartitionStanding struct {
	Range
	Standing  Standing `json:"standing"`
	Committed int64    `json:"committed"` // -1 if there is none
}

// Judge says what becomes of batches found in commit metadata. It does no more than read, so it is safe to repeat, and
// operators' commands use it as well as the driver.
type Judge struct {
	Offsets GroupOffsets
	Witness Witness
	// Thorough asks BigQuery also where Kafka's answer is enough.
	Thorough bool
}

// Judge finds out whether a batch was decided.
//
// It was if every partition of its manifest names it: the prepare was acknowledged in full, and nothing else is asked, so
// that consuming goes on while BigQuery does not answer. Otherwise BigQuery decides. Nothing is submitted for a batch
// before it is decided, so any job proves that it was, whatever has become of the offsets since. Without a job, a
// partition that does not name the batch never did, if tidemark itself wrote what it has: a prepare was accepted in part
// only. Where an offset is gone, or another program wrote it, what would tell is lost, and only a person can decide.
//
// The error is one of Kafka or BigQuery that may pass; the judgement is then not known.
func (j Judge) Judge(ctx context.Context, m *Manifest) (Judgement, error) {
	var judged Judgement
	offsets, err := j.Offsets.Fetch(ctx, m.Partitions())
	if err != nil {
		return judged, err
	}
	all := true
	var unclear error
	for _, r := range m.Ranges {
		s, err := standing(m, r, offsets[r.TopicPartition])
		judged.Partitions = append(judged.Partitions, s)
		all = all && s.Standing == Names
		switch {
		case s.Standing == Denied:
			return judged, fmt.Errorf("%s: %w", r.TopicPartition, err)
		case err != nil && unclear == nil:
			unclear = fmt.Errorf("%s: %w", r.TopicPartition, err)
		}
	}
	if all && !j.Thorough {
		judged.Verdict = Prepared
		return judged, nil
	}
	if judged.Tables, err = j.evidence(ctx, m); err != nil {
		return judged, err
	}
	judged.Verdict, judged.Err = verdict(judged.Tables, all, unclear)
	return judged, nil
}

// standing reads what a partition says of the batch. Its error says why that is unclear.
func standing(m *Manifest, r Range, o GroupOffset) (PartitionStanding, error) {
	s := PartitionStanding{Range: r, Committed: o.Offset}
	meta, err := ParseMetadata(o.Metadata)
	switch {
	case o.Err != nil:
		s.Standing, s.Committed = Denied, -1
		return s, o.Err
	case o.Offset < 0:
		s.Standing, s.Committed = Gone, -1
		return s, ErrNoOffset
	case err != nil:
		s.Standing = Newer
		return s, err
	case slices.ContainsFunc(meta.Chain, func(l Link) bool { return l.Batch == m.ID }):
		s.Standing = Names
		return s, nil
	case meta.Foreign:
		s.Standing = Moved
		return s, ErrMoved
	case o.Offset < r.End:
		s.Standing = Before
		return s, nil
	}
	s.Standing = Past
	return s, nil
}

func (j Judge) evidence(ctx context.Context, m *Manifest) ([]Evidence, error) {
	tables := make([]Evidence, len(m.Tables))
	for i := range m.Tables {
		e, err := j.Witness.Evidence(ctx, m, &m.Tables[i])
		if err != nil {
			return nil, fmt.Errorf("look for the jobs of batch %s: %w", m.ID, err)
		}
		tables[i] = e
	}
	return tables, nil
}

// verdict weighs the evidence. all says that every partition names the batch; unclear is why Kafka's answer proves nothing.
// A batch without tables has nothing to apply.
func verdict(tables []Evidence, all bool, unclear error) (State, error) {
	applied, started, voided := true, false, false
	for _, e := range tables {
		applied = applied && e.State == Succeeded
		started = started || e.State.Decided()
		voided = voided || e.State == Voided
	}
	switch {
	case voided && started:
		return 0, fmt.Errorf("%w: one of its tables is voided and another one has jobs", ErrUndecided)
	case voided:
		return Void, nil
	case applied:
		return Applied, nil
	case all || started:
		return Prepared, nil
	case unclear != nil:
		return 0, fmt.Errorf("%w: %w", ErrUndecided, unclear)
	}
	return Void, nil
}
