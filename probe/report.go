package probe

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Verdict is what a question's answer comes to.
type Verdict string

// The verdicts.
const (
	Confirmed   Verdict = "CONFIRMED"     // the service does what the code assumes
	Different   Verdict = "DIFFERENT"     // it does something else
	CouldNotRun Verdict = "COULD NOT RUN" // it was not asked, for the reason given
)

// question is something that the code assumes. Texts are sentences without a full stop.
type question struct {
	ID        string // such as P1a
	Assumes   string // what the code relies on
	Confirmed string // what it means for the user if that is so
	Different string // and if it is not
	Unknown   string // what tidemark does while nobody knows
}

// means picks what a verdict means for the user.
func (q question) means(v Verdict) string {
	switch v {
	case Confirmed:
		return q.Confirmed
	case Different:
		return q.Different
	default:
		return q.Unknown
	}
}

// Answer is what was found about one assumption.
type Answer struct {
	Question string  `json:"question"`
	Probe    string  `json:"probe"`
	Verdict  Verdict `json:"verdict"`
	Assumes  string  `json:"assumes"`
	Found    string  `json:"found"`
	Means    string  `json:"means"`
}

// Record is one exchange with BigQuery, in the form of the embedded BigQuery's fixtures.
type Record struct {
	Probe string `json:"probe"`
	// Case is the embedded BigQuery's name for a refusal that it takes words of, and What otherwise.
	Case string `json:"case"`
	// What names what was done, within the probe.
	What string `json:"what"`
	// Source is the run.
	Source string `json:"source"`
	// Job is the raw resource as jobs.get answered, without the identity.
	Job json.RawMessage `json:"job,omitempty"`
	// Error is the refusal of a request.
	Error json.RawMessage `json:"error,omitempty"`
}

// Names that the embedded BigQuery has for the refusals that probes provoke.
const (
	fixtureConflict    = "concurrent_update"
	fixtureNoTable     = "not_found_table"
	fixtureDenied      = "access_denied"
	fixtureBytesBilled = "bytes_billed"
	fixtureClustering  = "collated_clustering"
	reasonDenied       = "accessDenied"
)

// caseOf names a record: refusal is what the exchange is called if it was refused or failed for what it is about.
func caseOf(what, refusal, reason string) string {
	switch reason {
	case "", "stopped", "timeout", "backendError", "internalError", "quotaExceeded", "rateLimitExceeded":
		return what
	case reasonDenied:
		return fixtureDenied
	}
	if refusal == "" {
		return what
	}
	return refusal
}

// Report is all that a run has found.
type Report struct {
	Run      string   `json:"run"`
	Project  string   `json:"project"`
	Dataset  string   `json:"dataset"` // of the scratch tables
	Location string   `json:"location"`
	Answers  []Answer `json:"answers"`
	// CostUSD is what the queries are billed at the on-demand price of the US multi-region.
	CostUSD float64 `json:"cost_usd"`
	// Left names what could not be removed, with the reason. All of it expires, or is removed by a later run.
	Left []string `json:"left,omitempty"`
	// Records are the raw job resources, in order.
	Records []Record `json:"-"`
}

// Count returns how many answers have the verdict.
func (r *Report) Count(v Verdict) (n int) {
	for _, a := range r.Answers {
		if a.Verdict == v {
			n++
		}
	}
	return n
}

// WriteRecords writes the raw job resources as one JSON array of [Record], which the embedded BigQuery takes as a fixture.
func (r *Report) WriteRecords(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if r.Records == nil {
		return enc.Encode([]Record{})
	}
	return enc.Encode(r.Records)
}

// WriteTable writes the answers for a person to read. A failed write is not told of: nobody reads on.
func (r *Report) WriteTable(w io.Writer) {
	const indent = "                     "
	for _, a := range r.Answers {
		fmt.Fprintf(w, "%-5s %-14s %s\n", a.Question, a.Verdict, wrapped(a.Assumes, indent))
		fmt.Fprintf(w, "%sfound: %s\n", indent, wrapped(a.Found, indent+"       "))
		fmt.Fprintf(w, "%smeans: %s\n\n", indent, wrapped(a.Means, indent+"       "))
	}
	fmt.Fprintf(w, "%d CONFIRMED, %d DIFFERENT, %d COULD NOT RUN; billed $%.4f; run %s in %s.%s (%s)\n",
		r.Count(Confirmed), r.Count(Different), r.Count(CouldNotRun), r.CostUSD, r.Run, r.Project, r.Dataset, r.Location)
	for _, left := range r.Left {
		fmt.Fprintf(w, "left behind: %s\n", left)
	}
}

// lineWidth is the width of the table.
const lineWidth = 120

// wrapped breaks a text into lines, all but the first one indented.
func wrapped(text, indent string) string {
	var b strings.Builder
	column := len(indent)
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > lineWidth:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
