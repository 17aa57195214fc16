package bigquery

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"strconv"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// query is a query job: one statement, or a script.
type query struct {
	server *Server
	sql    string
	scope  scope // as given; each planning starts from a copy
	region string
	locks  []tableRef
	mut    []tableRef // tables that a transaction changes or deletes rows of

	// refusal is why the query is invalid; the job ends with it.
	refusal error
}

func (q *query) kind() string        { return kindQuery }
func (q *query) place() string       { return q.region }
func (q *query) writes() []tableRef  { return q.locks }
func (q *query) mutates() []tableRef { return q.mut }

// planQuery checks a query's configuration. Options and statements that are not
// covered are refused at once; a query that BigQuery would refuse becomes a job that
// fails, as it does there.
func (s *Server) planQuery(project, location string, config *bq.JobConfigurationQuery) (*query, error) {
	if err := checkQueryOptions(config); err != nil {
		return nil, err
	}
	q := &query{server: s, sql: config.Query, scope: scope{
		catalog: s.catalog,
		project: project,
		dataset: config.DefaultDataset,
		params:  config.QueryParameters,
	}}
	if location != "" {
		q.scope.location = sameLocation(location)
	}
	plan, err := q.plan()
	q.region = sameLocation(q.scope.location)
	var refused *apiError
	switch {
	case errors.As(err, &refused) && refused.reason == "notImplemented":
		return nil, err
	case err != nil:
		q.refusal = err
		return q, nil
	}
	q.region = plan.location
	for _, st := range plan.statements {
		if st.target != (tableRef{}) {
			q.locks = append(q.locks, st.target)
		}
		if plan.transaction && st.mutates {
			q.mut = append(q.mut, st.target)
		}
	}
	return q, nil
}

func checkQueryOptions(c *bq.JobConfigurationQuery) error {
	refused := map[string]bool{
		"legacy SQL":                         c.UseLegacySql == nil || *c.UseLegacySql,
		"destination tables":                 c.DestinationTable != nil,
		"tableDefinitions":                   len(c.TableDefinitions) > 0,
		"schemaUpdateOptions":                len(c.SchemaUpdateOptions) > 0,
		"sessions":                           c.CreateSession || len(c.ConnectionProperties) > 0,
		"continuous queries":                 c.Continuous,
		"partitioning of results":            c.TimePartitioning != nil || c.RangePartitioning != nil || c.Clustering != nil,
		"userDefinedFunctionResources":       len(c.UserDefinedFunctionResources) > 0,
		"destinationEncryptionConfiguration": c.DestinationEncryptionConfiguration != nil,
		"scriptOptions":                      c.ScriptOptions != nil,
	}
	for what, isSet := range refused {
		if isSet {
			return notImplemented("%s", what)
		}
	}
	return nil
}

// plan translates the script as of now.
func (q *query) plan() (*script, error) {
	sc := q.scope
	sc.now = q.server.cfg.Now()
	tokens, err := lex(q.sql)
	if err != nil {
		return nil, err
	}
	all := &script{}
	for _, tokens := range statements(tokens) {
		st, err := q.server.planStatement(&sc, tokens)
		if err != nil {
			return nil, err
		}
		st.text = textOf(q.sql, tokens)
		all.statements = append(all.statements, st)
	}
	if all.location = sc.location; all.location == "" {
		all.location = sameLocation("")
	}
	return all, all.arrange()
}

// script is a query's statements.
type script struct {
	statements  []*statement
	location    string
	transaction bool // it has BEGIN …
	committed   bool // … COMMIT; else the changes are discarded at the end
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

// run plans anew, now that the tables are locked, and runs the statements.
func (q *query) run(ctx context.Context, t *txn, stats *bq.JobStatistics) (*result, error) {
	if q.refusal != nil {
		return nil, q.refusal
	}
	plan, err := q.plan()
	if err != nil {
		return nil, err
	}
	res := &result{}
	var last *outcome
	for _, st := range plan.statements {
		started := q.server.cfg.Now()
		if _, err := st.check(ctx, t); err != nil {
			return nil, err
		}
		if last, err = st.run(ctx, t); err != nil {
			return nil, err
		}
		if last.result != nil {
			res.schema, res.rows = last.schema, last.result.rows
		}
		q.note(stats, res, plan, st, last, started)
	}
	if plan.transaction && !plan.committed {
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

// dryRun says what the query would be, without a job.
func (q *query) dryRun(ctx context.Context) (*bq.JobStatistics, error) {
	if q.refusal != nil {
		return nil, q.refusal
	}
	plan, err := q.plan()
	if err != nil {
		return nil, err
	}
	stats := &bq.JobStatistics2{StatementType: kindScript}
	err = q.server.store.transact(ctx, func(t *txn) error {
		for _, st := range plan.statements {
			schema, err := st.check(ctx, t)
			if err != nil {
				return err
			}
			if len(plan.statements) == 1 {
				stats.StatementType, stats.Schema = st.kind, schema
			}
		}
		return nil
	})
	return &bq.JobStatistics{Query: stats}, err
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

// rawParams is where a job's parameters are in its JSON.
func rawParams(encoded []byte) json.RawMessage {
	var job struct {
		Configuration struct {
			Query struct{ QueryParameters json.RawMessage }
		}
	}
	_ = json.Unmarshal(encoded, &job) // decoded before
	return job.Configuration.Query.QueryParameters
}
