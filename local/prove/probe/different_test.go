package probe

import (
	"bytes"
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/local/emulate/bigquery"
	"tidemark/probe"
)

// jobHeld keeps the second transaction of P1a from committing, while the first one is busy.
func jobHeld(held chan<- struct{}, until <-chan struct{}) bigquery.JobRule {
	return bigquery.JobRule{
		When:  func(c bigquery.JobCall) bool { return strings.Contains(c.JobID, "_p1_") && len(c.Tables) == 2 },
		Skip:  1,
		Fault: bigquery.JobFault{Held: held, HoldRunning: until},
	}
}

// refused answers every request of a kind that names a job of the group with 403.
func refused(op, group string) bigquery.RequestRule {
	return bigquery.RequestRule{
		Op: op, Count: -1, When: func(c bigquery.Call) bool { return strings.Contains(c.JobID, group) },
		Fault: bigquery.Fault{Status: http.StatusForbidden, Reason: "accessDenied"},
	}
}

// withoutFence removes the UPDATE of the fence from scripts, so that both transactions commit: as a BigQuery would that does
// not abort the one that comes second.
func withoutFence(_ string, body []byte) []byte {
	if !bytes.Contains(body, []byte("BEGIN TRANSACTION")) || !bytes.Contains(body, []byte("MERGE")) {
		return body
	}
	return regexp.MustCompile("UPDATE `[^`]*_fence` SET n = n \\+ 1 WHERE name = ('fence'|@name);").ReplaceAll(body, nil)
}

func TestProbe_ABigQueryThatLetsBothCommitIsDifferent(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.cfg.BigQueryEndpoint = proxy(t, w.cfg.BigQueryEndpoint, withoutFence, nil)
	report, err := w.run(t.Context(), t, "P1")
	require.NoError(t, err)
	for _, id := range []string{"P1a", "P1b", "P1e"} {
		a := answerOf(t, report, id)
		require.Equal(t, probe.Different, a.Verdict, a.Found)
		require.Contains(t, a.Found, "rows of the key: 2")
		require.Contains(t, a.Means, "run one replica")
	}
	require.Empty(t, w.remains(t))
}

// An abort in other words would not be known for one by tidemark: it is different, too.
func TestProbe_AnAbortInOtherWordsIsDifferent(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.cfg.BigQueryEndpoint = proxy(t, w.cfg.BigQueryEndpoint, nil, func(_ string, body []byte) []byte {
		return bytes.ReplaceAll(body, []byte("aborted due to concurrent update against"), []byte("rolled back because of"))
	})
	report, err := w.run(t.Context(), t, "P1")
	require.NoError(t, err)
	a := answerOf(t, report, "P1a")
	require.Equal(t, probe.Different, a.Verdict)
	require.Contains(t, a.Found, "in words that tidemark does not take for a conflict")
	require.Equal(t, probe.Different, answerOf(t, report, "P1b").Verdict)
}

// Each answer can differ: what is changed on the way shows in the question that it belongs to, and in no other of its probe.
func TestProbe_EveryChangedAnswerIsSeen(t *testing.T) {
	for name, c := range map[string]struct {
		probe   string
		change  func(path string, body []byte) []byte
		differs []string
	}{
		"default expiration":  {"P0", inDataset(`"defaultTableExpirationMs":"3600000",`), []string{"P0a"}},
		"collation":           {"P0", inDataset(`"defaultCollation":"und:ci",`), []string{"P0b"}},
		"billing":             {"P0", inDataset(`"storageBillingModel":"PHYSICAL","maxTimeTravelHours":"48",`), []string{"P0d"}},
		"location":            {"P0", replaced("GET /bigquery/v2/projects/local/datasets/posthog", `"location":"US"`, `"location":"asia-east1"`), []string{"P0c"}},
		"permission":          {"P0", replaced("POST ", `"bigquery.tables.update",`, ``), []string{"P0g"}},
		"rows loaded":         {"P2", replaced("", `"outputRows":"5"`, `"outputRows":"4"`), []string{"P2a", "P2f"}},
		"a value":             {"P2", replaced("GET ", `253402300799999999`, `253402300799999000`), []string{"P2b"}},
		"creation time":       {"P2", recreated(), []string{"P2c"}},
		"WRITE_EMPTY ignored": {"P2", replaced("", `"errorResult":{"message":"Already Exists`, `"ignored":{"message":"Already Exists`), []string{"P2f"}},
		"JSON taken":          {"P3", replaced("", `"errorResult":{`, `"ignored":{`), []string{"P3b", "P3c", "P3d"}},
		"reasons":             {"P7", replaced("", `"reason":"invalidQuery"`, `"reason":"invalid"`), []string{"P7b"}},
		"missing table":       {"P7", replaced("", `"reason":"notFound"`, `"reason":"invalid"`), []string{"P7c"}},
		"inherited expiry":    {"P8", replaced("GET /bigquery/v2/projects/local/datasets/tidemark_probe_", `"expirationTime":"1`, `"expirationTime":"2`), []string{"P8c"}},
		"parameters are dear": {"P6", billed("BETWEEN @low AND @high"), []string{"P6b"}},
		"ranges are dear":     {"P6", billed("' OR t.id BETWEEN"), []string{"P6d"}},
		"merges are dear":     {"P6", billed("AND '10004000'"), []string{"P6a"}},
		"transactions":        {"P6", billed("BEGIN TRANSACTION"), []string{"P6c"}},
		"nothing is dear":     {"P6", billed("none"), nil},
		"cancelled":           {"P7", replaced("", `"reason":"stopped"`, `"reason":"timeout"`), []string{"P7d"}},
		"own expiration":      {"P8", replaced("GET /bigquery/v2/projects/local/datasets/tidemark_probe_", `"expirationTime":"4`, `"expirationTime":"5`), []string{"P8d"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			w.cfg.BigQueryEndpoint = proxy(t, w.cfg.BigQueryEndpoint, nil, c.change)
			report, err := w.run(t.Context(), t, c.probe)
			require.NoError(t, err)
			var differs []string
			for _, a := range report.Answers {
				if a.Verdict == probe.Different {
					differs = append(differs, a.Question)
				}
			}
			require.Equal(t, c.differs, differs)
		})
	}
}

