package warehouse

import (
	"errors"
	"fmt"
	"net/url"
	"time"
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
	return errors.Join(errs...)
}

func between(name string, d, low, high time.Duration) error {
	if d < low || d > high {
		return fmt.Errorf("%s is %s; want %s to %s", name, d, low, high)
	}
	return nil
}
