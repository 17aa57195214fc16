package bigquery

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/duckdb/duckdb-go/v2"
	bq "google.golang.org/api/bigquery/v2"
)

// maxReruns is how often BigQuery runs a statement again that changed the same rows
// as another (docs.cloud.google.com/bigquery/docs/data-manipulation-language,
// "DML statement conflicts").
const maxReruns = 3

// errStale means that the tables are no longer what the statements were planned for.
var errStale = errors.New("bigquery: a table was altered, replaced or dropped meanwhile")

// execution is a query job that is being run.
type execution struct {
	server *Server
	job    *job
	query  *query
	hold   func() error // keeps it RUNNING; once, though it may be run again
	leave  func()       // the table's queue; may be called more than once
}

// runStatements runs a query job: when it begins to be RUNNING it takes its snapshot
// and executes, and at the end of RUNNING it commits. What others commit in between
// it does not see.
func (s *Server) runStatements(ctx context.Context, j *job, q *query, fault JobFault) error {
	for _, ref := range q.dml {
		if err := s.quota.begin(ref, s.cfg.Now()); err != nil {
			return err
		}
	}
	x := &execution{server: s, job: j, query: q, leave: func() {}}
	if q.queued != (tableRef{}) {
		leave, err := s.queue.enter(ctx, q.queued)
		if err != nil {
			return err
		}
		x.leave = sync.OnceFunc(leave)
		defer x.leave()
	}
	j.setRunning(s.cfg.Now())
	x.hold = sync.OnceValue(func() error { return s.hold(ctx, fault) })
	if fault.fails() {
		if err := x.hold(); err != nil {
			return err
		}
		return s.injectedError(j, fault)
	}
	return x.run(ctx)
}

// run makes attempts until one succeeds or the job has failed.
func (x *execution) run(ctx context.Context) error {
	for reruns := 0; ; {
		err := x.attempt(ctx)
		var lost *conflict
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errStale):
			continue
		case !errors.As(err, &lost):
			if cause := x.hold(); cause != nil {
				return cause
			}
			return err
		case x.query.transaction:
			return lost.aborts(x.server.catalog.phrases)
		case reruns == maxReruns && !lost.queues:
			return invalidQuery("Could not serialize access to table %s due to concurrent update", lost.table)
		case !lost.queues:
			reruns++
		}
		if err := pause(ctx, 0, lost.ended); err != nil {
			return err
		}
	}
}

// attempt executes the job's statements on one snapshot, and commits.
func (x *execution) attempt(ctx context.Context) error {
	q, s := x.query, x.server
	if q.refusal != nil {
		return q.refusal
	}
	plan, err := q.plan()
	if err != nil {
		return err
	}
	a := &attempt{server: s, plan: plan, snapshot: s.conflicts.snapshot(plan.targets(), plan.transaction),
		written: map[tableRef]map[string]bool{}, shrunk: map[tableRef]bool{}}
	defer a.end(false)
	release := func() {}
	defer func() { release() }() // after the commit
	return s.effect(ctx, x.job, func(ctx context.Context, t *txn, stats *bq.JobStatistics) (*result, error) {
		res, err := q.execute(ctx, t, plan, stats, a.statement)
		if err != nil {
			return nil, a.blame(err)
		}
		if err := x.hold(); err != nil {
			return nil, err
		}
		// Before anybody is told that the job is DONE.
		t.onCommit(x.leave)
		t.onCommit(func() { a.end(!plan.discarded()) })
		locked, err := a.confirm(ctx)
		if err != nil {
			return nil, err
		}
		release = locked
		return res, a.confirmPartitions(ctx, t)
	})
}

// attempt is a plan on a snapshot.
type attempt struct {
	*snapshot
	server *Server
	plan   *script
	taken  bool // the snapshot, for good

	written map[tableRef]map[string]bool // partitions that have got rows
	shrunk  map[tableRef]bool            // tables that have lost rows
}

// statement runs a statement. Its lock is only against others that execute just
// then: DuckDB does not alter tables under a writer.
func (a *attempt) statement(ctx context.Context, t *txn, st *statement) (*outcome, error) {
	if err := a.look(ctx, t, st); err != nil {
		return nil, err
	}
	if st.target != (tableRef{}) {
		release, err := a.server.locks.acquire(ctx, []tableRef{st.target})
		if err != nil {
			return nil, err
		}
		defer release()
	}
	leave, err := a.server.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	o, err := st.execute(ctx, t)
	switch {
	case isConflict(err):
		return nil, a.lost(st.target)
	case err != nil:
		return nil, err
	}
	a.note(st.target, o)
	if o.changed() > 0 {
		return o, a.claim(st.target)
	}
	return o, nil
}

// note keeps what a statement did to the partitions of its target.
func (a *attempt) note(ref tableRef, o *outcome) {
	if len(o.written) > 0 && a.written[ref] == nil {
		a.written[ref] = map[string]bool{}
	}
	maps.Copy(a.written[ref], o.written)
	if o.changed() > 0 {
		a.shrunk[ref] = true
	}
}

// confirmPartitions refuses what would give a table too many partitions; the tables'
// locks are held, so that nobody else adds any.
func (a *attempt) confirmPartitions(ctx context.Context, t *txn) error {
	if a.plan.discarded() {
		return nil
	}
	s := a.server
	for ref, written := range a.written {
		if err := s.checkTotal(ctx, ref, partitioningOf(a.plan.tables[ref]), written); err != nil {
			return err
		}
		t.onCommit(func() { s.partitions.add(ref, written) })
	}
	for ref := range a.shrunk {
		t.onCommit(func() { s.partitions.changed(ref) })
	}
	return nil
}

// look takes the snapshot. A transaction has one for all of its statements, those
// before it have one each; a statement that writes is the last to get one, because
// its rows go with the transaction of DuckDB's in which they are written.
func (a *attempt) look(ctx context.Context, t *txn, st *statement) error {
	if a.taken {
		return nil
	}
	a.taken = st.kind == kindBegin || st.target != (tableRef{})
	a.take()
	if err := discard(ctx, t); err != nil {
		return err
	}
	// DuckDB takes it at the first statement that reads.
	_, err := t.exec(ctx, `SELECT 1 FROM "$catalog".jobs LIMIT 0`)
	return err
}

// confirm locks the tables that were written, and checks that they are what they
// were: nobody may alter them between this and the commit.
func (a *attempt) confirm(ctx context.Context) (release func(), err error) {
	if a.plan.discarded() {
		return func() {}, nil
	}
	targets := a.plan.targets()
	release, err = a.server.locks.acquire(ctx, targets)
	if err == nil && a.plan.stale(a.server.catalog, targets) {
		release()
		return nil, errStale
	}
	return release, err
}

// blame finds out whether a statement has failed because of a change of its tables.
func (a *attempt) blame(err error) error {
	for ref := range a.plan.tables {
		if a.plan.stale(a.server.catalog, []tableRef{ref}) {
			return errStale
		}
	}
	return err
}

// isConflict tells whether DuckDB found that a row or a table has been changed since
// the snapshot.
func isConflict(err error) bool {
	var cause *duckdb.Error
	return errors.As(err, &cause) && cause.Type == duckdb.ErrorTypeTransaction
}
