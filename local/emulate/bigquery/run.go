package bigquery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// errClosing ends jobs when the server is closed; they stay as they were recorded
// and are run anew on reopening.
var errClosing = errors.New("bigquery: server is closing")

// accept makes a job of the work: it takes the ID, records the job, for BigQuery
// does not forget one that it has accepted, and sets it going.
func (s *Server) accept(key jobKey, config *bq.JobConfiguration, w work) (*job, error) {
	if err := checkName("job", key.id, jobPattern); err != nil {
		return nil, err
	}
	now := s.cfg.Now()
	j := newJob(key, config, w, now)
	ctx, cancel := s.jobContext()
	j.cancel = cancel
	if err := s.jobs.add(j); err != nil {
		j.cancel(nil)
		return nil, err
	}
	if w.kind() == kindLoad {
		j.denied = !s.quota.admit(w.writes()[0], now)
	}
	err := s.store.transact(context.WithoutCancel(ctx), func(t *txn) error {
		return t.putJob(ctx, j.seq, false, j.snapshot())
	})
	if err != nil {
		s.jobs.remove(j)
		j.cancel(nil)
		return nil, fmt.Errorf("record job %s: %w", key.id, err)
	}
	s.start(ctx, j)
	return j, nil
}

// putJob records the job as accepted or done.
func (t *txn) putJob(ctx context.Context, seq int64, done bool, record *bq.Job) error {
	_, err := t.exec(context.WithoutCancel(ctx), `INSERT INTO "$catalog".jobs VALUES (?, ?, ?)`, seq, done, mustJSON(record))
	return err
}

// jobContext is the context of a job, which is there before others see the job.
func (s *Server) jobContext() (context.Context, context.CancelCauseFunc) {
	return context.WithCancelCause(s.ctx)
}

// start runs the job in a goroutine that Close waits for.
func (s *Server) start(ctx context.Context, j *job) {
	s.running.Go(func() {
		defer j.cancel(nil)
		s.runJob(ctx, j)
	})
}

// runJob takes the job from PENDING to DONE, unless the server is closed.
func (s *Server) runJob(ctx context.Context, j *job) {
	fault := s.cfg.Faults.Job(j.call())
	if limit := j.record.Configuration.JobTimeoutMs; limit > 0 {
		// Relative to the job's creation, which another server may have seen
		// (docs.cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfiguration.FIELDS.job_timeout_ms).
		passed := s.cfg.Now().Sub(time.UnixMilli(j.record.Statistics.CreationTime))
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, time.Duration(limit)*time.Millisecond-passed,
			s.catalog.phrases.refuse(caseTimeout, with(map[string]string{}, "milliseconds", limit)))
		defer stop()
	}
	err := pause(ctx, s.cfg.Pending+fault.Pending, fault.HoldPending)
	if err == nil {
		err = s.runStarted(ctx, j, fault)
	}
	if err == nil || errors.Is(context.Cause(ctx), errClosing) {
		return
	}
	s.fail(j, asAPIError(err))
}

// runStarted is the RUNNING part.
func (s *Server) runStarted(ctx context.Context, j *job, fault JobFault) error {
	if err := s.expirePartitions(ctx); err != nil {
		return err
	}
	if q, ok := j.work.(*query); ok && !q.ddl {
		return s.runStatements(ctx, j, q, fault)
	}
	return s.runAtEnd(ctx, j, fault)
}

