package bigquery

import (
	"context"
	"encoding/json"
	"errors"

	bq "google.golang.org/api/bigquery/v2"
)

// query is a query job: one statement, or a script.
type query struct {
	server *Server
	sql    string
	scope  scope // as given; each planning starts from a copy
	region string

	targets     []tableRef // tables that it writes
	queued      tableRef   // of them, the one whose rows it changes outside of a transaction
	transaction bool
	ddl         bool
	dml         []tableRef // of each DML statement, the table
	maxBytes    int64      // that it may be billed for; 0 means any number

	// refusal is why the query is invalid; the job ends with it.
	refusal error
}

func (q *query) kind() string       { return kindQuery }
func (q *query) place() string      { return q.region }
func (q *query) writes() []tableRef { return q.targets }

// planQuery checks a query's configuration. Options and statements that are not
// covered are refused at once; a query that BigQuery would refuse becomes a job that
// fails, as it does there.
func (s *Server) planQuery(project, location string, config *bq.JobConfigurationQuery) (*query, error) {
	if err := checkQueryOptions(config); err != nil {
		return nil, err
	}
	q := &query{server: s, sql: config.Query, maxBytes: config.MaximumBytesBilled, scope: scope{
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
		return q, nil //nolint:nilerr // the job fails with it when it runs
	}
	q.region, q.targets, q.transaction = plan.location, plan.targets(), plan.transaction
	for _, st := range plan.statements {
		q.ddl = q.ddl || st.ddl
		if st.target != (tableRef{}) && !st.ddl {
			q.dml = append(q.dml, st.target)
		}
		if st.mutates && !plan.transaction {
			q.queued = st.target
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
	sc.now, sc.tables = q.server.cfg.Now(), map[tableRef]*bq.Table{}
	tokens, err := lex(q.sql)
	if err != nil {
		return nil, err
	}
	all := &script{tables: sc.tables}
	parts := statements(tokens)
	for _, tokens := range parts {
		var at place
		if len(parts) > 1 {
			at = placeOf(q.sql, tokens[0].pos)
		}
		sc.scanned = scanned{}
		st, err := q.server.planStatement(&sc, tokens)
		if err != nil {
			return nil, at.tell(err)
		}
		st.text, st.at, st.scanned = textOf(q.sql, tokens), at, sc.scanned
		st.names, st.all = wordsOf(tokens), selectsAll(tokens)
		all.statements = append(all.statements, st)
	}
	if all.location = sc.location; all.location == "" {
		all.location = sameLocation("")
	}
	return all, all.arrange()
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
