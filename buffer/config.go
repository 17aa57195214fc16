package buffer

import (
	"errors"
	"fmt"

	"tidemark/batch"
)

// Config bounds the buffer. Variables carry the prefix TIDEMARK_.
type Config struct {
	// Memory is the budget of all buffers of the process.
	Memory batch.Size `envconfig:"BUFFER_MEMORY" default:"1GiB" desc:"Memory for rows, seen events and parts on their way, for example 1GiB; when it is used up, fetching pauses. The process takes about a quarter more and 128 MiB, unless GOMEMLIMIT says otherwise."`
	// PartSize is the size at which a team's rows become a part.
	PartSize batch.Size `envconfig:"PART_SIZE" default:"32MiB" desc:"Uncompressed size at which a team's rows are written to Cloud Storage before the period ends; BigQuery loads few large files fastest."`
	// MaxRecordSize is the longest message that becomes a row.
	MaxRecordSize batch.Size `envconfig:"MAX_RECORD_SIZE" default:"16MiB" desc:"Messages longer than this are rejects (too_large). At most 24MiB and half of TIDEMARK_BUFFER_MEMORY."`
	// Deduplicate says whether events seen twice in a batch are dropped.
	Deduplicate string `envconfig:"DEDUPLICATE" default:"batch" desc:"batch drops events that were seen in the same batch, at about 25 bytes of memory for each; off keeps them. As in PostHog, events are the same if team, UTC day of the timestamp, event, distinct_id and uuid are."`
}

// The values of [Config.Deduplicate].
const (
	DeduplicateBatch = "batch"
	DeduplicateOff   = "off"
)

const (
	minMemory   batch.Size = 8 << 20
	minPartSize batch.Size = 1 << 20
	// maxRecordSize is less than BigQuery's 50 MB for a Parquet row
	// (https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet, 2026-09), because $set and $set_once
	// stand in columns of their own next to the properties. Rows that are too long all the same are rejects, see maxRowBytes.
	maxRecordSize batch.Size = 24 << 20
)

// Validate reports every fault of the configuration, each with the variable, the value and what is allowed.
func (c *Config) Validate() error {
	var errs []error
	fault := func(name string, value any, format string, args ...any) {
		errs = append(errs, fmt.Errorf("TIDEMARK_%s is %v; want %s", name, value, fmt.Sprintf(format, args...)))
	}
	if c.Memory < minMemory {
		fault("BUFFER_MEMORY", c.Memory, "at least %s", minMemory)
	}
	if c.PartSize < minPartSize || c.PartSize > c.Memory/2 {
		fault("PART_SIZE", c.PartSize, "%s up to half of TIDEMARK_BUFFER_MEMORY (%s)", minPartSize, c.Memory)
	}
	if c.MaxRecordSize < 1 || c.MaxRecordSize > maxRecordSize || c.MaxRecordSize > c.Memory/2 {
		fault("MAX_RECORD_SIZE", c.MaxRecordSize, "1B up to %s and up to half of TIDEMARK_BUFFER_MEMORY (%s)", maxRecordSize, c.Memory)
	}
	if c.Deduplicate != DeduplicateBatch && c.Deduplicate != DeduplicateOff {
		fault("DEDUPLICATE", fmt.Sprintf("%q", c.Deduplicate), "%s or %s", DeduplicateBatch, DeduplicateOff)
	}
	return errors.Join(errs...)
}
