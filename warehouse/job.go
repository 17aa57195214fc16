package warehouse

import (
	"context"
	"fmt"
	"strings"

	"cloud.google.com/go/bigquery"

	"tidemark/batch"
)

// maxURIs is how many sources one load job may have (cloud.google.com/bigquery/quotas, load jobs, 2026-08-22).
const maxURIs = 10_000

// job is a load or query job, ready to be submitted under an attempt's ID.
type job struct {
	batch.JobRef
	kind string // load or query, as in metrics and logs
	// submit sends jobs.insert. It may be called again with the same ID.
	submit func(ctx context.Context, id bigquery.JobIDConfig) (*bigquery.Job, error)
}

// Load runs a load job to its end and returns how many rows it loaded. The rows are in the table exactly once however
// often and by whomever Load is called with this JobRef: whoever comes later attaches to the job, running or finished. A
// job that failed before this call is followed by a new attempt.
//
// An error means that the rows are not known to be loaded, and Load may be called again, with pauses that grow. It is an
// [*Error] when BigQuery refused or the job failed; its Permanent says whether somebody must change something first.
// Columns of the type JSON are refused: BigQuery cannot load Parquet into them.
func (c *Client) Load(ctx context.Context, l batch.LoadJob) (batch.JobResult, error) {
	schema, err := loadSchema(l)
	if err != nil {
		return batch.JobResult{}, fmt.Errorf("load job %s: %w", l.Base, err)
	}
	p, err := c.project(ctx, l.Project)
	if err != nil {
		return batch.JobResult{}, err
	}
	src := bigquery.NewGCSReference(l.URIs...)
	src.SourceFormat = bigquery.Parquet
	src.Schema = schema
	loader := p.DatasetInProject(l.Project, l.Dataset).Table(l.Table).LoaderFrom(src)
	// CREATE_IF_NEEDED would ask for bigquery.tables.create even where the table exists.
	loader.CreateDisposition = bigquery.CreateNever
	loader.WriteDisposition = bigquery.WriteAppend
	if l.Empty {
		loader.WriteDisposition = bigquery.WriteEmpty
	}
	loader.Labels = cleanLabels(l.Labels)
	loader.JobTimeout = c.cfg.JobTimeout
	return c.run(ctx, job{l.JobRef, kindLoad, func(ctx context.Context, id bigquery.JobIDConfig) (*bigquery.Job, error) {
		attempt := *loader
		attempt.JobIDConfig = id
		return attempt.Run(ctx)
	}})
}

// Query runs a statement or script to its end, once per JobRef as [Client.Load] does, and returns how many rows a DML
// statement affected. The SQL of a later attempt may differ, as long as it has the same effect.
func (c *Client) Query(ctx context.Context, q batch.QueryJob) (batch.JobResult, error) {
	if q.SQL == "" {
		return batch.JobResult{}, fmt.Errorf("query job %s has no SQL", q.Base)
	}
	if err := checkRef(q.JobRef); err != nil {
		return batch.JobResult{}, fmt.Errorf("query job %s: %w", q.Base, err)
	}
	j, err := c.queryJob(ctx, q)
	if err != nil {
		return batch.JobResult{}, err
	}
	return c.run(ctx, j)
}

func (c *Client) queryJob(ctx context.Context, q batch.QueryJob) (job, error) {
	p, err := c.project(ctx, q.Project)
	if err != nil {
		return job{}, err
	}
	query := p.Query(q.SQL)
	for _, param := range q.Params {
		query.Parameters = append(query.Parameters, bigquery.QueryParameter{Name: param.Name, Value: param.Value})
	}
	query.Labels = cleanLabels(q.Labels)
	query.JobTimeout = c.cfg.JobTimeout
	query.MaxBytesBilled = int64(c.cfg.MaxBytesBilled)
	return job{q.JobRef, kindQuery, func(ctx context.Context, id bigquery.JobIDConfig) (*bigquery.Job, error) {
		attempt := *query
		attempt.JobIDConfig = id
		return attempt.Run(ctx)
	}}, nil
}

// checkRef refuses what would be found by nobody: without a location BigQuery looks in the US only.
func checkRef(r batch.JobRef) error {
	if r.Project == "" || r.Location == "" || r.Base == "" {
		return fmt.Errorf("job reference %+v lacks a project, a location or a name", r)
	}
	return nil
}

// loadSchema checks a load job and returns the explicit schema. Without one, the alphabetically last file would decide.
func loadSchema(l batch.LoadJob) (bigquery.Schema, error) {
	if err := checkRef(l.JobRef); err != nil {
		return nil, err
	}
	if len(l.URIs) == 0 || len(l.URIs) > maxURIs {
		return nil, fmt.Errorf("found %d URIs; want 1 to %d", len(l.URIs), maxURIs)
	}
	for _, uri := range l.URIs {
		if strings.Contains(uri, "*") {
			return nil, fmt.Errorf("URI %q is a pattern; want exact names", uri)
		}
	}
	if len(l.Columns) == 0 {
		return nil, fmt.Errorf("table %s has no columns to load", l.Table)
	}
	for _, col := range l.Columns {
		if col.Type == batch.JSONType {
			return nil, fmt.Errorf("column %s has type JSON, which Parquet cannot be loaded into; stage it as STRING", col.Name)
		}
	}
	return toSchema(l.Columns)
}

// cleanLabels makes labels that BigQuery accepts: at most 63 lower-case letters, digits, _ and -, a key starting with a
// letter (cloud.google.com/bigquery/docs/labels-intro#requirements). What it does not accept becomes -. A label that is
// refused would fail the job for good, and no label is worth that.
func cleanLabels(labels map[string]string) map[string]string {
	clean := make(map[string]string, len(labels))
	for k, v := range labels {
		k = cleanLabel(k)
		if k == "" || k[0] < 'a' || k[0] > 'z' {
			k = cleanLabel("l" + k)
		}
		clean[k] = cleanLabel(v)
	}
	return clean
}

func cleanLabel(s string) string {
	const longest = 63
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '-'
	}, s)
	return s[:min(len(s), longest)]
}
