package harness

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/service"
)

// Replica is a running tidemark: in the test's process, or, where it is to be killed, in one of its own. It ends with its
// test at the latest; a test that fails shows its log.
type Replica struct {
	// Log is what the replica has logged so far.
	Log *Log

	t      *testing.T
	stop   func()
	signal func(syscall.Signal) // nil in the test's process
	done   chan struct{}
	err    error // after done
}

// Start runs a replica inside the test's process. env configures it; variables of tidemark's that the process's environment
// has besides would count too. kopts go to its Kafka client, such as hooks. Call it from the test's goroutine.
func Start(t *testing.T, env map[string]string, kopts ...kgo.Opt) *Replica {
	t.Helper()
	cfg := config(t, env)
	ctx, cancel := context.WithCancel(context.Background())
	r := &Replica{t: t, Log: new(Log), stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = service.Run(ctx, cfg, service.NewLogger(r.Log, cfg.Service), kopts...)
	}()
	t.Cleanup(func() {
		cancel()
		<-r.done
		r.show(0)
	})
	return r
}

// Stop asks the replica to hand over, as an orchestrator does, and does not wait. It is safe to repeat.
func (r *Replica) Stop() { r.stop() }

// Signal sends a signal to the replica's process; one that has ended does not get it. A replica in the test's process has
// none, and the test fails.
func (r *Replica) Signal(s syscall.Signal) {
	r.t.Helper()
	require.NotNil(r.t, r.signal, "%s for a replica without a process of its own", s)
	r.signal(s)
}

// Done is closed when the replica has ended, however it did.
func (r *Replica) Done() <-chan struct{} { return r.done }

// Err says how the replica ended; nil means as it was asked to. Call it after Done is closed.
func (r *Replica) Err() error { return r.err }

// Wait returns when the replica has ended. The test fails if it ended with an error.
func (r *Replica) Wait() {
	r.t.Helper()
	<-r.done
	require.NoError(r.t, r.err, r.Log)
}

// HandOver is Stop and Wait: it returns when everything the replica had read is prepared and its partitions are given up.
func (r *Replica) HandOver() {
	r.t.Helper()
	r.Stop()
	r.Wait()
}

// Kill ends the replica's process with SIGKILL and waits for its end. The test fails if it had ended well before.
func (r *Replica) Kill() {
	r.t.Helper()
	r.Signal(syscall.SIGKILL)
	<-r.done
	require.Error(r.t, r.err)
}

// Addr returns host:port of the replica's HTTP server as it says in its log, in text form; empty before it serves.
func (r *Replica) Addr() string {
	_, rest, _ := strings.Cut(r.Log.String(), `"serving metrics and status" addr=`)
	end := strings.IndexAny(rest, " \n")
	if end < 0 {
		return "" // not there yet, or only half of it
	}
	return rest[:end]
}

// show prints the last bytes of the log if the test failed; 0 means all of it.
func (r *Replica) show(bytes int) {
	if !r.t.Failed() {
		return
	}
	text := r.Log.String()
	if bytes > 0 {
		text = text[max(0, len(text)-bytes):]
	}
	r.t.Logf("replica's log:\n%s", text)
}
