package warehouse

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/googleapi"

	"tidemark/batch"
)

func (r real) err() error {
	if r.code == 0 {
		return &bigquery.Error{Reason: r.reason, Message: r.text}
	}
	return &googleapi.Error{Code: r.code, Message: r.text, Errors: []googleapi.ErrorItem{{Reason: r.reason, Message: r.text}}}
}

func (r real) op() string {
	if r.code == 0 {
		return "query job"
	}
	return "submit load job"
}

func TestCauses_RealTexts(t *testing.T) {
	for _, r := range reals {
		require.NotEmpty(t, r.source, r.text)
		err := r.err()
		e := classify(r.op(), "job-g1", err)
		require.Equal(t, r.class == permanent, e.Permanent, "%v", e)
		require.Equal(t, r.class == permanent, isPermanent(fmt.Errorf("apply: %w", e)), "%v", e)
		require.Equal(t, r.class == nextAttempt, batch.Expected(e), "%v", e)
		for _, part := range strings.Split(r.hint, "|") {
			require.Contains(t, e.Hint(), part, "%v", e)
		}
		require.NotContains(t, e.Hint(), "{", "%v", e)
		require.ErrorIs(t, e, err)
		require.NotContains(t, e.Error(), "Reason:", "the library's own wording is not repeated")
	}
}

// A cause that no text is known of is a guess, and a cause that an earlier one hides is dead.
func TestCauses_EachIsFoundByAText(t *testing.T) {
	found := map[int]bool{}
	for _, r := range reals {
		found[indexOf(r.op(), r.reason, r.text)] = true
	}
	found[indexOf(opReadJob, "accessDenied", "")] = true // TestCauses_JobOfAnotherAccount
	found[indexOf("", "", "")] = true                    // no answer
	for i, c := range causes {
		require.True(t, found[i], "no text of the tests has the cause %+v", c)
	}
}

// B6: a bucket elsewhere is not a matter of columns.
func TestB6_LocationsAreNamed(t *testing.T) {
	e := classify("load job", "job-g1", real{reason: "invalid", text: "Cannot read and write in different locations: source: EU, destination: US"}.err())
	require.True(t, e.Permanent)
	require.Contains(t, e.Hint(), "different locations")
	require.NotContains(t, e.Hint(), "column")
	require.NotContains(t, e.Hint(), "schema")
}

// Where only the reason is known, the hint says nothing of columns, partitions, keys or places.
func TestCauses_UnknownTextIsNotGuessedAt(t *testing.T) {
	for _, reason := range []string{"invalid", "invalidQuery", "badRequest", "notFound", "accessDenied", "forbidden", "quotaExceeded",
		"rateLimitExceeded", "resourcesExceeded", "stopped", "timeout", "duplicate", "backendError", "blocked", "new"} {
		hint := classify("load job", "job-g1", real{reason: reason, text: "Something that nobody has seen"}.err()).Hint()
		for _, guess := range []string{"column", "schema", "partition", "location", "1,500", "encryption", "{"} {
			require.NotContains(t, hint, guess, reason)
		}
	}
}

// Names that people give to datasets and tables stand in every message.
func TestCauses_NamesDoNotMislead(t *testing.T) {
	e := classify("query job", "job-g1", real{reason: "notFound", text: "Not found: Table proj:storage.shuffle_collation_consumer_group was not found in location EU"}.err())
	require.Contains(t, e.Hint(), "the table is gone")
	e = classify("query job", "job-g1", real{reason: "accessDenied", text: "Access Denied: Table proj:storage.events_fineGrained: Permission bigquery.tables.getData denied on table proj:storage.events_fineGrained (or it may not exist)."}.err())
	require.Contains(t, e.Hint(), "bigquery.tables.getData")
	e = classify("query job", "job-g1", real{reason: "quotaExceeded", text: "Quota exceeded: Your table proj:shuffle.cryptokey exceeded something new"}.err())
	require.Contains(t, e.Hint(), "the message says which")
}

// BigQuery wraps the error of a statement in a script: "Query error: … at [24:9]".
func TestCauses_WrappedTextsHaveTheSameCause(t *testing.T) {
	for _, r := range reals {
		if r.text != "" {
			require.Equal(t, indexOf(r.op(), r.reason, r.text), indexOf(r.op(), r.reason, "Query error: "+r.text+" at [24:9]"), r.text)
		}
	}
}

// What waits behind others runs as soon as they are done; what has used up a day's quota waits for as long as BigQuery asks.
func TestCauses_OnlyQuotasPause(t *testing.T) {
	for text, pause := range map[string]time.Duration{
		"Quota exceeded: Your table exceeded quota for total number of dml jobs writing to a table, pending + running":  0,
		"Quota exceeded: Your user_method exceeded quota for concurrent api requests per user per method.":              0,
		"Quota exceeded: Your table exceeded quota for imports or query appends per table":                              quotaPause,
		"Quota exceeded: Your table exceeded quota for Number of partition modifications to a column partitioned table": quotaPause,
		"Quota exceeded: Your project exceeded quota for something new":                                                 quotaPause,
	} {
		require.Equal(t, pause, causeOf("query job", reasonQuota, text).pause, text)
	}
}

// The error of a job has a place, a name that BigQuery's programs use, and that stays when somebody rewords the message.
func TestCauses_ThePlaceTellsAsWell(t *testing.T) {
	for _, c := range []struct{ reason, place, source, hint string }{
		{"quotaExceeded", "load_job_per_table.long", "pingcap-inc/tidb2dw#91", "1,500 load jobs"},
		{"quotaExceeded", "partition_modifications_per_column_partitioned_table.long", "m-lab/etl-gardener", "30,000"},
		{"quotaExceeded", "load_job_per_partitioned_table.long", "an anchor of the page quotas", "30,000"},
		{"quotaExceeded", "max_dml_outstanding_per_table", "seen in a public project", "exclude each other"},
		{"quotaExceeded", "unbilled.analysis", "xlang-ai/Spider2#5", "free query bytes"},
		{"rateLimitExceeded", "table.write", "pingcap-inc/tidb2dw#89", "changed too often"},
	} {
		e := classify("load job", "job-g1", &bigquery.Error{Reason: c.reason, Message: "Reworded", Location: c.place})
		require.Contains(t, e.Hint(), c.hint, "%s (%s)", c.place, c.source)
		require.False(t, e.Permanent)
	}
}

func TestCauses_JobOfAnotherAccount(t *testing.T) {
	text := "Access Denied: Job proj:EU.tidemark_b_load-g1: Permission bigquery.jobs.get denied on job proj:EU.tidemark_b_load-g1 (or it may not exist)."
	require.Contains(t, classify(opReadJob, "job-g1", real{code: 403, reason: "accessDenied", text: text}.err()).Hint(), "another account")
	text = "Access Denied: Dataset proj:ds: Permission bigquery.tables.create denied on dataset proj:ds (or it may not exist)."
	require.Contains(t, classify(opCreateTable, "proj.ds.t", real{code: 403, reason: "accessDenied", text: text}.err()).Hint(), "bigquery.tables.create")
}
