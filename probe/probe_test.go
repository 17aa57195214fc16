package probe

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"
	bq "google.golang.org/api/bigquery/v2"
	"google.golang.org/api/googleapi"

	"tidemark/loader"
)

func valid() Config {
	return Config{Project: "p", Dataset: "d", Loader: loader.Config{Bucket: "b", Prefix: "tidemark"}, MaxCost: 0.05, MergeBytes: DefaultMergeBytes, Overlap: DefaultOverlap}
}

func TestConfig_FaultsSayTheFlagWhatWasFoundAndWhatIsAllowed(t *testing.T) {
	require.NoError(t, valid().Validate())
	require.NoError(t, Config{Scratch: "A_9", Only: []string{"P0", "P8"}, Account: "a@p.iam.gserviceaccount.com", MergeBytes: minMergeBytes, Overlap: maxOverlap}.Validate())
	c := Config{Scratch: "a-b", MaxCost: math.NaN(), Only: []string{"P9", "p1"}, Account: "me", MergeBytes: 1, Overlap: time.Hour}
	err := c.Validate()
	for _, want := range []string{
		`--dataset is "a-b"; want letters`, `--max-cost is NaN; want US dollars from 0 to 100`, `--only has "P9"; want some of P0,P1,P2`,
		`--only has "p1"`, `--impersonate is "me"; want the e-mail`, `--merge-bytes is 1; want 1000000 to`, `--overlap is 1h0m0s; want 100ms to 2m0s`,
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestBudget_ReservesBeforeAndBooksAfter(t *testing.T) {
	b := newBudget(dollarsPerTiB / 1024) // a GiB
	require.EqualValues(t, 1<<30, b.left())
	require.NoError(t, b.reserve(600<<20))
	require.ErrorIs(t, b.reserve(600<<20), errTooDear, "what runs at the same time counts")
	b.settle(600<<20, 10<<20)
	require.NoError(t, b.reserve(600<<20))
	require.EqualValues(t, 414<<20, b.left())
	require.InDelta(t, 6.25, dollars(1<<40), 1e-9)
}

func TestBudget_AnEstimateHasTheMinimumOfEachTable(t *testing.T) {
	require.Zero(t, estimate(nil, 0))
	require.EqualValues(t, 2*minBilled, estimate(nil, 2))
	require.EqualValues(t, 5+minBilled, estimate(&bq.Job{Statistics: &bq.JobStatistics{TotalBytesProcessed: 5}}, 1))
}

func TestEnvironment_LocationsThatAreFree(t *testing.T) {
	for _, c := range []struct {
		bucket  string
		pair    []string
		dataset string
		free    bool
	}{
		{"US", nil, "US", true}, {"us-east1", nil, "US-EAST1", true}, {"US-CENTRAL1", nil, "US", true}, {"NAM4", nil, "US", true},
		{"US-EAST1", nil, "US", false}, {"EU", nil, "US", false}, {"EUROPE-WEST4", nil, "EU", true}, {"EUR4", nil, "EU", true},
		{"EUROPE-WEST1", nil, "EU", false}, {"EU", []string{"EUROPE-WEST1", "EUROPE-WEST4"}, "EU", true},
		{"EU", []string{"EUROPE-WEST1", "EUROPE-WEST4"}, "europe-west1", true}, {"US", []string{"US-EAST1", "US-CENTRAL1"}, "US-WEST1", false},
		{"ASIA1", nil, "ASIA-NORTHEAST1", true}, {"ASIA", nil, "ASIA-NORTHEAST1", false},
	} {
		require.Equal(t, c.free, isFree(c.bucket, c.pair, c.dataset), "%+v", c)
	}
}

func TestEnvironment_LifecycleRulesThatDeleteWhatIsNeeded(t *testing.T) {
	deleting := func(c storage.LifecycleCondition) storage.LifecycleRule {
		return storage.LifecycleRule{Action: storage.LifecycleAction{Type: storage.DeleteAction}, Condition: c}
	}
	for name, c := range map[string]struct {
		rule storage.LifecycleRule
		want int
	}{
		"ours":                      {deleting(storage.LifecycleCondition{AgeInDays: 30, MatchesPrefix: []string{"tidemark/parts/", "tidemark/batches/"}}), 0},
		"parts within a week":       {deleting(storage.LifecycleCondition{AgeInDays: 6, MatchesPrefix: []string{"tidemark/parts/"}}), 1},
		"everything":                {deleting(storage.LifecycleCondition{AgeInDays: 365}), 2},
		"everything at once":        {deleting(storage.LifecycleCondition{AllObjects: true}), 4},
		"the prefix":                {deleting(storage.LifecycleCondition{AgeInDays: 30, MatchesPrefix: []string{"tidemark"}}), 2},
		"one group":                 {deleting(storage.LifecycleCondition{AgeInDays: 30, MatchesPrefix: []string{"tidemark/groups/a/"}}), 1},
		"another prefix":            {deleting(storage.LifecycleCondition{AgeInDays: 1, MatchesPrefix: []string{"other/"}}), 0},
		"old versions":              {deleting(storage.LifecycleCondition{NumNewerVersions: 1}), 0},
		"a change of the class":     {storage.LifecycleRule{Action: storage.LifecycleAction{Type: storage.SetStorageClassAction}}, 0},
		"objects that are not live": {deleting(storage.LifecycleCondition{AgeInDays: 1, Liveness: storage.Archived}), 0},
	} {
		require.Len(t, harmfulRules([]storage.LifecycleRule{c.rule}, "tidemark"), c.want, name)
	}
}

func TestScratch_OnlyWhatARunHasMadeAndLeftIsAbandoned(t *testing.T) {
	r := newRun(valid(), nil, nil)
	old := r.started.Add(-lifetime - time.Second).Format(stampLayout)
	young := r.started.Add(-lifetime / 2).Format(stampLayout)
	for name, want := range map[string]bool{
		"tidemark_probe_" + old + "_0123abcd_p1_fence": true, "tidemark_probe_" + old + "_0123abcd_ci": true, "tidemark_probe_" + old + "_0123abcd": true,
		"tidemark/probe/" + old + "_0123abcd/taken": true, "a/b/probe/" + old + "_0123abcd/p2/rows.parquet": true,
		"tidemark_probe_" + young + "_0123abcd_p1_fence": false, r.table("p1_fence"): false, r.object("taken"): false,
		"tidemark_probe_" + old: false, "tidemark_probe_x": false, "my_tidemark_probe_" + old + "_0123abcd_x": false,
		"tidemark_probe_" + old + "_0123abcdef_x": false, "tidemark_probe_20269999t999999_0123abcd_x": false, "events": false,
	} {
		require.Equal(t, want, r.abandoned(name), name)
	}
}

func TestRequest_TellsWhatMayPass(t *testing.T) {
	for code, want := range map[int]bool{400: false, 403: false, 404: false, 409: false, 412: false, 429: true, 500: true, 501: false, 503: true} {
		require.Equal(t, want, mayPass(fmt.Errorf("look: %w", &googleapi.Error{Code: code})), code)
	}
	require.True(t, mayPass(errors.New("connection reset")))
	require.False(t, mayPass(errors.New("impersonate: status code 403: not allowed")))
}

func TestAccount_WhatIsRefusedIsADifferenceAndWhatIsNotCoveredIsNone(t *testing.T) {
	for _, c := range []struct {
		before Verdict
		answer Answer
		want   Verdict
	}{
		{Confirmed, Answer{Verdict: Confirmed}, Confirmed}, {Confirmed, Answer{Verdict: Different}, Different},
		{Confirmed, Answer{Verdict: CouldNotRun, Found: "googleapi: Error 403: Access Denied: …"}, Different},
		{Confirmed, Answer{Verdict: CouldNotRun, Found: "impersonate: status code 403: the caller does not have …"}, CouldNotRun},
		{Confirmed, Answer{Verdict: CouldNotRun, Found: "not covered by the service"}, Confirmed},
		{Confirmed, Answer{Verdict: CouldNotRun, Found: "the cost cap refuses it"}, CouldNotRun},
		{CouldNotRun, Answer{Verdict: Confirmed}, CouldNotRun}, {Different, Answer{Verdict: CouldNotRun}, Different},
	} {
		require.Equal(t, c.want, worse(c.before, c.answer), "%+v", c)
	}
}

func TestReport_WordsAreWrappedAndIndented(t *testing.T) {
	r := &Report{Answers: []Answer{{Question: "P1a", Verdict: Confirmed, Assumes: strings.Repeat("word ", 60), Found: "seen", Means: "good"}}}
	var b strings.Builder
	r.WriteTable(&b)
	for _, line := range strings.Split(b.String(), "\n") {
		require.LessOrEqual(t, len(line), lineWidth)
	}
	require.Equal(t, 60, strings.Count(b.String(), "word"))
	require.Contains(t, b.String(), "1 CONFIRMED, 0 DIFFERENT, 0 COULD NOT RUN")
}

func TestSteps_EveryQuestionSaysWhatEachAnswerMeans(t *testing.T) {
	ids := map[string]bool{}
	for _, s := range steps() {
		require.NotEmpty(t, s.questions)
		for _, q := range s.questions {
			require.Regexp(t, "^"+s.name+"[a-z]$", q.ID)
			require.False(t, ids[q.ID], q.ID)
			ids[q.ID] = true
			for _, text := range []string{q.Assumes, q.means(Confirmed), q.means(Different), q.means(CouldNotRun)} {
				require.NotEmpty(t, text, q.ID)
				require.False(t, strings.HasSuffix(text, "."), "%s: %q", q.ID, text)
			}
		}
	}
}

// The recent instants that the encoder's rows have are what their names say.
func TestEncoder_InstantsAreThoseOfTheirNames(t *testing.T) {
	for want, micros := range map[string]int64{
		"0001-01-01T00:00:00.000001Z": year1, "9999-12-31T23:59:59.999999Z": year9999, "1969-12-31T23:59:59.999999Z": before70,
	} {
		require.Equal(t, want, time.UnixMicro(micros).UTC().Format(time.RFC3339Nano))
	}
	require.Equal(t, 2026, time.UnixMicro(recent).UTC().Year())
}

func TestRows_WhatDiffersIsDescribed(t *testing.T) {
	rows := func() (list []map[string]any) {
		for i, row := range encoderRows() {
			cells := row.cells(i)
			cells["uuid"] = row.uuid
			list = append(list, cells)
		}
		return list
	}
	require.Empty(t, differing(rows()))
	changed := rows()
	changed[1]["EVENT"] = "NUL"
	changed[4]["properties"] = "" // was NULL
	require.Len(t, differing(changed), 2)
	require.Len(t, differing(rows()[1:]), 2, "the number, and the row")
	require.Len(t, differing(append(rows(), rows()[0])), 1)
}
