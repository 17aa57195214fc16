package e2e

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/api/iterator"

	"tidemark/batch"
	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/verify"
)

// bothModels is the value of TIDEMARK_MODELS with which persons are exported beside events.
const bothModels = "events,persons"

// withPersons exports both models.
func withPersons(c *stack.Config) { c.Models = bothModels }

// persons says whether they are exported.
func (w *world) persons() bool { return len(w.topics) > 1 }

// requirePersons compares the table of persons with a plain fold of its topics. No key is twice in the side tables
// either, and every batch was merged once.
func (w *world) requirePersons() verify.PersonsReport {
	w.Helper()
	report, err := verify.Persons(w.Context(), verify.PersonsOptions{Brokers: w.Kafka.Addrs(), PersonTopic: stack.PersonsTopic, MappingTopic: stack.DistinctIDsTopic,
		BigQuery: w.Client, Project: stack.Project, Dataset: stack.Dataset, Table: stack.PersonsTable, MaxBytes: maxRecord, Deletes: verify.Deletes(w.env["TIDEMARK_PERSON_DELETES"]),
		Skip: func(team int64) bool { return w.foreign[team] }})
	require.NoError(w, err)
	require.True(w, report.OK(), "%s", report)
	require.Zero(w, report.Conflicting, "%s", report)
	for table, key := range map[string]string{"_person_state": "person_id", "_distinct_id_state": "distinct_id"} {
		require.Zero(w, w.scalar("SELECT COUNT(*) FROM (SELECT team_id, "+key+" FROM `"+stack.PersonsFullName()+table+"` GROUP BY team_id, "+key+" HAVING COUNT(*) > 1)"), "keys that are twice in %s", table)
	}
	w.requireMergedOnce()
	return report
}

// requireMergedOnce wants every merge that was tried to have succeeded once, whoever tried.
func (w *world) requireMergedOnce() {
	w.Helper()
	succeeded := make(map[string]int)
	jobs := w.Client.Jobs(w.Context())
	for {
		j, err := jobs.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		require.NoError(w, err)
		base, _, merge := strings.Cut(j.ID(), hashOf(stack.PersonsTable)+applyJob)
		if !merge {
			continue
		}
		n := 0
		if s := j.LastStatus(); s.Done() && s.Err() == nil {
			n = 1
		}
		succeeded[base] += n
	}
	require.NotEmpty(w, succeeded, "nothing was merged")
	for base, n := range succeeded {
		require.Equal(w, 1, n, "merges of %s with success", base)
	}
}

// awaitJob returns when a job is done, or ctx ends.
func (w *world) awaitJob(ctx context.Context, id string) {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		j, err := w.Client.JobFromIDLocation(ctx, id, stack.Location)
		if err == nil && j.LastStatus().Done() {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// What tells the kinds of jobs apart in their IDs.
const (
	applyJob  = "_apply-g"
	stageJob  = "_stage-g"
	rowJob    = "_row_"    // makes a row of the status table
	fenceJob  = "_fence_"  // makes the row that merges conflict on
	seedJob   = "_seed_"   // tells the side tables what the table knows
	statusJob = "_status_" // publishes
)

// jobOf matches the jobs of a kind, on a table of stack's; empty means any.
func jobOf(table, kind string) func(bigquery.JobCall) bool {
	return func(c bigquery.JobCall) bool { return isJob(c.JobID, table, kind) }
}

func isJob(id, table, kind string) bool {
	return strings.Contains(id, kind) && strings.Contains(id, hashOf(table))
}

// hashOf is what names a table in the IDs of its jobs and in the names of its stage tables.
func hashOf(table string) string {
	if table == "" {
		return ""
	}
	id := batch.TableJob(batch.Target{Project: stack.Project, Dataset: stack.Dataset, Table: table}, "").Base
	return strings.Trim(strings.TrimPrefix(id, "tidemark"), "_")
}
