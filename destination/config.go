package destination

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Config says what is exported into which tables, read by envconfig under the prefix TIDEMARK.
type Config struct {
	// Models that are exported.
	Models []string `envconfig:"MODELS" default:"events,persons" desc:"Models to export, separated by commas: events, persons."`
	// Dataset is the BigQuery dataset that holds the tables. It must exist.
	Dataset string `envconfig:"DATASET" default:"" desc:"BigQuery dataset that holds the tables, in TIDEMARK_PROJECT; required. It must exist: its location decides where jobs run."`
	// EventsTable is the table of events inside Dataset.
	EventsTable string `envconfig:"EVENTS_TABLE" default:"events" desc:"Table in TIDEMARK_DATASET that takes the events; it is created if it does not exist."`
	// PersonsTable is the table of persons inside Dataset; the side tables are named after it.
	PersonsTable string `envconfig:"PERSONS_TABLE" default:"persons" desc:"Table in TIDEMARK_DATASET that takes the persons, one row per team and distinct id; it is created if it does not exist. Three more tables beside it are tidemark's own: _person_state and _distinct_id_state behind the name hold what has no row there yet, and merges exclude each other by _fence."`
	// PersonDeletes is what becomes of the rows of deleted persons.
	PersonDeletes string `envconfig:"PERSON_DELETES" default:"mark" desc:"What becomes of the rows of deleted persons and distinct ids: mark keeps them and sets is_deleted, as PostHog's own export does; remove deletes them and the person's properties."`
	// PersonsAs is what persons are in the dataset; nothing is the same as table.
	PersonsAs string `envconfig:"PERSONS_AS" default:"table" desc:"What TIDEMARK_PERSONS_TABLE is: table, or view: a view over the two side tables, with the columns that the table would have. A merge then changes two tables instead of three and is billed for a third of it, and each reader pays for the join; readers need access to the side tables. It is made by the first merge. It may be changed only while no batch is on its way (tidemark batches lists none), and what has the name as the other kind must be dropped then."`
	// StatusTable says how far the other tables are complete.
	StatusTable string `envconfig:"STATUS_TABLE" default:"tidemark_status" desc:"Table in TIDEMARK_DATASET with one row per table: complete through, last batch, rows, updated at. Costs one small statement per period and table. Empty turns it off; tables are looked at all the same."`
	// JSONColumns chooses the type of the JSON documents' columns in a table that tidemark creates. An existing table's
	// own types are used as they are.
	JSONColumns bool `envconfig:"JSON_COLUMNS" default:"false" desc:"Create the columns that hold JSON documents as JSON instead of STRING. Rows then reach the table through a stage table and one INSERT query per batch, which BigQuery bills, where STRING columns are loaded free of charge. An existing table keeps its types."`
	// EventsPartitions is the unit of the partitions of an events table that tidemark creates.
	EventsPartitions string `envconfig:"EVENTS_PARTITIONS" default:"day" desc:"Partitions of timestamp in an events table that tidemark creates: day, month, hour or none. BigQuery allows 10,000 partitions in a table: with day, events outside of TIDEMARK_EVENTS_FROM to a week ahead are rejects (timestamp_implausible), so that nobody can use them up; hour needs TIDEMARK_EVENTS_PARTITION_DAYS; month and none take nearly any time, and queries read more. An existing table keeps its own."`
	// EventsPartitionDays is after how many days partitions of an events table that tidemark creates are deleted.
	EventsPartitionDays int `envconfig:"EVENTS_PARTITION_DAYS" default:"0" desc:"Days after which BigQuery deletes the partitions of an events table that tidemark creates; 0 keeps them for ever. With hour it must be from 1 to 350."`
	// EventsFrom is the earliest plausible time of an event.
	EventsFrom Date `envconfig:"EVENTS_FROM" default:"2010-01-01" desc:"First day (UTC) of events that an events table with partitions of days or hours takes; earlier ones are rejects (timestamp_implausible). No such table takes more than 9,000 partitions of time."`
	// StageAbove is in how many partitions the rows of a batch may be before they go by a stage table.
	StageAbove int `envconfig:"STAGE_ABOVE_PARTITIONS" default:"100" desc:"A batch whose events are in more partitions than this goes to the events table through a stage table and one INSERT query, which BigQuery bills for the bytes of that batch, instead of by a load job: loads may change partitions 30,000 times a day in all. From 1 to 4000."`
	// Teams are the PostHog team IDs whose records are exported; empty for all.
	Teams []int64 `envconfig:"TEAMS" default:"" desc:"Comma-separated list of PostHog team IDs whose records are exported; empty exports all teams. Records of other teams are counted and skipped."`
}