// runAtEnd runs a load job, or a query job that changes the catalog: it has its
// effect at the end of RUNNING, with the tables locked.
func (s *Server) runAtEnd(ctx context.Context, j *job, fault JobFault) error {
	j.setRunning(s.cfg.Now())
	if err := s.hold(ctx, fault); err != nil {
		return err
	}
	if j.denied {
		return s.quota.exceeded(refOf(j.record.Configuration.Load.DestinationTable))
	}
	if fault.fails() {
		return s.injectedError(j, fault)
	}
	lock := s.locks.acquire
	if j.work.kind() == kindQuery {
		lock = s.lockIdle
	}
	release, err := lock(ctx, j.work.writes())
	if err != nil {
		return err
	}
	defer release()
	leave, err := s.slot(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return s.effect(ctx, j, j.work.run)
}

// hold keeps a job RUNNING for as long as it is told to.
func (s *Server) hold(ctx context.Context, fault JobFault) error {
	select {
	case fault.Held <- struct{}{}:
	default: // nobody listens
	}
	return pause(ctx, s.cfg.Running+fault.Running, fault.HoldRunning)
}

// slot takes a slot, and returns the function that gives it back.
func (s *Server) slot(ctx context.Context) (leave func(), err error) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (s *Server) injectedError(j *job, fault JobFault) error {
	if fault.Case != "" {
		var about map[string]string
		if refs := j.work.writes(); len(refs) > 0 {
			about = deniedAbout(refs[0])
		}
		return s.catalog.phrases.refuse(fault.Case, about)
	}
	message := fault.Message
	if message == "" {
		message = "injected " + fault.Reason
	}
	return newError(fault.Reason, "%s", message)
}

// effect does the work and records it in one transaction: were they two, a crash
// in between would have the job's ID run twice.
func (s *Server) effect(ctx context.Context, j *job, run func(context.Context, *txn, *bq.JobStatistics) (*result, error)) error {
	record := j.snapshot()
	var res *result
	err := s.store.transact(ctx, func(t *txn) error {
		stats := *record.Statistics
		var err error
		if res, err = run(ctx, t, &stats); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause // whatever DuckDB calls an interruption
			}
			return err
		}
		s.setEnd(&stats)
		record.Statistics, record.Status = &stats, &bq.JobStatus{State: stateDone}
		return s.putEnd(ctx, t, j, record, res)
	})
	if err != nil {
		return err
	}
	if res != nil {
		s.jobs.keepResult(j)
	}
	j.setDone(record, res)
	return nil
}

// putEnd records the job and, for a script, its children.
func (s *Server) putEnd(ctx context.Context, t *txn, j *job, record *bq.Job, res *result) error {
	if res != nil {
		for i, child := range res.children {
			done := childJob(s.jobs.next(), record, i, child)
			t.onCommit(func() { _ = s.jobs.add(done) }) // the name is the parent's own
			if err := t.putJob(ctx, done.seq, true, done.snapshot()); err != nil {
				return err
			}
		}
		record.Statistics.NumChildJobs = int64(len(res.children))
	}
	return t.putJob(ctx, j.seq, true, record)
}

// setEnd keeps the times in order even if the clock is not.
func (s *Server) setEnd(stats *bq.JobStatistics) {
	stats.EndTime = max(s.cfg.Now().UnixMilli(), stats.StartTime, stats.CreationTime)
}

// fail records that the job did nothing and why. If even that cannot be recorded
// the job stays unfinished and is run anew on reopening.
func (s *Server) fail(j *job, cause *apiError) {
	record := j.snapshot()
	stats := *record.Statistics
	s.setEnd(&stats)
	record.Statistics = &stats
	record.Status = &bq.JobStatus{State: stateDone, ErrorResult: cause.proto(), Errors: []*bq.ErrorProto{cause.proto()}}
	ctx := context.WithoutCancel(s.ctx)
	err := s.store.transact(ctx, func(t *txn) error { return t.putJob(ctx, j.seq, true, record) })
	if err != nil {
		record.Status.Errors = append(record.Status.Errors, asAPIError(err).proto())
	}
	j.setDone(record, nil)
}

// call is the job as faults see it.
func (j *job) call() JobCall {
	var names []string
	for _, ref := range j.work.writes() {
		names = append(names, ref.table)
	}
	slices.Sort(names)
	return JobCall{
		Project: j.key.project, Location: j.key.location, JobID: j.key.id,
		Kind: j.work.kind(), Tables: slices.Compact(names),
	}
}
