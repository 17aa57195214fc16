package warehouse

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	bq "google.golang.org/api/bigquery/v2"
	"google.golang.org/api/option"
)

// plan is what becomes of a job: it is done after so many looks, with an error if there is a reason.
type plan struct {
	looks           int
	endless         bool // says DONE from the start, and tells of its end later
	stuck           bool // stays PENDING until its time limit is over
	reason, message string
}

// fault is what becomes of one request, instead of or after its effect: the connection drops, or, with a status, a front
// end answers, or nothing ever does.
type fault struct {
	on     string // method and last collection: "POST jobs"
	after  bool
	status int
	hang   bool
}

// bigQuery is a small BigQuery behind an http.RoundTripper, so that it works inside a synctest bubble. It refuses what
// BigQuery refuses.
type bigQuery struct {
	t *testing.T

	mu       sync.Mutex
	datasets map[string]string // location by name
	defaults bq.Dataset        // what else is said of each
	physical map[string]int64  // datasets that are billed by physical bytes, with their hours of time travel
	tables   map[string]*bq.Table
	jobs     map[string]*bq.Job // by project, location and ID
	looks    map[string]int     // left until a job is done
	plans    map[string]plan    // by job ID
	faults   []fault
	calls    []string
}

func newBigQuery(t *testing.T) *bigQuery {
	b := &bigQuery{t: t, datasets: map[string]string{"ds": "EU"}, tables: map[string]*bq.Table{},
		jobs: map[string]*bq.Job{}, looks: map[string]int{}, plans: map[string]plan{}}
	b.tables["ds.events"] = &bq.Table{Type: "TABLE", Location: "EU", CreationTime: time.Now().UnixMilli()}
	return b
}

// client is one process. Its log and metrics go nowhere.
func (b *bigQuery) client(change ...func(*Config)) *Client {
	cfg := Config{Project: "proj", BigQueryCallTimeout: time.Minute, BigQueryPollMax: 5 * time.Second}
	for _, c := range change {
		c(&cfg)
	}
	c, err := New(b.t.Context(), cfg, slog.New(slog.DiscardHandler), NewMetrics(prometheus.NewRegistry()),
		option.WithHTTPClient(&http.Client{Transport: b}))
	require.NoError(b.t, err)
	return c
}

// count returns how many requests began with prefix.
func (b *bigQuery) count(prefix string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.calls {
		if strings.HasPrefix(c, prefix) {
			n++
		}
	}
	return n
}

// RoundTrip implements http.RoundTripper.
func (b *bigQuery) RoundTrip(r *http.Request) (*http.Response, error) {
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/bigquery/v2/projects/"), "/")
	collection := path[len(path)-1-len(path)%2] // jobs, datasets or tables
	f := b.enter(r.Method+" "+collection, strings.Join(path, "/"))
	if f != nil && !f.after {
		return f.reply(r)
	}
	b.mu.Lock()
	res := response(r, b.serve(r, path)) // encoded under the lock
	b.mu.Unlock()
	if f != nil {
		return f.reply(r)
	}
	return res, nil
}

func (b *bigQuery) enter(call, path string) *fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, call+" "+path)
	if len(b.faults) == 0 || b.faults[0].on != call {
		return nil
	}
	f := b.faults[0]
	b.faults = b.faults[1:]
	return &f
}

func (f *fault) reply(r *http.Request) (*http.Response, error) {
	switch {
	case f.hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case f.status != 0:
		return response(r, refusal(f.status, "backendError", "front end")), nil
	}
	return nil, io.EOF
}

func response(r *http.Request, a answer) *http.Response {
	text, err := json.Marshal(a.body)
	if err != nil {
		panic(err)
	}
	return &http.Response{StatusCode: a.status, Request: r, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(string(text)))}
}

// answer is a status and what is encoded as JSON.
type answer struct {
	status int
	body   any
}

func refusal(code int, reason, format string, args ...any) answer {
	msg := fmt.Sprintf(format, args...)
	return answer{code, map[string]any{"error": map[string]any{"code": code, "message": msg, "errors": []any{map[string]any{"reason": reason, "message": msg}}}}}
}

func (b *bigQuery) serve(r *http.Request, path []string) answer {
	switch {
	case len(path) == 2 && path[1] == "jobs" && r.Method == http.MethodPost:
		job := new(bq.Job)
		require.NoError(b.t, json.NewDecoder(r.Body).Decode(job))
		return b.insert(path[0], job)
	case len(path) == 3 && path[1] == "jobs" && r.Method == http.MethodGet:
		return b.look(path[0], r.URL.Query().Get("location"), path[2])
	case len(path) == 3 && path[1] == "datasets" && r.Method == http.MethodGet:
		if loc, ok := b.datasets[path[2]]; ok {
			d := b.defaults
			d.Location, d.DatasetReference = loc, &bq.DatasetReference{ProjectId: path[0], DatasetId: path[2]}
			if hours, ok := b.physical[path[2]]; ok {
				d.StorageBillingModel, d.MaxTimeTravelHours = "PHYSICAL", hours
			}
			return answer{200, &d}
		}
		return refusal(404, "notFound", "Not found: Dataset %s:%s", path[0], path[2])
	case len(path) >= 4 && path[3] == "tables":
		return b.serveTable(r, path)
	}
	return refusal(501, "notImplemented", "%s %v", r.Method, path)
}

