package destination

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Config names the table that takes the events, read by envconfig under the prefix TIDEMARK.
type Config struct {
	// Dataset is the BigQuery dataset that holds the tables. It must exist.
	Dataset string `envconfig:"DATASET" default:"" desc:"BigQuery dataset that holds the tables, in TIDEMARK_PROJECT; required. It must exist: its location decides where jobs run."`
	// EventsTable is the table of events inside Dataset.
	EventsTable string `envconfig:"EVENTS_TABLE" default:"events" desc:"Table in TIDEMARK_DATASET that takes the events; it is created if it does not exist."`
	// JSONColumns chooses the type of the JSON documents' columns in a table that tidemark creates. An existing table's
	// own types are used as they are.
	JSONColumns bool `envconfig:"JSON_COLUMNS" default:"false" desc:"Create the columns that hold JSON documents as JSON instead of STRING. Rows then reach the table through a stage table and one INSERT query per batch, which BigQuery bills, where STRING columns are loaded free of charge. An existing table keeps its types."`
	// Teams are the PostHog team IDs whose events are exported; empty for all.
	Teams []int64 `envconfig:"TEAMS" default:"" desc:"Comma-separated list of PostHog team IDs whose events are exported; empty exports all teams. Events of other teams are counted and skipped."`
}

// Validate reports everything that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if c.Dataset == "" {
		errs = append(errs, errors.New("TIDEMARK_DATASET is empty; want the name of an existing BigQuery dataset"))
	} else if !validName(c.Dataset, "") {
		errs = append(errs, fmt.Errorf("TIDEMARK_DATASET is %q; want letters, digits and underscores, at most 1024", c.Dataset))
	}
	if !validName(c.EventsTable, "-") {
		errs = append(errs, fmt.Errorf("TIDEMARK_EVENTS_TABLE is %q; want letters, digits, underscores and hyphens, 1 to 1024", c.EventsTable))
	}
	seen := make(map[int64]bool, len(c.Teams))
	for _, team := range c.Teams {
		if team <= 0 || seen[team] {
			errs = append(errs, fmt.Errorf("TIDEMARK_TEAMS has %d; want each team ID once, from 1", team))
		}
		seen[team] = true
	}
	return errors.Join(errs...)
}

// Wants says whether events of the team are exported.
func (c Config) Wants(team int64) bool { return len(c.Teams) == 0 || slices.Contains(c.Teams, team) }

// validName allows what BigQuery allows in names that need no quoting tricks: ASCII letters, digits, underscores, and
// what extra lists (cloud.google.com/bigquery/docs/datasets#dataset-naming and /tables#table_naming; tables may hold
// more, which would need escaping in SQL and in job IDs).
func validName(name, extra string) bool {
	if name == "" || len(name) > 1024 {
		return false
	}
	for _, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && !(r >= '0' && r <= '9') && r != '_' && !strings.ContainsRune(extra, r) {
			return false
		}
	}
	return true
}
