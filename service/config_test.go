package service

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite docs")

// setenv sets exactly the variables a deployment needs.
func setenv(t *testing.T, more map[string]string) {
	for _, e := range os.Environ() {
		if name, value, _ := strings.Cut(e, "="); strings.HasPrefix(name, Prefix+"_") {
			t.Setenv(name, value) // put back after the test
			require.NoError(t, os.Unsetenv(name))
		}
	}
	env := map[string]string{"TIDEMARK_BROKERS": "a:9092,b:9092", "TIDEMARK_BUCKET": "bucket", "TIDEMARK_PROJECT": "acme", "TIDEMARK_DATASET": "posthog"}
	for k, v := range more {
		env[k] = v
	}
	for k, v := range env {
		t.Setenv(k, v)
	}
}

func TestReadConfig_NeedsOnlyFourVariables(t *testing.T) {
	setenv(t, nil)
	c, warnings, err := ReadConfig()
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, []string{"a:9092", "b:9092"}, c.Consumer.Brokers)
	require.Equal(t, "clickhouse_events_json", c.Consumer.EventsTopic)
	require.Equal(t, "events", c.Destination.EventsTable)
	require.Equal(t, "1GiB", c.Buffer.Memory.String())
	require.Equal(t, ":8080", c.Service.HTTPAddr)
}

func TestReadConfig_ReportsAllFaultsTogether(t *testing.T) {
	setenv(t, map[string]string{"TIDEMARK_PERIOD": "soon", "TIDEMARK_BUCKET": "", "TIDEMARK_LOG_LEVEL": "loud", "TIDEMARK_BUFFER_MEMORY": "1kiB", "TIDEMARK_PROJECT": ""})
	_, _, err := ReadConfig()
	for _, want := range []string{`TIDEMARK_PERIOD is "soon"; want a duration`, "TIDEMARK_BUCKET", `TIDEMARK_LOG_LEVEL is "loud"; want debug, info, warn or error`, "TIDEMARK_BUFFER_MEMORY", "TIDEMARK_PROJECT"} {
		require.ErrorContains(t, err, want)
	}
}

func TestReadConfig_IgnoresVariablesWithoutThePrefix(t *testing.T) {
	setenv(t, map[string]string{"GROUP": "stray", "PREFIX": "/usr"})
	c, _, err := ReadConfig()
	require.NoError(t, err)
	require.Equal(t, "tidemark", c.Consumer.Group)
	require.Equal(t, "tidemark", c.Loader.Prefix)
}

func TestReadConfig_WarnsOfUnknownVariablesWithTheNearestName(t *testing.T) {
	setenv(t, map[string]string{"TIDEMARK_PERIODE": "1h"})
	_, warnings, err := ReadConfig()
	require.NoError(t, err)
	require.Equal(t, []string{"TIDEMARK_PERIODE is not a variable of tidemark; the nearest name is TIDEMARK_PERIOD"}, warnings)
}

func TestReadConfig_NeverPrintsASecret(t *testing.T) {
	setenv(t, map[string]string{"TIDEMARK_SASL_MECHANISM": "PLAIN", "TIDEMARK_SASL_PASSWORD": "hunter2"})
	_, _, err := ReadConfig()
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
}

func TestVariables_AreAllDocumented(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range Variables() {
		require.False(t, seen[v.Name], "%s twice", v.Name)
		seen[v.Name] = true
		require.True(t, strings.HasSuffix(v.Description, "."), "%s: a full sentence, found %q", v.Name, v.Description)
	}
	require.Greater(t, len(seen), 25)
}

// docs compares a generated page with what is checked in.
func docs(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("..", "docs", name)
	if *update {
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run `make docs`")
}

func TestDocs_Configuration(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, WriteMarkdown(&b))
	docs(t, "configuration.md", b.Bytes())
}
