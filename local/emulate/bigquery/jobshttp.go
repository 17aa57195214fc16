package bigquery

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	bq "google.golang.org/api/bigquery/v2"
)

// planJob makes the work of a configuration.
func (s *Server) planJob(project, location string, config *bq.JobConfiguration) (work, error) {
	switch {
	case config == nil:
		return nil, invalid("Required parameter is missing: configuration")
	case config.Reservation != "":
		return nil, notImplemented("reservations")
	case config.Load != nil:
		if config.DryRun {
			return nil, notImplemented("dry runs of load jobs")
		}
		return s.planLoad(config.Load, location)
	case config.Query != nil:
		return s.planQuery(project, location, config.Query)
	}
	return nil, notImplemented("jobs other than load and query jobs")
}

// workAgain makes the work of a job that an earlier server accepted. One that would
// be refused today fails.
func (s *Server) workAgain(record *bq.Job) work {
	ref := record.JobReference
	w, err := s.planJob(ref.ProjectId, ref.Location, record.Configuration)
	if err != nil {
		return &query{server: s, region: ref.Location, refusal: err}
	}
	return w
}

func (s *Server) jobsInsert(ctx context.Context, r *request) (any, error) {
	var given bq.Job
	if err := r.decode(&given); err != nil {
		return nil, err
	}
	if c := given.Configuration; c != nil && c.Query != nil {
		markValues(rawParams(r.body), c.Query.QueryParameters)
	}
	key := jobKey{project: r.project}
	if ref := given.JobReference; ref != nil {
		key.location, key.id = ref.Location, ref.JobId
	}
	// Before anything else: the job may have dropped what it needs by now.
	if key.location != "" && s.jobs.find(jobKey{key.project, sameLocation(key.location), key.id}) != nil {
		return nil, errTaken(key)
	}
	w, err := s.planJob(r.project, key.location, given.Configuration)
	if err != nil {
		return nil, err
	}
	key.location = w.place()
	if given.Configuration.DryRun {
		return s.dryRun(ctx, key, given.Configuration, w)
	}
	if key.id == "" {
		key.id = "job_" + uuid.NewString()
	}
	j, err := s.accept(key, given.Configuration, w)
	if err != nil {
		return nil, err
	}
	if !s.cfg.Async {
		j.wait(ctx, insertWait)
	}
	return j.snapshot(), nil
}

// dryRun answers with a job that does not exist.
func (s *Server) dryRun(ctx context.Context, key jobKey, config *bq.JobConfiguration, w work) (any, error) {
	q, ok := w.(*query)
	if !ok {
		return nil, notImplemented("dry runs of %s jobs", w.kind())
	}
	stats, err := q.dryRun(ctx)
	if err != nil {
		return nil, err
	}
	stats.CreationTime = s.cfg.Now().UnixMilli()
	return &bq.Job{
		Kind:          "bigquery#job",
		JobReference:  &bq.JobReference{ProjectId: key.project, Location: key.location},
		Configuration: config,
		Status:        &bq.JobStatus{State: stateDone},
		Statistics:    stats,
	}, nil
}

// findJob finds the job that the request names. Without its location BigQuery finds
// only jobs in the US
// (docs.cloud.google.com/bigquery/docs/reference/rest/v2/jobs/get, "location";
// third parties' measurements are stricter than its text, and so is this).
func (s *Server) findJob(r *request) (*job, error) {
	key := jobKey{r.project, sameLocation(r.query.Get("location")), r.job}
	if j := s.jobs.find(key); j != nil {
		return j, nil
	}
	return nil, notFound("Job %s:%s", r.project, r.job)
}

func (s *Server) jobsGet(_ context.Context, r *request) (any, error) {
	j, err := s.findJob(r)
	if err != nil {
		return nil, err
	}
	return j.snapshot(), nil
}

// jobsCancel asks the job to stop, and does not wait for it. A job that is DONE, or
// about to commit, stays as it is.
func (s *Server) jobsCancel(_ context.Context, r *request) (any, error) {
	j, err := s.findJob(r)
	if err != nil {
		return nil, err
	}
	if j.cancel != nil {
		j.cancel(newError("stopped", "Job execution was cancelled: User requested cancellation"))
	}
	return &bq.JobCancelResponse{Kind: "bigquery#jobCancelResponse", Job: j.snapshot()}, nil
}

// jobsList lists jobs, latest first; children only of the parent that is asked for.
func (s *Server) jobsList(_ context.Context, r *request) (any, error) {
	wanted, err := jobFilter(r)
	if err != nil {
		return nil, err
	}
	var all []*bq.JobListJobs
	for _, j := range s.jobs.list(r.project) {
		if record := j.snapshot(); wanted(record) {
			all = append(all, &bq.JobListJobs{
				Kind: record.Kind, Id: record.Id, JobReference: record.JobReference, UserEmail: record.UserEmail,
				Configuration: record.Configuration, Statistics: record.Statistics, Status: record.Status,
				State: record.Status.State, ErrorResult: record.Status.ErrorResult,
			})
		}
	}
	from, to, next, err := page(r, len(all), defaultList)
	if err != nil {
		return nil, err
	}
	return &bq.JobList{Kind: "bigquery#jobList", NextPageToken: next, Jobs: all[from:to]}, nil
}