func (b *bigQuery) insert(project string, job *bq.Job) answer {
	ref, load := job.JobReference, job.Configuration.Load
	require.Equal(b.t, project, ref.ProjectId)
	require.Regexp(b.t, `^[A-Za-z0-9_-]+$`, ref.JobId)
	for k, v := range job.Configuration.Labels {
		if !regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`).MatchString(k) || !regexp.MustCompile(`^[a-z0-9_-]{0,63}$`).MatchString(v) {
			return refusal(400, "invalid", "Invalid label %q: %q", k, v)
		}
	}
	key := project + "/" + ref.Location + "/" + ref.JobId
	if b.jobs[key] != nil {
		return refusal(409, "duplicate", "Already Exists: Job %s:%s.%s", project, ref.Location, ref.JobId)
	}
	if load != nil {
		for _, f := range load.Schema.Fields {
			if f.Type == "JSON" {
				return refusal(400, "invalid", "Unsupported field type: JSON")
			}
		}
		if ds := load.DestinationTable.DatasetId; b.datasets[ds] != ref.Location {
			return refusal(404, "notFound", "Not found: Dataset %s:%s was not found in location %s", project, ds, ref.Location)
		}
	}
	now := time.Now().UnixMilli()
	job.Statistics = &bq.JobStatistics{CreationTime: now, StartTime: now}
	job.Status = &bq.JobStatus{State: "RUNNING"}
	b.jobs[key], b.looks[key] = job, b.plans[ref.JobId].looks
	switch {
	case b.plans[ref.JobId].stuck:
		job.Status.State, job.Statistics.StartTime = "PENDING", 0
	case b.looks[key] == 0:
		b.finish(job)
	case b.plans[ref.JobId].endless:
		job.Status.State = "DONE"
	}
	return answer{200, job}
}

// finish ends a job as planned: it loads 7 rows, or affects 7 rows and bills 10 MiB.
func (b *bigQuery) finish(job *bq.Job) {
	p := b.plans[job.JobReference.JobId]
	job.Status = &bq.JobStatus{State: "DONE"}
	job.Statistics.EndTime = time.Now().UnixMilli()
	if p.reason != "" {
		job.Status.ErrorResult = &bq.ErrorProto{Reason: p.reason, Message: p.message}
		job.Status.Errors = []*bq.ErrorProto{job.Status.ErrorResult}
		return
	}
	// BigQuery may list errors of a job that succeeded.
	job.Status.Errors = []*bq.ErrorProto{{Reason: "internalError", Message: "retried by the service"}}
	if job.Configuration.Load != nil {
		job.Statistics.Load = &bq.JobStatistics3{OutputRows: 7}
	} else {
		job.Statistics.Query = &bq.JobStatistics2{NumDmlAffectedRows: 7, TotalBytesBilled: 10 << 20, StatementType: "INSERT"}
	}
}

// look finds a job where it is looked for: in its own location, or in the US if none is given.
func (b *bigQuery) look(project, location, id string) answer {
	if location == "" {
		location = "US"
	}
	key := project + "/" + location + "/" + id
	job := b.jobs[key]
	if job == nil {
		return refusal(404, "notFound", "Not found: Job %s:%s", project, id)
	}
	limit := job.Configuration.JobTimeoutMs
	switch late := limit > 0 && time.Now().UnixMilli() >= job.Statistics.CreationTime+limit; {
	case job.Statistics.EndTime != 0, b.plans[id].stuck && !late:
	case b.plans[id].stuck:
		p := b.plans[id]
		p.reason, p.message = "stopped", fmt.Sprintf("Job execution was cancelled: Job timed out after %d sec", limit/1000)
		b.plans[id] = p
		b.finish(job)
	default:
		if b.looks[key]--; b.looks[key] <= 0 {
			b.finish(job)
		}
	}
	return answer{200, job}
}

func (b *bigQuery) serveTable(r *http.Request, path []string) answer {
	project, ds := path[0], path[2]
	if b.datasets[ds] == "" {
		return refusal(404, "notFound", "Not found: Dataset %s:%s", project, ds)
	}
	if r.Method == http.MethodPost {
		table := new(bq.Table)
		require.NoError(b.t, json.NewDecoder(r.Body).Decode(table))
		key := ds + "." + table.TableReference.TableId
		if b.tables[key] != nil {
			return refusal(409, "duplicate", "Already Exists: Table %s:%s", project, key)
		}
		table.Type, table.Location, table.CreationTime = "TABLE", b.datasets[ds], time.Now().UnixMilli()
		b.tables[key] = table
		return answer{200, table}
	}
	key := ds + "." + path[4]
	table := b.tables[key]
	switch {
	case table == nil:
		return refusal(404, "notFound", "Not found: Table %s:%s", project, key)
	case r.Method == http.MethodGet:
		return answer{200, table}
	case r.Method == http.MethodDelete && path[4] == "kept":
		return refusal(403, "accessDenied", "Access Denied: Table %s:%s: Permission bigquery.tables.delete denied on table %s:%s (or it may not exist).", project, key, project, key)
	case r.Method == http.MethodDelete:
		delete(b.tables, key)
		return answer{204, nil}
	}
	return refusal(501, "notImplemented", "%s %v", r.Method, path)
}
