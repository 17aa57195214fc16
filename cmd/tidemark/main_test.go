package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/probe"
)

func call(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = command(args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestCommand_HelpListsEveryVariableOfTheDocumentation(t *testing.T) {
	code, help, _ := call("run", "--help")
	require.Zero(t, code)
	docs, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	n := 0
	for _, line := range strings.Split(string(docs), "\n") {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			require.Contains(t, help, name)
			n++
		}
	}
	require.Greater(t, n, 25)
}

func TestCommand_WrongCallsExitWith2AndSayWhatThereIs(t *testing.T) {
	for _, args := range [][]string{{}, {"start"}, {"run", "now"}, {"batches", "show"}, {"batches", "void", "--no"}, {"offsets"}, {"offsets", "set", "topic"}, {"probe", "now"}, {"probe", "--max-cost", "cheap"}} {
		code, stdout, stderr := call(args...)
		require.Equal(t, 2, code, args)
		require.Contains(t, stderr, "Usage:\n  tidemark")
		require.Empty(t, stdout)
	}
}

func TestCommand_BadArgumentsSayWhatWasFoundAndWhatIsAllowed(t *testing.T) {
	for want, args := range map[string][]string{
		`batch ID is "x"; want a UUID`:                {"batches", "show", "x"},
		`found ":1"; want TOPIC or TOPIC:PARTITION,…`: {"offsets", "show", ":1"},
		`partition is "one"; want a number from 0`:    {"offsets", "set", "topic:0,one", "earliest"},
	} {
		code, _, stderr := call(args...)
		require.Equal(t, 1, code, args)
		require.Contains(t, stderr, want)
	}
}

func TestCommand_RunReportsTheWholeConfiguration(t *testing.T) {
	for _, name := range []string{"BROKERS", "BUCKET", "PROJECT", "DATASET"} {
		t.Setenv("TIDEMARK_"+name, "")
	}
	code, _, stderr := call("run")
	require.Equal(t, 1, code)
	for _, name := range []string{"TIDEMARK_BROKERS", "TIDEMARK_BUCKET", "TIDEMARK_PROJECT", "TIDEMARK_DATASET"} {
		require.Contains(t, stderr, name)
	}
}

// A probe needs nothing of Kafka.
func TestCommand_ProbeReportsWhatItNeedsAndNothingElse(t *testing.T) {
	for _, name := range []string{"BROKERS", "BUCKET", "PROJECT", "DATASET"} {
		t.Setenv("TIDEMARK_"+name, "")
	}
	code, stdout, stderr := call("probe")
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	for _, name := range []string{"TIDEMARK_BUCKET", "TIDEMARK_PROJECT", "TIDEMARK_DATASET"} {
		require.Contains(t, stderr, name)
	}
	require.NotContains(t, stderr, "TIDEMARK_BROKERS")
}

func TestCommand_ProbeReportsFlagsThatCannotBe(t *testing.T) {
	for _, name := range []string{"BUCKET", "PROJECT", "DATASET"} {
		t.Setenv("TIDEMARK_"+name, "acme")
	}
	code, _, stderr := call("probe", "--only", "P1,P42", "--max-cost", "-1", "--dataset", "a.b")
	require.Equal(t, 1, code)
	for _, want := range []string{`--only has "P42"`, "--max-cost is -1", `--dataset is "a.b"`} {
		require.Contains(t, stderr, want)
	}
}

func TestCommand_ProbeHelpIsEnough(t *testing.T) {
	code, help, _ := call("probe", "--help")
	require.Zero(t, code)
	for _, want := range append(probe.Names(), "--dataset", "--max-cost", "--only", "--out", "--impersonate", "--json", "TIDEMARK_PROJECT", "Exit code 0", "tidemark probe --only") {
		require.Contains(t, help, want)
	}
}

func TestCommand_RunNamesMisspeltVariablesNextToThoseThatAreMissing(t *testing.T) {
	t.Setenv("TIDEMARK_BROKER", "kafka:9092")
	code, _, stderr := call("run")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "TIDEMARK_BROKER ")
}

func TestCommand_VersionNamesCommitAndGo(t *testing.T) {
	code, out, _ := call("version")
	require.Zero(t, code)
	require.Regexp(t, `^tidemark \S+ commit \S+.* go1\.`, out)
}
