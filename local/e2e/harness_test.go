package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/local/bigquery"
	"tidemark/local/generator"
	"tidemark/local/stack"
	"tidemark/local/verify"
	"tidemark/service"
)

// TestMain runs the tests, or, called with the environment variable that replica.start sets, a replica.
func TestMain(m *testing.M) {
	if os.Getenv("E2E_REPLICA") == "" {
		os.Exit(m.Run())
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

const (
	maxRecord = 64 << 10
	patience  = 60 * time.Second // of a wait; a healthy one takes seconds
)

// world is one stack with what a test knows of it.
type world struct {
	*testing.T
	*stack.Stack
	faults *bigquery.FaultScript
	admin  *kadm.Client
	env    map[string]string
	seed   uint64
	next   uint64 // index of the next message
	// dead is closed once a replica that stands still at a point was killed.
	dead chan struct{}
}

func newWorld(t *testing.T, change ...func(*stack.Config)) *world {
	t.Parallel()
	cfg := stack.Config{Partitions: 4, Memory: true, BigQuery: bigquery.Config{Threads: 1}}
	faults := bigquery.NewFaultScript()
	cfg.BigQuery.Faults = faults
	for _, c := range change {
		c(&cfg)
	}
	s, err := stack.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Addrs()...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	w := &world{T: t, Stack: s, faults: faults, admin: kadm.NewClient(client), env: s.Env(time.Second), seed: rand.Uint64() >> 32, dead: make(chan struct{})}
	w.env["TIDEMARK_MAX_RECORD_SIZE"] = fmt.Sprint(maxRecord)
	w.env["TIDEMARK_SESSION_TIMEOUT"] = "1s"
	w.env["TIDEMARK_START_TIMEOUT"] = "20s"
	t.Logf("seed %d", w.seed)
	return w
}

// produce makes n more messages, rejects, late ones and duplicates among them.
func (w *world) produce(n uint64) generator.Stats {
	w.Helper()
	gen, err := generator.New(generator.Config{Seed: w.seed, Teams: 10, Start: time.Now(), MaxBytes: maxRecord, Duplicate: 0.02, Malformed: 0.01, Oversized: 0.001})
	require.NoError(w, err)
	stats, err := generator.Produce(w.Context(), gen, generator.ProduceOptions{Brokers: w.Kafka.Addrs(), Topic: stack.Topic, First: w.next, Records: n}, nil)
	require.NoError(w, err)
	w.next += n
	return stats
}

// replica is a tidemark: in this process, or, where it is to be killed, in one of its own.
type replica struct {
	t    *testing.T
	log  *lockedBuffer
	stop func()
	kill func()
	done chan struct{}
	err  error // after done
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

// start runs a replica inside this process, with changes to the environment.
func (w *world) start(change map[string]string, kopts ...kgo.Opt) *replica {
	env := maps.Clone(w.env)
	maps.Copy(env, change)
	cfg := config(w.T, env)
	ctx, cancel := context.WithCancel(context.Background())
	r := &replica{t: w.T, log: new(lockedBuffer), stop: cancel, kill: cancel, done: make(chan struct{})}
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
	cmd.Env = append(os.Environ(), "E2E_REPLICA=1")
	env := maps.Clone(w.env)
	maps.Copy(env, change)
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	r := &replica{t: w.T, log: new(lockedBuffer), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = r.log, r.log
	require.NoError(w, cmd.Start())
	r.stop = func() { _ = cmd.Process.Signal(syscall.SIGTERM) } // it may have ended
	r.kill = func() { _ = cmd.Process.Kill() }
	go func() {
		defer close(r.done)
		r.err = cmd.Wait()
	}()
	w.Cleanup(func() {
		r.kill()
		<-r.done
		if w.Failed() {
			w.Logf("replica's log:\n%s", r.log)
		}
	})
	return r
}

// handOver stops a replica as an orchestrator would, and wants it to succeed.
func (r *replica) handOver() {
	r.t.Helper()
	r.stop()
	<-r.done
	require.NoError(r.t, r.err, r.log)
}

// eventually waits for a condition of the outside world.
func (w *world) eventually(what string, cond func() bool) {
	w.Helper()
	require.Eventually(w, cond, patience, 20*time.Millisecond, what)
}

// committed returns the group's offsets.
func (w *world) committed() map[batch.TopicPartition]batch.GroupOffset {
	w.Helper()
	resp, err := w.admin.FetchOffsets(w.Context(), "tidemark")
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil // it has never run, or was deleted
	}
	require.NoError(w, err)
	got := make(map[batch.TopicPartition]batch.GroupOffset)
	resp.Each(func(o kadm.OffsetResponse) {
		got[batch.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = batch.GroupOffset{Offset: o.At, Metadata: o.Metadata}
	})
	return got
}

func (w *world) ends() map[batch.TopicPartition]int64 {
	w.Helper()
	listed, err := w.admin.ListEndOffsets(w.Context(), stack.Topic)
	require.NoError(w, err)
	ends := make(map[batch.TopicPartition]int64)
	listed.Each(func(o kadm.ListedOffset) {
		ends[batch.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = o.Offset
	})
	return ends
}

// allCommitted says whether every partition is committed to its end, with nothing left in its chain.
func (w *world) allCommitted() bool {
	w.Helper()
	committed := w.committed()
	for tp, end := range w.ends() {
		o, ok := committed[tp]
		meta, err := batch.ParseMetadata(o.Metadata)
		if end > 0 && (!ok || o.Offset != end || err != nil || len(meta.Chain) > 0) {
			return false
		}
	}
	return true
}

// waitExported waits until everything produced is committed.
func (w *world) waitExported() {
	w.Helper()
	w.eventually("everything is committed", w.allCommitted)
}

// requireExact compares BigQuery with a plain fold of the topic.
func (w *world) requireExact() verify.Report {
	w.Helper()
	report, err := verify.Verify(w.Context(), verify.Options{Brokers: w.Kafka.Addrs(), Topic: stack.Topic, BigQuery: w.Client,
		Project: stack.Project, Dataset: stack.Dataset, Table: stack.Table, MaxBytes: maxRecord})
	require.NoError(w, err)
	require.True(w, report.OK(), "%s: %s", report, report.FirstDifference)
	return report
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
