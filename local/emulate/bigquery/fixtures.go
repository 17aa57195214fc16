package bigquery

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
	"google.golang.org/api/googleapi"
)

// embedded are the words that BigQuery is documented or was seen to use; see the
// README beside them for their form.
//
//go:embed fixtures/*.json
var embedded embed.FS

// Cases of fixtures: what the refusals of this package are called there.
const (
	caseConcurrentUpdate = "concurrent_update"
	caseDMLQueue         = "dml_queue_full"
	caseDMLRate          = "dml_rate"
	caseQueryPartitions  = "too_many_partitions_query"
	caseLoadPartitions   = "too_many_partitions_load"
	caseTablePartitions  = "too_many_partitions_table"
	casePartitionFilter  = "partition_filter"
	caseBytesBilled      = "bytes_billed"
	caseLocation         = "location_mismatch"
	caseLoadQuota        = "quota_loads"
	casePartitionQuota   = "quota_partition_modifications"
	caseIngestionQuota   = "quota_ingestion_modifications"
	caseAccessDenied     = "access_denied"
	caseNoTable          = "not_found_table"
	caseNoDataset        = "not_found_dataset"
	caseRowTooLarge      = "row_too_large"
	caseTimeRange        = "timestamp_out_of_range"
	caseCollation        = "collated_clustering"
	caseTimeout          = "job_timeout"
)

// recording is a refusal as it was documented or recorded.
type recording struct {
	Probe  string `json:"probe"`  // that recorded it; empty if none did
	Case   string `json:"case"`   // one of the constants above; others are ignored
	Source string `json:"source"` // of the words: a page of the documentation, an issue, a run

	// Values are the parts of the message that differ from time to time, by name.
	Values map[string]string `json:"values"`

	// Numbers names the numbers in the message, in their order, for those of Values
	// that are numbers; a recorded fixture takes them from the embedded one.
	Numbers []string `json:"numbers"`

	Job   *bq.Job          `json:"job"`   // as jobs.get answered, or
	Error *googleapi.Error `json:"error"` // as a request was refused
}

// phrase is how a case is told, with {name} for what differs.
type phrase struct {
	reason, location, message string
	numbers                   []string
}

// phrases are those of all cases.
type phrases map[string]phrase

// loadPhrases reads the embedded fixtures, and those of a directory or file, which
// replace them case by case; empty is none.
func loadPhrases(more string) (phrases, error) {
	p := phrases{}
	if err := p.read(embedded, "fixtures"); err != nil {
		return nil, err
	}
	if more == "" {
		return p, nil
	}
	info, err := os.Stat(more)
	if err != nil {
		return nil, fmt.Errorf("bigquery: fixtures: %w", err)
	}
	if info.IsDir() {
		return p, p.read(os.DirFS(more), ".")
	}
	return p, p.readFile(os.DirFS(path.Dir(more)), path.Base(more))
}

func (p phrases) read(from fs.FS, dir string) error {
	names, err := fs.Glob(from, path.Join(dir, "*.json"))
	if err != nil {
		return fmt.Errorf("bigquery: fixtures: %w", err)
	}
	for _, name := range names { // sorted
		if err := p.readFile(from, name); err != nil {
			return err
		}
	}
	return nil
}

// readFile takes a list of fixtures, or a map of them by their case.
func (p phrases) readFile(from fs.FS, name string) error {
	encoded, err := fs.ReadFile(from, name)
	if err != nil {
		return fmt.Errorf("bigquery: fixtures: %w", err)
	}
	var list []recording
	if json.Unmarshal(encoded, &list) != nil {
		byCase := map[string]recording{}
		if err := json.Unmarshal(encoded, &byCase); err != nil {
			return fmt.Errorf("bigquery: fixtures in %s are neither a list nor a map of {probe, case, job}: %w", name, err)
		}
		for _, key := range slices.Sorted(maps.Keys(byCase)) {
			f := byCase[key]
			if f.Case == "" {
				f.Case = key
			}
			list = append(list, f)
		}
	}
	for _, f := range list {
		p.add(f)
	}
	return nil
}