// jobFilter reads stateFilter, parentJobId, minCreationTime and maxCreationTime.
func jobFilter(r *request) (func(*bq.Job) bool, error) {
	times := map[string]int64{"minCreationTime": 0, "maxCreationTime": 1<<63 - 1}
	for name := range times {
		if text := r.query.Get(name); text != "" {
			millis, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return nil, invalid("Invalid value for %s: %q", name, text)
			}
			times[name] = millis
		}
	}
	parent, states := r.query.Get("parentJobId"), r.query["stateFilter"]
	return func(j *bq.Job) bool {
		created := j.Statistics.CreationTime
		return j.Statistics.ParentJobId == parent &&
			created >= times["minCreationTime"] && created <= times["maxCreationTime"] &&
			(len(states) == 0 || slices.Contains(states, strings.ToLower(j.Status.State)))
	}, nil
}

// defaultQueryWait is how long jobs.query and getQueryResults wait for the job
// (docs.cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query, "timeoutMs").
const defaultQueryWait = 10 * time.Second

// jobsQuery is a query without the job's ID, though not without a job. Its requestId
// makes it safe to repeat.
func (s *Server) jobsQuery(ctx context.Context, r *request) (any, error) {
	var given bq.QueryRequest
	if err := r.decode(&given); err != nil {
		return nil, err
	}
	config := queryRequestConfig(r.body, &given)
	w, err := s.planQuery(r.project, given.Location, config.Query)
	if err != nil {
		return nil, err
	}
	if given.DryRun {
		stats, err := w.dryRun(ctx)
		if err != nil {
			return nil, err
		}
		return &bq.QueryResponse{JobComplete: true, Schema: stats.Query.Schema,
			JobReference: &bq.JobReference{ProjectId: r.project, Location: w.place()}}, nil
	}
	key := jobKey{r.project, w.place(), "job_" + uuid.NewString()}
	if given.RequestId != "" {
		hash := fnv.New128a()
		_, _ = hash.Write([]byte(given.RequestId)) // never fails
		key.id = fmt.Sprintf("job_request_%x", hash.Sum(nil))
	}
	j, err := s.accept(key, config, w)
	if err != nil {
		// The same request once more: its job is the answer.
		if j = s.jobs.find(key); j == nil {
			return nil, err
		}
	}
	wait := defaultQueryWait
	if given.TimeoutMs > 0 {
		wait = time.Duration(given.TimeoutMs) * time.Millisecond
	}
	j.wait(ctx, wait)
	// As getQueryResults takes its options from the URL.
	if f := given.FormatOptions; f != nil && f.UseInt64Timestamp {
		r.query.Set("formatOptions.useInt64Timestamp", "true")
	}
	if given.MaxResults > 0 {
		r.query.Set("maxResults", strconv.FormatInt(given.MaxResults, 10))
	}
	return s.queryResults(r, j, "bigquery#queryResponse")
}

// queryRequestConfig is the configuration of the job that a jobs.query makes.
func queryRequestConfig(body []byte, given *bq.QueryRequest) *bq.JobConfiguration {
	var raw struct{ QueryParameters json.RawMessage }
	_ = json.Unmarshal(body, &raw) // decoded before
	markValues(raw.QueryParameters, given.QueryParameters)
	return &bq.JobConfiguration{
		Labels:       given.Labels,
		JobTimeoutMs: given.JobTimeoutMs,
		Query: &bq.JobConfigurationQuery{
			Query: given.Query, UseLegacySql: given.UseLegacySql, DefaultDataset: given.DefaultDataset,
			QueryParameters: given.QueryParameters, MaximumBytesBilled: given.MaximumBytesBilled,
			ConnectionProperties: given.ConnectionProperties, CreateSession: given.CreateSession, Continuous: given.Continuous,
		},
	}
}

func (s *Server) jobsGetQueryResults(ctx context.Context, r *request) (any, error) {
	j, err := s.findJob(r)
	if err != nil {
		return nil, err
	}
	wait := defaultQueryWait
	if millis, err := strconv.ParseInt(r.query.Get("timeoutMs"), 10, 64); err == nil {
		wait = time.Duration(millis) * time.Millisecond
	}
	j.wait(ctx, wait)
	return s.queryResults(r, j, "bigquery#getQueryResultsResponse")
}

// queryResults answers with a page of the job's rows, or with its failure as the
// failure of the request.
func (s *Server) queryResults(r *request, j *job, kind string) (any, error) {
	record := j.snapshot()
	if record.Configuration.Query == nil {
		return nil, invalid("Cannot read the results of a job that is no query: %s", record.Id)
	}
	reply := map[string]any{"kind": kind, "jobReference": record.JobReference, "jobComplete": false}
	if record.Status.State != stateDone {
		return reply, nil
	}
	if failure := record.Status.ErrorResult; failure != nil {
		return nil, newError(failure.Reason, "%s", failure.Message)
	}
	reply["jobComplete"] = true
	res := j.results()
	if res == nil {
		if record.Statistics.Query.StatementType == kindSelect {
			return nil, notFound("Table with the results of job %s", record.Id)
		}
		res = &result{affected: record.Statistics.Query.NumDmlAffectedRows}
	}
	if err := checkFormat(r, res.schema); err != nil {
		return nil, err
	}
	from, to, next, err := page(r, len(res.rows), defaultRows)
	if err != nil {
		return nil, err
	}
	reply["totalRows"], reply["numDmlAffectedRows"] = strconv.Itoa(len(res.rows)), strconv.FormatInt(res.affected, 10)
	reply["schema"], reply["pageToken"] = res.schema, next
	return tableReply{reply, res.rows[from:to]}, nil
}
