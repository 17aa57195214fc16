package operate

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"tidemark/batch"
)

// Voiding is a batch that is about to be voided: its evidence, for a person to look at first.
type Voiding struct {
	Batch
	o       *Operator
	commits []batch.Commit
}

// Void looks whether a batch may be voided: its records are then read again, and no replica can apply it any more. Nothing is
// changed before [Voiding.Confirm]. It refuses where a job runs or has succeeded: the rows are, or will be, in the table.
//
// withoutManifest goes on where the manifest is gone for good: BigQuery's list of this account's jobs is the evidence then.
func (o *Operator) Void(ctx context.Context, id batch.ID, withoutManifest bool) (*Voiding, error) {
	b, err := o.look(ctx, id)
	if err != nil {
		return nil, err
	}
	v := &Voiding{Batch: b, o: o}
	switch {
	case b.manifest == nil && !withoutManifest:
		return v, refuse("batch %s: %s; restore it from the bucket's soft delete or versions, or, if it is gone for good, give the batch up with --without-manifest", id, b.Problem)
	case b.manifest == nil:
		if err := o.requireNoTrace(ctx, id); err != nil {
			return v, err
		}
	}
	for _, t := range b.Tables {
		if t.State == batch.Succeeded && t.Parts > 0 || t.State == batch.Running {
			return v, refuse("job %s on %s has %s; want no job that has had, or may have, its effect: apply the batch with `tidemark batches apply %s`", t.JobID, t.Name, t.State, id)
		}
	}
	if err := o.requireEmpty(ctx); err != nil {
		return v, err
	}
	v.commits, err = o.cuts(ctx, id)
	return v, err
}

// requireNoTrace refuses where BigQuery has jobs of the batch.
func (o *Operator) requireNoTrace(ctx context.Context, id batch.ID) error {
	jobs, err := o.Jobs.Traces(ctx, id)
	if err != nil {
		return err
	}
	if len(jobs) > 0 {
		return refuse("batch %s has no manifest, and BigQuery has %d jobs of it (%s); want none: without the manifest nobody can tell whether all its rows are in", id, len(jobs), short(jobs))
	}
	return nil
}

// cuts returns the commits that take a batch out of the chains. It stands last in each, for a batch behind it begins where this
// one ends.
func (o *Operator) cuts(ctx context.Context, id batch.ID) ([]batch.Commit, error) {
	chains, err := o.chains(ctx)
	if err != nil {
		return nil, err
	}
	var commits []batch.Commit
	for _, tp := range slices.SortedFunc(maps.Keys(chains), batch.TopicPartition.Compare) {
		c := chains[tp]
		at := c.place(id)
		switch last := len(c.meta.Chain) - 1; {
		case at < 0:
		case at < last:
			return nil, refuse("%s names batch %s behind it; want the last of a chain: void that one first", tp, c.meta.Chain[last].Batch)
		default:
			c.meta.Chain = c.meta.Chain[:at]
			commits = append(commits, batch.Commit{TopicPartition: tp, Offset: c.offset.Offset, Epoch: c.offset.Epoch, Metadata: c.meta.String()})
		}
	}
	if len(commits) == 0 {
		return nil, refuse("no partition of group %s names batch %s; want one that `tidemark batches` lists", o.Name, id)
	}
	return commits, nil
}

// Confirm voids the batch: it uses up the job IDs of every table, so that a replica that sleeps cannot apply it later, and then
// clears the batch from the metadata. It may be done again, from [Operator.Void] on, after a crash at any point.
func (v *Voiding) Confirm(ctx context.Context) error {
	if m := v.manifest; m != nil {
		for i := range m.Tables {
			t := &m.Tables[i]
			if len(t.Parts) == 0 {
				continue
			}
			e, err := v.o.Jobs.Void(ctx, m, t)
			if err != nil {
				return fmt.Errorf("void batch %s on %s: %w", v.ID, t.Target, err)
			}
			if e.State != batch.Voided {
				return refuse("meanwhile job %s on %s has %s; want no job: apply the batch with `tidemark batches apply %s`", e.JobID, t.Target, e.State, v.ID)
			}
		}
	}
	if err := v.o.Group.Commit(ctx, v.commits); err != nil {
		return fmt.Errorf("clear batch %s from the metadata: %w", v.ID, err)
	}
	v.o.Say("batch %s is void; the records of %d partitions are read again", v.ID, len(v.commits))
	return nil
}
