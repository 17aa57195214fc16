package bigquery

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// script is a query's statements.
type script struct {
	statements  []*statement
	location    string
	tables      map[tableRef]*bq.Table // that exist, as they were when it was planned
	transaction bool                   // it has BEGIN …
	committed   bool                   // … COMMIT; else the changes are discarded at the end
}

// arrange refuses scripts that could not be committed together with the record of
// their job: a crash in between would repeat a part.
func (s *script) arrange() error {
	if len(s.statements) == 0 {
		return invalidQuery("Syntax error: Unexpected end of script")
	}
	writes, ended := 0, false
	for i, st := range s.statements {
		switch {
		case ended:
			return notImplemented("statements after the end of a transaction (%s)", st.kind)
		case st.kind == kindBegin && s.transaction:
			return invalidQuery("Transaction is already in progress")
		case st.kind == kindBegin && writes > 0:
			return notImplemented("a script that writes outside of its transaction")
		case st.kind == kindBegin:
			s.transaction = true
		case st.kind == kindCommit, st.kind == kindRollback:
			if !s.transaction {
				return invalidQuery("There is no active transaction (statement %d)", i+1)
			}
			s.committed, ended = st.kind == kindCommit, true
		case st.ddl && s.transaction:
			return invalidQuery("%s is not supported inside a transaction", st.kind)
		case st.target != (tableRef{}):
			writes++
		}
	}
	if writes > 1 && !s.transaction {
		return notImplemented("a script of several writing statements without BEGIN TRANSACTION")
	}
	return nil
}

// targets are the tables that it writes, each once.
func (s *script) targets() []tableRef {
	var refs []tableRef
	for _, st := range s.statements {
		if st.target != (tableRef{}) && !slices.Contains(refs, st.target) {
			refs = append(refs, st.target)
		}
	}
	return refs
}

// discarded tells whether nothing of it remains.
func (s *script) discarded() bool { return s.transaction && !s.committed }

// stale tells whether any of the tables has been altered, replaced or dropped since
// the script was planned.
func (s *script) stale(c *catalog, refs []tableRef) bool {
	return slices.ContainsFunc(refs, func(ref tableRef) bool {
		table, err := c.table(ref)
		return err != nil || table != s.tables[ref]
	})
}

// run is of a job that changes the catalog: it plans anew, now that the tables are
// locked, and runs the statements.
func (q *query) run(ctx context.Context, t *txn, stats *bq.JobStatistics) (*result, error) {
	plan, err := q.plan()
	if err != nil {
		return nil, err
	}
	return q.execute(ctx, t, plan, stats, func(ctx context.Context, t *txn, st *statement) (*outcome, error) {
		return st.execute(ctx, t)
	})
}

// execute runs the statements, each by the function given.
func (q *query) execute(ctx context.Context, t *txn, plan *script, stats *bq.JobStatistics,
	each func(context.Context, *txn, *statement) (*outcome, error),
) (*result, error) {
	if err := q.checkBytes(ctx, t, plan); err != nil {
		return nil, err
	}
	res := &result{}
	for _, st := range plan.statements {
		started := q.server.cfg.Now()
		o, err := each(ctx, t, st)
		var lost *conflict
		if errors.As(err, &lost) {
			lost.at = st.at // told when it is known what becomes of the job
		}
		if err != nil {
			return nil, st.at.tell(err)
		}
		if o.result != nil {
			res.schema, res.rows = o.schema, o.result.rows
		}
		q.note(stats, res, plan, st, o, started)
	}
	if plan.discarded() {
		return res, discard(ctx, t)
	}
	return res, nil
}

// note fills in the statistics of the job, and of a child job for each statement of
// a script.
func (q *query) note(stats *bq.JobStatistics, res *result, plan *script, st *statement, o *outcome, started time.Time) {
	query := statistics(st, o)
	if len(plan.statements) == 1 {
		stats.Query = query
		res.affected = o.affected()
		return
	}
	stats.Query = &bq.JobStatistics2{StatementType: kindScript}
	res.children = append(res.children, child{text: st.text, stats: &bq.JobStatistics{
		CreationTime: started.UnixMilli(),
		StartTime:    started.UnixMilli(),
		EndTime:      max(q.server.cfg.Now().UnixMilli(), started.UnixMilli()),
		Query:        query,
	}})
}

func statistics(st *statement, o *outcome) *bq.JobStatistics2 {
	stats := &bq.JobStatistics2{StatementType: st.kind, ForceSendFields: []string{"TotalBytesProcessed"}}
	if o.dml != nil {
		stats.DmlStats = o.dml
		stats.NumDmlAffectedRows = o.affected()
		stats.ForceSendFields = append(stats.ForceSendFields, "NumDmlAffectedRows")
	}
	if st.ddl {
		stats.DdlTargetTable = &bq.TableReference{ProjectId: st.target.project, DatasetId: st.target.dataset, TableId: st.target.table}
	}
	return stats
}

// discard undoes everything and goes on in a new transaction, for the record.
func discard(ctx context.Context, t *txn) error {
	if _, err := t.exec(ctx, "ROLLBACK"); err != nil {
		return err
	}
	_, err := t.exec(ctx, "BEGIN TRANSACTION")
	return err
}

// child is a statement of a script, as its child job shows it.
type child struct {
	text  string
	stats *bq.JobStatistics
}

// childJob makes the DONE job of a statement of a script
// (docs.cloud.google.com/bigquery/docs/multi-statement-queries: "BigQuery creates a
// child job for each statement").
func childJob(seq int64, parent *bq.Job, i int, c child) *job {
	ref := parent.JobReference
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(parent.Id)) // never fails
	id := "script_job_" + strconv.FormatUint(hash.Sum64(), 16) + "_" + strconv.Itoa(i)
	stats := *c.stats
	stats.ParentJobId = ref.JobId
	return restoredJob(seq, bq.Job{
		Kind:          parent.Kind,
		Id:            ref.ProjectId + ":" + ref.Location + "." + id,
		JobReference:  &bq.JobReference{ProjectId: ref.ProjectId, Location: ref.Location, JobId: id},
		Configuration: &bq.JobConfiguration{JobType: "QUERY", Query: &bq.JobConfigurationQuery{Query: c.text, UseLegacySql: new(bool)}},
		Status:        &bq.JobStatus{State: stateDone},
		Statistics:    &stats,
		UserEmail:     parent.UserEmail,
	}, nil)
}