// add takes a fixture's words. One without a failure has none, and what it says of
// the case before stays.
func (p phrases) add(f recording) {
	words := phrase{numbers: f.Numbers}
	if words.numbers == nil {
		words.numbers = p[f.Case].numbers
	}
	switch {
	case f.Job != nil && f.Job.Status != nil && f.Job.Status.ErrorResult != nil:
		failure := f.Job.Status.ErrorResult
		words.reason, words.location, words.message = failure.Reason, failure.Location, failure.Message
	case f.Error != nil && len(f.Error.Errors) > 0:
		words.reason, words.message = f.Error.Errors[0].Reason, f.Error.Message
	default:
		return
	}
	words.message = f.generalize(words.message, words.numbers)
	p[f.Case] = words
}

// What a message says of its occasion in a form of its own.
var (
	transactionID = regexp.MustCompile(`Transaction ID: [0-9a-fA-F-]+`)
	position      = regexp.MustCompile(`at \[\d+:\d+\]`)
	number        = regexp.MustCompile(`\b\d+\b`)
)

// generalize puts names in the place of what differs from time to time.
func (f recording) generalize(message string, numbers []string) string {
	message = transactionID.ReplaceAllString(message, "Transaction ID: {transaction}")
	message = position.ReplaceAllString(message, "at [{line}:{column}]")
	values := f.tables()
	for name, value := range f.Values {
		values[value] = name
	}
	longestFirst := slices.SortedFunc(maps.Keys(values), func(a, b string) int { return len(b) - len(a) })
	for _, value := range longestFirst {
		if value != "" {
			message = strings.ReplaceAll(message, value, "{"+values[value]+"}")
		}
	}
	if found := number.FindAllString(message, -1); len(numbers) > 0 && len(found) == len(numbers) {
		i := -1
		message = number.ReplaceAllStringFunc(message, func(string) string { i++; return "{" + numbers[i] + "}" })
	}
	return message
}

// tables are the names of the tables that a recorded job was about, as messages
// write them.
func (f recording) tables() map[string]string {
	names := map[string]string{}
	if f.Job == nil {
		return names
	}
	var refs []*bq.TableReference
	if c := f.Job.Configuration; c != nil && c.Load != nil {
		refs = append(refs, c.Load.DestinationTable)
	}
	if s := f.Job.Statistics; s != nil && s.Query != nil {
		refs = append(append(refs, s.Query.DdlTargetTable), s.Query.ReferencedTables...)
	}
	for _, ref := range refs {
		if ref != nil {
			table := refOf(ref)
			names[table.String()], names[table.dotted()] = "table", "dotted"
			names[table.parent().String()] = "dataset"
		}
	}
	return names
}

// refuse makes the error of a case, in the words of its fixture. Values are those of
// the names in it; what it does not name is not told.
func (p phrases) refuse(name string, values map[string]string) *apiError {
	words, ok := p[name]
	if !ok {
		return notImplemented("the case %q, of which there is no fixture", name)
	}
	message := words.message
	for key, value := range values {
		message = strings.ReplaceAll(message, "{"+key+"}", value)
	}
	e := newError(words.reason, "%s", message)
	e.location = words.location
	return e
}

// about are the values of a table's names.
func about(ref tableRef) map[string]string {
	return map[string]string{"table": ref.String(), "dotted": ref.dotted(), "dataset": ref.parent().String()}
}

// deniedAbout are the values for faults, which may be about permissions.
func deniedAbout(ref tableRef) map[string]string {
	return with(about(ref), "permission", "bigquery.tables.getData")
}

// with adds a value to those of a table.
func with(values map[string]string, name string, value any) map[string]string {
	values[name] = fmt.Sprint(value)
	return values
}
