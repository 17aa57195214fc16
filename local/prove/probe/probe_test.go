package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	gbq "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	bq "google.golang.org/api/bigquery/v2"

	"tidemark/local/emulate/stack"
	"tidemark/probe"
)

// notCovered are the questions that the embedded services may leave unanswered, for a reason that they give: they
// have no permissions, no bytes billed, no DEFAULT of columns, no views, and compare no text by a collation.
func notCovered() map[string]bool {
	return map[string]bool{
		"P0f": true, "P2d": true, "P4a": true, "P4b": true, "P5b": true,
		"P6a": true, "P6b": true, "P6c": true, "P6d": true, "P6e": true,
		"P8a": true,
	}
}

// requireDocumented wants every question answered once, as the documentation says.
func requireDocumented(t *testing.T, report *probe.Report) {
	t.Helper()
	asked := map[string]bool{}
	for _, a := range report.Answers {
		require.False(t, asked[a.Question], "%s was answered twice", a.Question)
		asked[a.Question] = true
		require.NotEmpty(t, a.Found, a.Question)
		require.NotEmpty(t, a.Means, a.Question)
		if notCovered()[a.Question] && a.Verdict == probe.CouldNotRun {
			continue
		}
		require.Equal(t, probe.Confirmed, a.Verdict, "%s: %s", a.Question, a.Found)
	}
}

func TestProbe_EmbeddedServicesAnswerAsDocumented(t *testing.T) {
	t.Parallel()
	w := start(t)
	report, err := w.run(t.Context(), t)
	require.NoError(t, err)
	requireDocumented(t, report)
	require.Len(t, report.Answers, 42)
	require.Empty(t, w.remains(t))
	require.Empty(t, report.Left)
	for _, name := range probe.Names() {
		require.Regexp(t, regexp.MustCompile(`(?m)^`+name+` .*: \d+ confirmed, \d+ different, \d+ could not run; \d+\.\d s, \$`), strings.Join(w.said.all, "\n"))
	}
	requireRecords(t, report)
}

// requireRecords wants raw job resources that say what the probes are for, and nobody's identity.
func requireRecords(t *testing.T, report *probe.Report) {
	t.Helper()
	var file bytes.Buffer
	require.NoError(t, report.WriteRecords(&file))
	require.NotContains(t, file.String(), "user_email")
	var records []struct {
		Probe, Case, What, Source string
		Job                       *bq.Job
		Error                     *bq.ErrorProto
	}
	require.NoError(t, json.Unmarshal(file.Bytes(), &records))
	byCase, refusals := map[string]*bq.Job{}, []string{}
	for _, r := range records {
		require.NotEmpty(t, r.Probe)
		require.True(t, r.Job != nil || r.Error != nil, r.Case)
		require.Equal(t, "tidemark probe, run "+report.Run, r.Source)
		byCase[r.Probe+" "+r.What] = r.Job
		if r.Case != r.What {
			refusals = append(refusals, r.What+" is "+r.Case)
		}
	}
	require.Subset(t, refusals, []string{"P1a B is concurrent_update", "P1b A is concurrent_update", "P1e B is concurrent_update", "P7c is not_found_table"})
	aborted := byCase["P1 P1a B"]
	require.NotNil(t, aborted)
	require.Equal(t, "invalidQuery", aborted.Status.ErrorResult.Reason)
	require.Contains(t, aborted.Status.ErrorResult.Message, "due to concurrent update")
	require.Positive(t, aborted.Statistics.EndTime)
	require.Positive(t, aborted.Configuration.Query.MaximumBytesBilled)
	require.NotNil(t, byCase["P1 P1a A child 1"], "children of scripts are kept, too")
	require.NotNil(t, byCase["P2 load"].Configuration.Load)
	require.Equal(t, "stopped", byCase["P7 P7d"].Status.ErrorResult.Reason)
}

// It may be repeated, and a second run removes what an earlier one that was killed has left, when that is old enough.
func TestProbe_MayBeRepeatedAndRemovesWhatEarlierRunsLeft(t *testing.T) {
	t.Parallel()
	w := start(t)
	left := []string{"20260102t030405_0123abcd", "29990102t030405_0123abcd"} // long ago, and of another run at this moment
	schema := gbq.Schema{{Name: "id", Type: gbq.StringFieldType}}
	for _, run := range left {
		require.NoError(t, w.Client.Dataset(stack.Dataset).Table("tidemark_probe_"+run+"_p1_fence").Create(t.Context(), &gbq.TableMetadata{Schema: schema}))
		require.NoError(t, w.Client.Dataset("tidemark_probe_"+run+"_ci").Create(t.Context(), &gbq.DatasetMetadata{Location: stack.Location}))
		object := w.Storage.Bucket(stack.Bucket).Object("tidemark/probe/" + run + "/taken").NewWriter(t.Context())
		require.NoError(t, object.Close())
	}
	kept := []string{"tidemark_probe_other", "tidemark_probe_" + left[0] + "x"} // nothing of ours
	for _, table := range kept {
		require.NoError(t, w.Client.Dataset(stack.Dataset).Table(table).Create(t.Context(), &gbq.TableMetadata{Schema: schema}))
	}
	want := append(slices.Clone(kept), "tidemark_probe_"+left[1]+"_p1_fence", "tidemark_probe_"+left[1]+"_ci", "tidemark/probe/"+left[1]+"/taken")
	for range 2 {
		report, err := w.run(t.Context(), t, "P2", "P5", "P7", "P8")
		require.NoError(t, err)
		requireDocumented(t, report)
		require.ElementsMatch(t, want, w.remains(t))
	}
}