// replaced changes the replies of the requests that begin so. A job may be DONE in the reply to its insert already.
func replaced(begin, old, with string) func(string, []byte) []byte {
	return func(path string, body []byte) []byte {
		if !strings.HasPrefix(path, begin) {
			return body
		}
		return bytes.ReplaceAll(body, []byte(old), []byte(with))
	}
}

// billed makes BigQuery say what its jobs are billed: 20 MB, and ten times as much for those whose resource has the text.
func billed(dear string) func(string, []byte) []byte {
	return func(path string, body []byte) []byte {
		if !strings.Contains(path, "/jobs") {
			return body
		}
		bytesBilled := "20000000"
		if bytes.Contains(body, []byte(dear)) {
			bytesBilled = "200000000"
		}
		return bytes.Replace(body, []byte(`"statementType":`), []byte(`"totalBytesBilled":"`+bytesBilled+`","statementType":`), 1)
	}
}

// inDataset adds properties to the configured dataset.
func inDataset(properties string) func(string, []byte) []byte {
	return func(path string, body []byte) []byte {
		if path != "GET /bigquery/v2/projects/local/datasets/posthog" {
			return body
		}
		return bytes.Replace(body, []byte(`{`), []byte(`{`+properties), 1)
	}
}

// recreated lets a table look as if it had been made again when it is read.
func recreated() func(string, []byte) []byte {
	creation := regexp.MustCompile(`"creationTime":"\d+"`)
	return func(path string, body []byte) []byte {
		if !strings.HasPrefix(path, "GET ") || !strings.HasSuffix(path, "_p2_events") {
			return body
		}
		return creation.ReplaceAll(body, []byte(`"creationTime":"1"`))
	}
}

// The account that P4 acts as is the one whose answers count; the embedded services have no accounts, so both are the same.
func TestProbe_AnAccountRunsTheProbesOfTransactionsAndLoads(t *testing.T) {
	t.Parallel()
	const account = "export@local.iam.gserviceaccount.com"
	for name, c := range map[string]struct {
		denied          string
		merges, loads   probe.Verdict
		refusedInAnswer string
	}{
		"granted":       {"", probe.Confirmed, probe.Confirmed, ""},
		"jobs refused":  {"_p4_", probe.Different, probe.Different, "P1a COULD NOT RUN"},
		"other refused": {"_p9_", probe.Confirmed, probe.Confirmed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			if c.denied != "" {
				w.faults.OnRequest(refused("jobs.insert", c.denied))
			}
			cfg := w.cfg
			cfg.Only, cfg.Account = []string{"P4", "P5"}, account
			var asked []string
			connect := func(ctx context.Context, account string) (*probe.Services, error) {
				asked = append(asked, account)
				return probe.Connect(cfg)(ctx, "")
			}
			report, err := probe.Run(t.Context(), cfg, connect, w.said.say)
			require.NoError(t, err)
			require.Equal(t, []string{"", account, account}, asked)
			merges, loads := answerOf(t, report, "P4a"), answerOf(t, report, "P4b")
			require.Equal(t, c.merges, merges.Verdict, merges.Found)
			require.Equal(t, c.loads, loads.Verdict, loads.Found)
			require.Contains(t, merges.Found, c.refusedInAnswer)
			require.Empty(t, w.remains(t))
		})
	}
}

// An emulator's endpoint takes no credentials, so there is nobody to impersonate.
func TestProbe_AnAccountWithoutIdentitiesIsSaidToBeSo(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.cfg.Account = "export@local.iam.gserviceaccount.com"
	report, err := w.run(t.Context(), t, "P4")
	require.NoError(t, err)
	a := answerOf(t, report, "P4a")
	require.Equal(t, probe.CouldNotRun, a.Verdict)
	require.Equal(t, probe.ErrNoIdentities.Error(), a.Found)
}
