package bigquery

import (
	"context"
	"slices"
	"sync"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// States of a job.
const (
	statePending = "PENDING"
	stateRunning = "RUNNING"
	stateDone    = "DONE"
)

// jobKey is the scope in which a job's ID is unique and taken for good
// (docs.cloud.google.com/bigquery/docs/reference/rest/v2/JobReference).
type jobKey struct{ project, location, id string }

// work is what a job does. It is made, and refused where BigQuery refuses at once,
// before the job exists.
type work interface {
	// kind is "load" or "query".
	kind() string

	// place is the location of the job, empty if anywhere will do.
	place() string

	// writes are the tables that it writes.
	writes() []tableRef

	// run does the work inside of the transaction in which the job's end is
	// recorded, and fills in the statistics.
	run(context.Context, *txn, *bq.JobStatistics) (*result, error)
}

// job is a job that was accepted.
type job struct {
	seq    int64 // names the job in the store
	key    jobKey
	work   work // nil if it was done before the server started
	denied bool // over the table's daily quota
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the state is DONE

	mu     sync.Mutex
	record bq.Job  // replaced in parts, which never change once they are in it
	result *result // of a query that is DONE; nil if it has none or lost it
}

// newJob makes the PENDING job of an accepted configuration.
func newJob(key jobKey, config *bq.JobConfiguration, w work, now time.Time) *job {
	config.JobType = map[string]string{kindLoad: "LOAD", kindQuery: "QUERY"}[w.kind()]
	return &job{
		key:  key,
		work: w,
		done: make(chan struct{}),
		record: bq.Job{
			Kind:          "bigquery#job",
			Id:            key.project + ":" + key.location + "." + key.id,
			JobReference:  &bq.JobReference{ProjectId: key.project, Location: key.location, JobId: key.id},
			Configuration: config,
			Status:        &bq.JobStatus{State: statePending},
			Statistics:    &bq.JobStatistics{CreationTime: now.UnixMilli()},
			UserEmail:     "embedded@tidemark.local",
		},
	}
}

const (
	kindLoad  = "load"
	kindQuery = "query"
)

// restoredJob is a job as an earlier server recorded it; work is nil if it is DONE.
func restoredJob(seq int64, record bq.Job, w work) *job {
	ref := record.JobReference
	j := &job{
		seq:    seq,
		key:    jobKey{ref.ProjectId, ref.Location, ref.JobId},
		work:   w,
		done:   make(chan struct{}),
		record: record,
	}
	if w == nil {
		close(j.done)
	}
	return j
}

// snapshot is the job as it is now, to be read only.
func (j *job) snapshot() *bq.Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	record := j.record
	return &record
}

// results are the rows of a query that is DONE.
func (j *job) results() *result {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.result
}

// setRunning moves a PENDING job on.
func (j *job) setRunning(now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	stats := *j.record.Statistics
	stats.StartTime = now.UnixMilli()
	j.record.Status = &bq.JobStatus{State: stateRunning}
	j.record.Statistics = &stats
}

// setDone publishes the record that has been committed.
func (j *job) setDone(record *bq.Job, r *result) {
	j.mu.Lock()
	j.record, j.result = *record, r
	j.mu.Unlock()
	close(j.done)
}

// wait returns when the job is DONE, after d, or when the context ends.
func (j *job) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-j.done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// jobs is every job there has been.
type jobs struct {
	mu      sync.Mutex
	byKey   map[jobKey]*job
	seq     int64  // the last one given out
	ordered []*job // oldest first
	results []*job // that hold a result, oldest first
}

func newJobs() *jobs {
	return &jobs{byKey: map[jobKey]*job{}}
}

// find returns the job, or nil.
func (r *jobs) find(key jobKey) *job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byKey[key]
}

// add takes the job's ID, or refuses: it may have been taken by a failed job just
// as well (docs.cloud.google.com/bigquery/docs/error-messages, "duplicate").
func (r *jobs) add(j *job) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byKey[j.key] != nil {
		return errTaken(j.key)
	}
	if j.seq == 0 {
		r.seq++
		j.seq = r.seq
	}
	r.byKey[j.key] = j
	r.ordered = append(r.ordered, j)
	return nil
}

// next gives out the number of a job that is added later.
func (r *jobs) next() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	return r.seq
}

func errTaken(key jobKey) error {
	return newError("duplicate", "Already Exists: Job %s:%s.%s", key.project, key.location, key.id)
}

// remove gives back the ID of a job that could not be recorded.
func (r *jobs) remove(j *job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byKey, j.key)
	r.ordered = slices.DeleteFunc(r.ordered, func(other *job) bool { return other == j })
}

// list returns the jobs of a project, latest first.
func (r *jobs) list(project string) []*job {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*job
	for _, j := range slices.Backward(r.ordered) {
		if j.key.project == project {
			list = append(list, j)
		}
	}
	return list
}

// maxResults is of how many queries the rows are kept, for paging and for those
// who come late.
const maxResults = 256

// keepResult makes room for one more result.
func (r *jobs) keepResult(j *job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, j)
	if len(r.results) <= maxResults {
		return
	}
	oldest := r.results[0]
	r.results = slices.Delete(r.results, 0, 1)
	oldest.mu.Lock()
	defer oldest.mu.Unlock()
	oldest.result = nil
}
