package buffer

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"tidemark/batch"
)

// job is one part on its way: first rows, then bytes.
type job struct {
	batch  *Batch
	sheet  *sheet
	team   int64 // 0: rejects, or rows of several teams
	number int   // of the team's part
	cause  cause

	rows  []*rows
	count int64 // rows
	data  []byte
}

// object names the part.
func (j *job) object() string { return j.sheet.object(j.batch, j.team, j.number) }

// release frees what the job holds.
func (j *job) release() {
	for _, r := range j.rows {
		r.release()
	}
	j.batch.buffer.budget.held.Add(-int64(cap(j.data)))
	j.rows, j.data = nil, nil
}

// put hands a job on. [Batch.Discard] may have looked for the batch's jobs just before.
func (b *Buffer) put(q *queue[*job], j *job) {
	q.push(j)
	if j.batch.discarded.Load() {
		j.batch.sweep()
	}
}

// each works off a queue until ctx ends.
func (b *Buffer) each(ctx context.Context, q *queue[*job], work func(context.Context, *job) error) error {
	for {
		j, err := q.pop(ctx)
		if err != nil {
			return err
		}
		if err := work(ctx, j); err != nil {
			return err
		}
	}
}

// encodeJob turns the rows of a part into bytes and frees them.
func (b *Buffer) encodeJob(_ context.Context, j *job) error {
	if j.batch.discarded.Load() {
		b.end(j, batch.Part{}, nil)
		return nil
	}
	start := time.Now()
	var recs []arrow.Record
	for _, r := range j.rows {
		recs = append(recs, r.records...)
		j.count += r.count
	}
	data, err := b.parts.Encode(j.sheet.schema, recs)
	j.release()
	b.wake()
	if err != nil {
		err = fmt.Errorf("part %s: %w", j.object(), err)
		b.end(j, batch.Part{}, err)
		return err
	}
	b.metrics.encoded(j.cause, time.Since(start))
	j.data = data
	b.budget.held.Add(int64(cap(data)))
	b.put(&b.upload, j)
	return nil
}

// uploadJob stores a part. Discarding its batch ends the attempt.
func (b *Buffer) uploadJob(ctx context.Context, j *job) error {
	if j.batch.discarded.Load() {
		b.end(j, batch.Part{}, nil)
		return nil
	}
	attempt, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-j.batch.gone:
			cancel()
		case <-attempt.Done():
		}
	}()
	part, err := b.parts.Store(attempt, j.object(), j.team, j.count, j.data)
	if err != nil && j.batch.discarded.Load() {
		err = nil
	}
	b.end(j, part, err)
	return err
}

// end frees what is left of a job and tells its batch.
func (b *Buffer) end(j *job, part batch.Part, err error) {
	j.release()
	b.jobs.Add(-1)
	b.wake()
	j.batch.ended(j, part, err)
}
