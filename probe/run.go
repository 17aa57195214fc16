package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	bq "google.golang.org/api/bigquery/v2"
)

// step is a probe: its questions, and what asks them. An error leaves the questions that are not answered yet as COULD NOT RUN.
type step struct {
	name, title string
	questions   []question
	ask         func(*run, context.Context) error
}

// steps lists the probes in the order in which they run.
func steps() []step {
	return []step{
		{"P0", "the environment", environmentQuestions(), (*run).environment},
		{"P1", "transactions that overlap", fenceQuestions(), (*run).fence},
		{"P2", "the encoder's files", encoderQuestions(), (*run).encoder},
		{"P3", "JSON and dates", valueQuestions(), (*run).values},
		{"P4", "an account with README's permissions", accountQuestions(), (*run).account},
		{"P5", "an object's name that is taken", takenQuestions(), (*run).taken},
		{"P6", "what a merge is billed", mergeQuestions(), (*run).mergeCost},
		{"P7", "errors of jobs", errorQuestions(), (*run).jobErrors},
		{"P8", "collation and expiration of a dataset", datasetQuestions(), (*run).datasets},
	}
}

// Names lists the probes.
func Names() (names []string) {
	for _, s := range steps() {
		names = append(names, s.name)
	}
	return names
}

// run is one run of the command. One goroutine uses it: what overlaps are jobs.
type run struct {
	cfg      Config
	id       string
	started  time.Time
	connect  Connector
	svc      *Services
	say      func(format string, args ...any)
	budget   *budget
	report   *Report
	location string
	step     step   // that runs
	group    string // of records and cases; step.name unless a probe runs as a part of another one
	jobs     int    // submitted so far, for their IDs
	slow     slowQuery

	tables, datasetIDs, objects []string // made and not removed yet
	unfinished                  map[string]bool
}

// Run asks what the configuration wants asked, and cleans up, also when ctx ends or something fails. say is told of the progress.
//
// The report is never nil. An error means that nothing could be asked at all (no credentials, no such dataset) or that ctx
// ended; the questions that were answered before are in the report. A run may be repeated, and several may run at a time.
func Run(ctx context.Context, cfg Config, connect Connector, say func(format string, args ...any)) (*Report, error) {
	r := newRun(cfg, connect, say)
	if err := cfg.Validate(); err != nil {
		return r.report, err
	}
	var err error
	if r.svc, err = connect(ctx, ""); err != nil {
		return r.report, err
	}
	defer func() { _ = r.svc.Close() }() // nothing is lost if it fails
	if err := r.prepare(ctx); err != nil {
		return r.report, err
	}
	r.sweep(ctx)
	for _, s := range steps() {
		if cfg.wants(s.name) {
			r.perform(ctx, s)
		}
	}
	r.cleanUp(ctx)
	r.report.CostUSD = dollars(r.budget.billed)
	return r.report, ctx.Err()
}

func newRun(cfg Config, connect Connector, say func(format string, args ...any)) *run {
	now := time.Now().UTC()
	id := now.Format(stampLayout) + "_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:8]
	return &run{
		cfg: cfg, id: id, started: now, connect: connect, say: say, budget: newBudget(cfg.MaxCost), unfinished: map[string]bool{},
		report: &Report{Run: id, Project: cfg.Project, Dataset: cfg.scratch()},
	}
}

// prepare finds the dataset of the scratch tables, whose location all jobs need.
func (r *run) prepare(ctx context.Context) error {
	var dataset *bq.Dataset
	err := r.request(ctx, func(ctx context.Context) (err error) {
		dataset, err = r.svc.BigQuery.Datasets.Get(r.cfg.Project, r.cfg.scratch()).Context(ctx).Do()
		return err
	})
	if err != nil {
		return fmt.Errorf("look at dataset %s.%s, which is to take the scratch tables: %w; check the project, the dataset and the credentials, or name another one with --dataset",
			r.cfg.Project, r.cfg.scratch(), err)
	}
	r.location, r.report.Location = dataset.Location, dataset.Location
	r.say("run %s in %s.%s (%s), at most $%g", r.id, r.cfg.Project, r.cfg.scratch(), r.location, r.cfg.MaxCost)
	return nil
}

// perform runs a probe and answers what it has left open.
func (r *run) perform(ctx context.Context, s step) {
	r.step, r.group = s, s.name
	before, billed := len(r.report.Answers), r.budget.billed
	started := time.Now()
	err := ctx.Err()
	if err == nil {
		r.say("%s %s …", s.name, s.title)
		err = s.ask(r, ctx)
	}
	r.rest(ctx, err)
	r.inOrder(before)
	counts := map[Verdict]int{}
	for _, a := range r.report.Answers[before:] {
		counts[a.Verdict]++
	}
	r.say("%s %s: %d confirmed, %d different, %d could not run; %.1f s, $%.4f", s.name, s.title,
		counts[Confirmed], counts[Different], counts[CouldNotRun], time.Since(started).Seconds(), dollars(r.budget.billed-billed))
}

// rest answers the probe's open questions with the reason why they are open.
func (r *run) rest(ctx context.Context, err error) {
	reason := "the probe ended before it was asked"
	switch {
	case ctx.Err() != nil:
		reason = "the run was interrupted"
	case err != nil:
		reason = reasonOf(err)
	}
	for _, q := range r.step.questions {
		if !r.answered(q) {
			r.answer(q, CouldNotRun, reason)
		}
	}
}

// inOrder sorts the probe's answers as its questions are.
func (r *run) inOrder(from int) {
	slices.SortStableFunc(r.report.Answers[from:], func(a, b Answer) int { return strings.Compare(a.Question, b.Question) })
}

func (r *run) answered(q question) bool {
	for _, a := range r.report.Answers {
		if a.Question == q.ID {
			return true
		}
	}
	return false
}

// answer records a verdict. Found is what was seen, in words.
func (r *run) answer(q question, v Verdict, found string, args ...any) {
	if len(args) > 0 {
		found = fmt.Sprintf(found, args...)
	}
	r.report.Answers = append(r.report.Answers, Answer{
		Question: q.ID, Probe: r.step.name, Verdict: v, Assumes: q.Assumes, Found: found, Means: q.means(v),
	})
}

// settle answers CONFIRMED or DIFFERENT.
func (r *run) settle(q question, holds bool, found string, args ...any) {
	v := Different
	if holds {
		v = Confirmed
	}
	r.answer(q, v, found, args...)
}

// try asks one question of several that do not depend on each other: an error leaves only this one open.
func (r *run) try(ctx context.Context, q question, ask func() error) error {
	err := ask()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		r.answer(q, CouldNotRun, reasonOf(err))
	}
	return nil
}

// reasonOf is an error as the reason why a question could not be asked.
func reasonOf(err error) string {
	if refused := refusal(err); refused != nil && refused.Code == notCovered {
		return "not covered by the service at this endpoint: " + refused.Message
	}
	if errors.Is(err, ErrNoIdentities) {
		return err.Error()
	}
	return strings.TrimSpace(err.Error())
}
