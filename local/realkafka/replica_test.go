package realkafka

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/service"
)

// replica is a tidemark: in this process, or, where it is to be killed, in one of its own.
type replica struct {
	t      *testing.T
	log    *lockedBuffer
	stop   func()
	signal func(syscall.Signal) // of a process only
	done   chan struct{}
	err    error // after done
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// environment guards the process's environment, from which a configuration is read.
var environment sync.Mutex

func config(t *testing.T, env map[string]string) service.Config {
	environment.Lock()
	defer environment.Unlock()
	for k, v := range env {
		require.NoError(t, os.Setenv(k, v))
	}
	cfg, _, err := service.ReadConfig()
	require.NoError(t, err)
	for k := range env {
		require.NoError(t, os.Unsetenv(k))
	}
	return cfg
}

func (w *world) changed(change map[string]string) map[string]string {
	env := maps.Clone(w.env)
	maps.Copy(env, change)
	return env
}

// start runs a replica inside this process, with changes to the environment.
func (w *world) start(change map[string]string, kopts ...kgo.Opt) *replica {
	w.Helper()
	cfg := config(w.T, w.changed(change))
	ctx, cancel := context.WithCancel(context.Background())
	r := &replica{t: w.T, log: new(lockedBuffer), stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = service.Run(ctx, cfg, service.NewLogger(r.log, cfg.Service), kopts...)
	}()
	w.Cleanup(func() {
		cancel()
		<-r.done
		if w.Failed() {
			w.Logf("replica's log:\n%s", r.log)
		}
	})
	return r
}

// startProcess runs a replica in a process of its own.
func (w *world) startProcess(change map[string]string) *replica {
	w.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "REALKAFKA_REPLICA=1")
	for k, v := range w.changed(change) {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	r := &replica{t: w.T, log: new(lockedBuffer), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = r.log, r.log
	require.NoError(w, cmd.Start())
	r.signal = func(s syscall.Signal) { _ = cmd.Process.Signal(s) } // it may have ended
	r.stop = func() { r.signal(syscall.SIGTERM) }
	go func() {
		defer close(r.done)
		r.err = cmd.Wait()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGTERM {
			r.err = nil // asked to stop before it could listen to signals
		}
	}()
	w.Cleanup(func() {
		r.signal(syscall.SIGKILL)
		<-r.done
		if w.Failed() {
			w.Logf("replica's log:\n%s", tail(r.log.String()))
		}
	})
	return r
}

// tail keeps a log that is shown readable.
func tail(s string) string { return s[max(0, len(s)-64<<10):] }

// handOver stops a replica as an orchestrator would, and wants it to succeed.
func (r *replica) handOver() {
	r.t.Helper()
	r.stop()
	<-r.done
	require.NoError(r.t, r.err, r.log)
}

// kill ends a process with SIGKILL.
func (r *replica) kill() {
	r.t.Helper()
	r.signal(syscall.SIGKILL)
	<-r.done
	require.Error(r.t, r.err)
}

var servesAt = regexp.MustCompile(`serving metrics and status.* addr=(\S+)`)

// read returns how many records of its open batches a process has read.
func (r *replica) read() (n int64) {
	addr := servesAt.FindStringSubmatch(r.log.String())
	if addr == nil {
		return 0
	}
	resp, err := http.Get(fmt.Sprintf("http://%s/status", addr[1]))
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	var s service.Status
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		return 0
	}
	for _, p := range s.Consumer.Partitions {
		n += p.Next - p.Start
	}
	return n
}

// reads counts how often every offset was handed to tidemark.
type reads struct {
	mu sync.Mutex
	n  map[batch.TopicPartition]map[int64]int
}

func newReads() *reads { return &reads{n: make(map[batch.TopicPartition]map[int64]int)} }

// OnFetchRecordUnbuffered implements kgo.HookFetchRecordUnbuffered.
func (r *reads) OnFetchRecordUnbuffered(rec *kgo.Record, polled bool) {
	if !polled {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	tp := batch.TopicPartition{Topic: rec.Topic, Partition: rec.Partition}
	if r.n[tp] == nil {
		r.n[tp] = make(map[int64]int)
	}
	r.n[tp][rec.Offset]++
}

// total returns how many records were read, and how many of them more than once.
func (r *reads) total() (read, again int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, offsets := range r.n {
		for _, n := range offsets {
			read++
			if n > 1 {
				again++
			}
		}
	}
	return read, again
}

// atLeast is a condition to wait for.
func (r *reads) atLeast(n uint64) func() bool {
	return func() bool { read, _ := r.total(); return uint64(read) >= n }
}
