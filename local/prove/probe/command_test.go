package probe

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/local/emulate/stack"
	"tidemark/probe"
)

// build makes the command as a release is made, without the race detector.
func build(t *testing.T) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "tidemark")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/tidemark")
	cmd.Dir = filepath.Join("..", "..", "..")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

// command is "tidemark probe" against the services of w, with nothing of Kafka in its environment.
func (w *world) command(t *testing.T, binary string, args ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	cmd = exec.CommandContext(t.Context(), binary, append([]string{"probe", "--overlap", "1500ms", "--merge-bytes", "1200000"}, args...)...)
	cmd.Env = []string{
		"HOME=" + t.TempDir(), "TIDEMARK_PROJECT=" + stack.Project, "TIDEMARK_DATASET=" + stack.Dataset, "TIDEMARK_BUCKET=" + stack.Bucket,
		"TIDEMARK_GCS_ENDPOINT=" + w.GCS.Endpoint(), "TIDEMARK_BIGQUERY_ENDPOINT=" + w.cfg.BigQueryEndpoint,
	}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

// code is the exit code of a command that has ended.
func code(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	require.NoError(t, err)
	return 0
}

func TestCommand_AsAPersonRunsIt(t *testing.T) {
	t.Parallel()
	binary := build(t)
	t.Run("exit codes, output and file", func(t *testing.T) { exitCodes(t, binary) })
	t.Run("Ctrl-C cleans up", func(t *testing.T) { interrupted(t, binary) })
}

// exitCodes runs the command with answers that are confirmed, with some that are different, and with a file that cannot be.
func exitCodes(t *testing.T, binary string) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "probe.json")
	w := start(t)

	cmd, stdout, stderr := w.command(t, binary, "--only", "P1,P5", "--out", file)
	require.Zero(t, code(t, cmd.Run()), stderr)
	t.Log(stdout)
	require.Regexp(t, `(?m)^P1a +CONFIRMED`, stdout.String())
	require.Regexp(t, `(?m)^P5b +COULD NOT RUN`, stdout.String())
	require.Contains(t, stderr.String(), "P1 transactions that overlap: 5 confirmed, 0 different, 0 could not run")
	records, err := os.ReadFile(file)
	require.NoError(t, err)
	var list []probe.Record
	require.NoError(t, json.Unmarshal(records, &list))
	require.Greater(t, len(list), 10)

	w.cfg.BigQueryEndpoint = proxy(t, w.cfg.BigQueryEndpoint, withoutFence, nil)
	cmd, stdout, stderr = w.command(t, binary, "--only", "P1", "--json")
	require.Equal(t, 1, code(t, cmd.Run()), stderr)
	require.Regexp(t, `tidemark: [345] answers are DIFFERENT`, stderr.String())
	var report probe.Report
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &report), stdout)
	for _, id := range []string{"P1a", "P1b", "P1e"} {
		require.Equal(t, probe.Different, answerOf(t, &report, id).Verdict)
	}

	cmd, _, stderr = w.command(t, binary, "--only", "P1", "--out", filepath.Join(t.TempDir(), "no", "directory"))
	require.Equal(t, 1, code(t, cmd.Run()))
	require.Contains(t, stderr.String(), "file of --out")
	require.NotContains(t, stderr.String(), "P1", "nothing was asked")
	require.Empty(t, w.remains(t))
}

// interrupted stops the command by Ctrl-C: exit code 1, everything is removed, and the file has what came before.
func interrupted(t *testing.T, binary string) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "probe.json")
	w := start(t)
	held, hold := make(chan struct{}, 1), make(chan struct{})
	defer close(hold)
	w.faults.OnJob(jobHeld(held, hold))
	cmd, stdout, stderr := w.command(t, binary, "--out", file)
	require.NoError(t, cmd.Start())
	<-held
	require.NotEmpty(t, w.remains(t))
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	require.Equal(t, 1, code(t, cmd.Wait()), stderr)
	require.Contains(t, stdout.String(), "the run was interrupted")
	require.Regexp(t, `(?m)^P0a +CONFIRMED`, stdout.String())
	require.Empty(t, w.remains(t))
	records, err := os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, json.Valid(records))
}
