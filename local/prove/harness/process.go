package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/service"
)

// role is the variable that makes a test binary a replica.
const role = "TEST_BINARY_IS_REPLICA"

// RunReplica runs a replica and exits if this process was started as one by [Process.Start]; otherwise it returns at once.
// TestMain calls it before anything else: without it the process would run the tests again.
func RunReplica() {
	if os.Getenv(role) == "" {
		return
	}
	cfg, _, err := service.ReadConfig()
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		err = service.Run(ctx, cfg, service.NewLogger(os.Stderr, cfg.Service))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Process says how replicas with a process of their own are treated. The zero value is usable.
type Process struct {
	// EarlyStop takes it for a good end that SIGTERM ended a replica before it could listen to signals: a script that stops
	// replicas at random moments meets some that have only just started.
	EarlyStop bool
	// LogBytes is how much of a replica's log, from its end, a failed test shows; 0 means all.
	LogBytes int
}

// Start runs a replica in a process of its own: the test binary again, see [RunReplica]. env is added to the environment
// of this process. Stop sends SIGTERM. Call it from the test's goroutine.
func (p Process) Start(t *testing.T, env map[string]string) *Replica {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(inherited(), role+"=1")
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	r := &Replica{t: t, Log: new(Log), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = r.Log, r.Log
	require.NoError(t, cmd.Start())
	r.signal = func(s syscall.Signal) { _ = cmd.Process.Signal(s) } // it may have ended
	r.stop = func() { r.signal(syscall.SIGTERM) }
	go func() {
		defer close(r.done)
		r.err = cmd.Wait()
		status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if p.EarlyStop && ok && status.Signal() == syscall.SIGTERM {
			r.err = nil
		}
	}()
	t.Cleanup(func() {
		r.signal(syscall.SIGKILL)
		<-r.done
		r.show(p.LogBytes)
	})
	return r
}
