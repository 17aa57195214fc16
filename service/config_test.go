package service

import (
	"bytes"
	"flag"
	"net"
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

func TestReadConfig_WhatIsMistypedIsAFaultAtOnce(t *testing.T) {
	dir := t.TempDir()
	noPEM, empty := filepath.Join(dir, "no.pem"), filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(noPEM, []byte("hello"), 0o600))
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	for want, env := range map[string]map[string]string{
		"which is to come; want an instant until now":                    {"TIDEMARK_START": "2126-01-01T00:00:00Z"},
		"TIDEMARK_SASL_MECHANISM is empty and another":                   {"TIDEMARK_SASL_USERNAME": "me"},
		"TIDEMARK_SASL_MECHANISM is empty and another TIDEMARK_SASL_":    {"TIDEMARK_SASL_PASSWORD": "secret"},
		`TIDEMARK_HTTP_ADDR is ""; want host:port or :port`:              {"TIDEMARK_HTTP_ADDR": ""},
		`TIDEMARK_HTTP_ADDR is "8080"; want host:port`:                   {"TIDEMARK_HTTP_ADDR": "8080"},
		`TIDEMARK_HTTP_ADDR is ":99999"; want host:port`:                 {"TIDEMARK_HTTP_ADDR": ":99999"},
		"which holds no PEM certificate":                                 {"TIDEMARK_TLS": "true", "TIDEMARK_TLS_CA_FILE": noPEM},
		"want a PEM file that can be read":                               {"TIDEMARK_TLS": "true", "TIDEMARK_TLS_CA_FILE": dir + "/none"},
		"want a PEM certificate and its key":                             {"TIDEMARK_TLS": "true", "TIDEMARK_TLS_CERT_FILE": noPEM, "TIDEMARK_TLS_KEY_FILE": noPEM},
		"want a file that can be read":                                   {"TIDEMARK_SASL_MECHANISM": "PLAIN", "TIDEMARK_SASL_USERNAME": "me", "TIDEMARK_SASL_PASSWORD_FILE": dir + "/none"},
		"which is empty; want a file with a password":                    {"TIDEMARK_SASL_MECHANISM": "PLAIN", "TIDEMARK_SASL_USERNAME": "me", "TIDEMARK_SASL_PASSWORD_FILE": empty},
		"TIDEMARK_PERSONS_PERIOD is 7m0s; want a divisor of 24h":         {"TIDEMARK_PERSONS_PERIOD": "7m"},
		"TIDEMARK_FLUSH_DELAY is 10s; want 0s or more and less than the": {"TIDEMARK_PERSONS_PERIOD": "5s"},
	} {
		t.Run(want, func(t *testing.T) {
			setenv(t, env)
			_, _, err := ReadConfig()
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// A port that is taken is told of with the other faults, before anything is waited for.
func TestReadRunConfig_TellsOfATakenPortWithTheOtherFaults(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	setenv(t, map[string]string{"TIDEMARK_HTTP_ADDR": l.Addr().String(), "TIDEMARK_PERIOD": "7m"})
	_, _, err = ReadRunConfig()
	require.ErrorContains(t, err, "want an address of this machine with a free port")
	require.ErrorContains(t, err, "TIDEMARK_PERIOD is 7m0s")
	_, _, err = ReadConfig()
	require.NotContains(t, err.Error(), "free port", "an operator's command serves nothing")
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