func TestProbe_TheCostCapRefusesBeforeAnythingIsBilled(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.cfg.MaxCost = 0.00005 // less than one query of 10 MiB
	report, err := w.run(t.Context(), t, "P1", "P2", "P3", "P6")
	require.NoError(t, err)
	for _, id := range []string{"P1a", "P1e", "P3e", "P6a"} {
		a := answerOf(t, report, id)
		require.Equal(t, probe.CouldNotRun, a.Verdict)
		require.Regexp(t, `the cost cap refuses it: .*\$0\.0.* of --max-cost .*are left.*raise --max-cost`, a.Found)
	}
	require.Equal(t, probe.Confirmed, answerOf(t, report, "P2a").Verdict, "load jobs are free")
	require.Equal(t, probe.Confirmed, answerOf(t, report, "P3b").Verdict, "so are queries without tables")
	require.NotContains(t, submitted(t, w), "INSERT INTO", "nothing that is billed was submitted")
}

// The dry run's own figure counts, not only the minimum for each table.
func TestProbe_TheCostCapKnowsWhatTheDryRunSays(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.cfg.BigQueryEndpoint = proxy(t, w.cfg.BigQueryEndpoint, nil, func(path string, body []byte) []byte {
		if strings.HasSuffix(path, "/jobs") && bytes.Contains(body, []byte(`"dryRun":true`)) {
			return bytes.Replace(body, []byte(`"statistics":{`), []byte(`"statistics":{"totalBytesProcessed":"10000000000",`), 1)
		}
		return body
	})
	report, err := w.run(t.Context(), t, "P7")
	require.NoError(t, err)
	a := answerOf(t, report, "P7b")
	require.Equal(t, probe.CouldNotRun, a.Verdict)
	require.Contains(t, a.Found, "the query may be billed $0.05")
}

// submitted is the text of all query jobs of the service.
func submitted(t *testing.T, w *world) string {
	t.Helper()
	var all []string
	jobs := w.Client.Jobs(t.Context())
	for job, err := jobs.Next(); err == nil; job, err = jobs.Next() {
		config, err := job.Config()
		require.NoError(t, err)
		if q, ok := config.(*gbq.QueryConfig); ok {
			all = append(all, q.Q)
		}
	}
	return strings.Join(all, "\n")
}

// Interrupted while one transaction waits for another: the jobs are cancelled, everything is removed, and what was
// answered before is told.
func TestProbe_AnInterruptedRunCleansUp(t *testing.T) {
	t.Parallel()
	w := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hold := make(chan struct{})
	defer close(hold)
	held := make(chan struct{}, 1)
	rule := w.faults.OnJob(jobHeld(held, hold))
	go func() {
		<-held
		cancel()
	}()
	report, err := w.run(ctx, t)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, rule.Hits())
	require.Empty(t, w.remains(t))
	require.Empty(t, report.Left)
	require.Equal(t, probe.Confirmed, answerOf(t, report, "P0a").Verdict)
	for _, id := range []string{"P1a", "P2a", "P8d"} {
		a := answerOf(t, report, id)
		require.Equal(t, probe.CouldNotRun, a.Verdict)
		require.Equal(t, "the run was interrupted", a.Found)
	}
	require.Len(t, report.Answers, 42)
}

// A failure cleans up as well, and is told of where it happened.
func TestProbe_AServiceThatFailsLeavesQuestionsOpenAndNothingBehind(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.faults.OnRequest(refused("tabledata.list", ""))
	report, err := w.run(t.Context(), t, "P1", "P5")
	require.NoError(t, err)
	a := answerOf(t, report, "P1a")
	require.Equal(t, probe.CouldNotRun, a.Verdict)
	require.Contains(t, a.Found, "403")
	require.Equal(t, probe.Confirmed, answerOf(t, report, "P5a").Verdict)
	require.Empty(t, w.remains(t))
}

func TestProbe_WhereNothingCanBeAskedTheErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.cfg.Scratch = "elsewhere"
	report, err := w.run(t.Context(), t)
	require.ErrorContains(t, err, "look at dataset local.elsewhere")
	require.ErrorContains(t, err, "name another one with --dataset")
	require.Empty(t, report.Answers)
}

// Scratch tables are in the dataset that was named, and the configured one is only looked at.
func TestProbe_WorksInAScratchDataset(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.cfg.Scratch = "scratch"
	require.NoError(t, w.Client.Dataset("scratch").Create(t.Context(), &gbq.DatasetMetadata{Location: stack.Location}))
	used := map[string]bool{}
	w.cfg.BigQueryEndpoint = proxy(t, w.cfg.BigQueryEndpoint, func(path string, body []byte) []byte {
		if strings.HasPrefix(path, "POST ") && strings.HasSuffix(path, "/tables") {
			used[path] = true
		}
		return body
	}, nil)
	report, err := w.run(t.Context(), t, "P0", "P7")
	require.NoError(t, err)
	requireDocumented(t, report)
	require.Len(t, used, 1)
	for path := range used {
		require.True(t, strings.HasSuffix(path, "/datasets/scratch/tables"), path)
	}
	require.True(t, slices.Contains(w.remains(t), "scratch"))
}
