package probe

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"tidemark/loader"
)

// Config says what is probed, and what that may cost.
type Config struct {
	// Project runs the jobs and holds the dataset.
	Project string
	// Dataset is what tidemark is configured for, and what P0 looks at.
	Dataset string
	// Scratch is the dataset that takes the scratch tables; empty means Dataset.
	Scratch string
	// Loader names bucket, prefix, compression and endpoint of objects, as for a replica.
	Loader loader.Config
	// BigQueryEndpoint replaces Google's, without credentials.
	BigQueryEndpoint string
	// MaxCost is what all queries together may be billed, in US dollars at the on-demand price.
	MaxCost float64
	// Only names the probes to run, such as P1; empty means all.
	Only []string
	// Account is the service account that P4 and P5 impersonate; empty means that P4 cannot run.
	Account string
	// MergeBytes is the size of the table that P6 merges into. It is made smaller where the cost cap asks for that.
	MergeBytes int64
	// Overlap is for how long P1 keeps one transaction open while another one runs.
	Overlap time.Duration
}

// Defaults of what "tidemark probe" lets a person choose.
const (
	DefaultMaxCost    = 0.05 // US dollars
	DefaultMergeBytes = 300_000_000
	DefaultOverlap    = 20 * time.Second
)

// Limits of the configuration.
const (
	longestDataset = 1024 // characters (cloud.google.com/bigquery/docs/datasets#dataset-naming)

	minMergeBytes = 1_000_000
	maxMergeBytes = 10_000_000_000
	minOverlap    = 100 * time.Millisecond
	maxOverlap    = 2 * time.Minute
	maxMaxCost    = 100
)

// Validate reports every fault, each with the flag, what was found and what is allowed.
func (c Config) Validate() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Scratch != "" && (len(c.Scratch) > longestDataset || !regexp.MustCompile(`^[A-Za-z0-9_]+$`).MatchString(c.Scratch)) {
		fault("--dataset is %q; want letters, digits and underscores, at most %d", c.Scratch, longestDataset)
	}
	if !(c.MaxCost >= 0 && c.MaxCost <= maxMaxCost) { // NaN is neither
		fault("--max-cost is %g; want US dollars from 0 to %d", c.MaxCost, maxMaxCost)
	}
	for _, name := range c.Only {
		if !slices.Contains(Names(), name) {
			fault("--only has %q; want some of %s, separated by commas", name, strings.Join(Names(), ","))
		}
	}
	if c.Account != "" && !regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`).MatchString(c.Account) {
		fault("--impersonate is %q; want the e-mail address of a service account", c.Account)
	}
	if c.MergeBytes < minMergeBytes || c.MergeBytes > maxMergeBytes {
		fault("--merge-bytes is %d; want %d to %d", c.MergeBytes, minMergeBytes, int64(maxMergeBytes))
	}
	if c.Overlap < minOverlap || c.Overlap > maxOverlap {
		fault("--overlap is %s; want %s to %s", c.Overlap, minOverlap, maxOverlap)
	}
	return errors.Join(errs...)
}

// scratch is the dataset of the scratch tables.
func (c Config) scratch() string {
	if c.Scratch != "" {
		return c.Scratch
	}
	return c.Dataset
}

// wants says whether the probe is to run.
func (c Config) wants(probe string) bool { return len(c.Only) == 0 || slices.Contains(c.Only, probe) }
