package operate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tidemark/batch"
)

// attempts is how often a table is tried before the person is asked to mend what BigQuery says.
const attempts = 3

// Apply applies a batch as a replica would, with the same job IDs, and commits its end for all of its partitions that are not
// past it: its rows are in the table then, whatever has become of the offsets. It is safe to repeat.
func (o *Operator) Apply(ctx context.Context, id batch.ID) (Batch, error) {
	b, err := o.Show(ctx, id)
	if err != nil {
		return b, err
	}
	if err := o.requireEmpty(ctx); err != nil {
		return b, err
	}
	commits, err := o.ends(ctx, b)
	if err != nil {
		return b, err
	}
	for i := range b.manifest.Tables {
		if err := o.applyTable(ctx, b.manifest, &b.manifest.Tables[i]); err != nil {
			return b, err
		}
	}
	if err := o.requireEmpty(ctx); err != nil { // somebody may have started a replica meanwhile
		return b, err
	}
	if len(commits) > 0 {
		if err := o.Group.Commit(ctx, commits); err != nil {
			return b, fmt.Errorf("commit batch %s: %w", id, err)
		}
	}
	o.Say("batch %s is applied; %d of its %d partitions were set to its end, the others are past it", id, len(commits), len(b.Partitions))
	return o.look(ctx, id)
}

// ends returns the commits of the batch's end.
func (o *Operator) ends(ctx context.Context, b Batch) ([]batch.Commit, error) {
	chains, err := o.chains(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range b.Tables {
		if t.State == batch.Voided {
			return nil, refuse("batch %s was voided (job %s); want one that was not: finish that with `tidemark batches void %s`", b.ID, t.JobID, b.ID)
		}
	}
	var commits []batch.Commit
	for _, r := range b.manifest.Ranges {
		c, there := chains[r.TopicPartition]
		at := c.place(b.ID)
		switch {
		case !there: // its topic is gone, and with it what could be committed
		case at > 0:
			return nil, refuse("%s names batch %s before it; want the first of a chain: apply that one first", r.TopicPartition, c.meta.Chain[0].Batch)
		case at == 0:
			commits = append(commits, batch.EndOf(r, c.meta))
		case c.offset.Offset >= r.End:
		case len(c.meta.Chain) > 0:
			return nil, refuse("%s is at %d, before the batch's end %d, and names batch %s; want none: see to that one first",
				r.TopicPartition, c.offset.Offset, r.End, c.meta.Chain[0].Batch)
		default:
			commits = append(commits, batch.Commit{TopicPartition: r.TopicPartition, Offset: r.End, Epoch: r.Epoch, Metadata: batch.Metadata{Clock: r.Clock}.String()})
		}
	}
	return commits, nil
}

// applyTable applies one table. What may pass is tried again a few times.
func (o *Operator) applyTable(ctx context.Context, m *batch.Manifest, t *batch.Table) error {
	backoff := batch.Backoff{Min: time.Second, Max: 10 * time.Second}
	for n := 1; ; n++ {
		o.Say("applying %d rows to %s, attempt %d", t.Rows(), t.Target, n)
		err := batch.ApplyTable(ctx, o.Jobs, m, t)
		if err == nil {
			return nil
		}
		if n == attempts || errors.Is(err, batch.ErrVoided) || errors.Is(err, batch.ErrMiscount) || batch.RetryAfter(err) > 0 {
			return err
		}
		o.Say("%v", err)
		if !batch.Pause(ctx, backoff.Next()) {
			return ctx.Err()
		}
	}
}
