package harness

import (
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/local/emulate/stack"
	"tidemark/service"
)

// environment guards the process's environment, which is the only place a configuration is read from: tests that run in
// parallel must not see each other's variables, nor may the processes they start inherit them.
var environment sync.Mutex //nolint:gochecknoglobals // guards what the whole process shares

// config reads the configuration that env describes, and leaves none of it in the environment.
func config(t *testing.T, env map[string]string) service.Config {
	t.Helper()
	environment.Lock()
	defer environment.Unlock()
	defer func() {
		for k := range env {
			_ = os.Unsetenv(k) // fails for malformed names only, which cannot have been set
		}
	}()
	for k, v := range env {
		require.NoError(t, os.Setenv(k, v))
	}
	cfg, _, err := service.ReadConfig()
	require.NoError(t, err)
	return cfg
}

// inherited is the environment while no configuration is being read from it.
func inherited() []string {
	environment.Lock()
	defer environment.Unlock()
	return os.Environ()
}

// StartStack starts a stack for a test, and closes it at its end. DuckDB looks at the environment as it opens a database,
// and C's getenv must not run beside a setenv, which may move the whole environment while it is being read.
func StartStack(t *testing.T, cfg stack.Config) *stack.Stack {
	t.Helper()
	environment.Lock()
	defer environment.Unlock()
	s, err := stack.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}