// Validate reports everything that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if c.Dataset == "" {
		errs = append(errs, errors.New("TIDEMARK_DATASET is empty; want the name of an existing BigQuery dataset"))
	} else if !validName(c.Dataset, "") {
		errs = append(errs, fmt.Errorf("TIDEMARK_DATASET is %q; want letters, digits and underscores, at most 1024", c.Dataset))
	}
	errs = append(errs, c.validateModels(), c.validateTables(), c.validatePartitions())
	seen := make(map[int64]bool, len(c.Teams))
	for _, team := range c.Teams {
		if team <= 0 || seen[team] {
			errs = append(errs, fmt.Errorf("TIDEMARK_TEAMS has %d; want each team ID once, from 1", team))
		}
		seen[team] = true
	}
	return errors.Join(errs...)
}

func (c Config) validateModels() error {
	var errs []error
	for i, m := range c.Models {
		if m != EventsModel && m != PersonsModel || slices.Contains(c.Models[:i], m) {
			errs = append(errs, fmt.Errorf("TIDEMARK_MODELS has %q; want each of %s and %s at most once", m, EventsModel, PersonsModel))
		}
	}
	if len(c.Models) == 0 {
		errs = append(errs, fmt.Errorf("TIDEMARK_MODELS is empty; want %s, %s or both", EventsModel, PersonsModel))
	}
	if c.PersonsAs != "" && c.PersonsAs != asTable && c.PersonsAs != asView {
		errs = append(errs, fmt.Errorf("TIDEMARK_PERSONS_AS is %q; want %s or %s", c.PersonsAs, asTable, asView))
	}
	if c.PersonDeletes != markDeletes && c.PersonDeletes != removeDeletes {
		errs = append(errs, fmt.Errorf("TIDEMARK_PERSON_DELETES is %q; want %s or %s", c.PersonDeletes, markDeletes, removeDeletes))
	}
	return errors.Join(errs...)
}

// The values of [Config.PersonDeletes].
const (
	markDeletes   = "mark"
	removeDeletes = "remove"
)

// longestTable leaves room for what is put behind the name of the persons table; BigQuery allows 1,024 bytes.
const longestTable = 1000

func (c Config) validateTables() error {
	var errs []error
	names := make(map[string]string)
	for _, t := range []struct{ variable, name string }{
		{"EVENTS_TABLE", c.EventsTable}, {"PERSONS_TABLE", c.PersonsTable}, {"STATUS_TABLE", c.StatusTable},
	} {
		if t.name == "" && t.variable == "STATUS_TABLE" {
			continue
		}
		if !validName(t.name, "-") || len(t.name) > longestTable {
			errs = append(errs, fmt.Errorf("TIDEMARK_%s is %q; want letters, digits, underscores and hyphens, 1 to %d", t.variable, t.name, longestTable))
		}
		if other := names[t.name]; other != "" {
			errs = append(errs, fmt.Errorf("TIDEMARK_%s and TIDEMARK_%s are both %q; want different tables", other, t.variable, t.name))
		}
		names[t.name] = t.variable
		if c.Exports(PersonsModel) && strings.HasPrefix(t.name, c.PersonsTable+"_") && (strings.HasSuffix(t.name, "_state") || strings.HasSuffix(t.name, "_fence")) {
			errs = append(errs, fmt.Errorf("TIDEMARK_%s is %q; want another name: those that begin with that of the persons table and end in _state or _fence are for its side tables", t.variable, t.name))
		}
	}
	return errors.Join(errs...)
}

// Exports says whether the model is exported.
func (c Config) Exports(model string) bool { return slices.Contains(c.Models, model) }

// Wants says whether records of the team are exported.
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
