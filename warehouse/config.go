package warehouse

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"tidemark/batch"
)

// Config says where BigQuery is and how long it may take to answer, read by envconfig under the prefix TIDEMARK.
type Config struct {
	// Project is the Google Cloud project that jobs run in and that holds the dataset.
	Project string `envconfig:"PROJECT" default:"" desc:"Google Cloud project that holds the dataset; jobs run in it and are billed to it. Required."`
	// BigQueryEndpoint replaces Google's endpoint. No credentials are sent then.
	BigQueryEndpoint string `envconfig:"BIGQUERY_ENDPOINT" default:"" desc:"Base URL (scheme://host:port, no path) of a BigQuery emulator. When set, no credentials are used; leave it empty for Google's own."`
	// BigQueryCallTimeout bounds one request, the client library's own retries included. Jobs may take longer: they are
	// polled, one request each time.
	BigQueryCallTimeout time.Duration `envconfig:"BIGQUERY_CALL_TIMEOUT" default:"1m" desc:"Time limit of one request to BigQuery, its retries included, from 1s to 10m. Jobs are not limited by it: they are polled with one request each time."`
	// BigQueryPollMax is the longest pause between two looks at a running job.
	BigQueryPollMax time.Duration `envconfig:"BIGQUERY_POLL_MAX" default:"5s" desc:"Longest pause between two looks at a running job, from 500ms to 1m; the first ones are shorter. More delays batches, less uses up the quota of requests."`
	// JobTimeout is how long a job may take from its creation, waiting for its start included. BigQuery stops it then.
	JobTimeout time.Duration `envconfig:"JOB_TIMEOUT" default:"2h" desc:"How long a job in BigQuery may take from its creation, waiting for its start included, from 1s to 24h; 0s leaves it to BigQuery (6 hours of running). BigQuery stops the job then, and once that was seen, the next attempt is made. It must be longer than the longest merge."`
	// MaxBytesBilled is a fuse: BigQuery refuses a query that would be billed for more.
	MaxBytesBilled Limit `envconfig:"MAX_BYTES_BILLED" default:"" desc:"Most bytes that one query job (a merge, an INSERT of events with JSON columns, a publication) may be billed for, for example 100GiB; at least 10MiB, which BigQuery bills for any table; empty is no limit. BigQuery refuses a job that needs more: the batch waits and is tried again once an hour, or at once after a restart with another limit."`
}

// Validate reports everything that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if c.Project == "" {
		errs = append(errs, errors.New("TIDEMARK_PROJECT is empty; want a Google Cloud project ID"))
	}
	if c.BigQueryEndpoint != "" {
		u, err := url.Parse(c.BigQueryEndpoint)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || (u.Path != "" && u.Path != "/") {
			errs = append(errs, fmt.Errorf("TIDEMARK_BIGQUERY_ENDPOINT is %q; want scheme://host:port without a path", c.BigQueryEndpoint))
		}
	}
	errs = append(errs,
		between("TIDEMARK_BIGQUERY_CALL_TIMEOUT", c.BigQueryCallTimeout, time.Second, 10*time.Minute),
		between("TIDEMARK_BIGQUERY_POLL_MAX", c.BigQueryPollMax, pollMin, time.Minute))
	if c.MaxBytesBilled != 0 && c.MaxBytesBilled < Limit(minBilled) {
		errs = append(errs, fmt.Errorf("TIDEMARK_MAX_BYTES_BILLED is %s; want at least %s, or nothing for no limit", batch.Size(c.MaxBytesBilled), minBilled))
	}
	if c.JobTimeout != 0 {
		errs = append(errs, between("TIDEMARK_JOB_TIMEOUT", c.JobTimeout, time.Second, 24*time.Hour))
	}
	return errors.Join(errs...)
}

func between(name string, d, low, high time.Duration) error {
	if d < low || d > high {
		return fmt.Errorf("%s is %s; want %s to %s", name, d, low, high)
	}
	return nil
}

// minBilled is what BigQuery bills at least for a table that a query references
// (cloud.google.com/bigquery/pricing#on_demand_pricing, 2026-08).
const minBilled batch.Size = 10 << 20

// Limit is a [batch.Size] of which nothing, in its text form, is no limit.
type Limit batch.Size

// Decode implements envconfig.Decoder.
func (l *Limit) Decode(value string) error {
	if value == "" {
		*l = 0
		return nil
	}
	return (*batch.Size)(l).Decode(value)
}
