package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/local/generator"
	"tidemark/local/prove/harness"
	"tidemark/local/prove/verify"
)

// TestMain runs the tests, or a replica that startProcess asked for.
func TestMain(m *testing.M) {
	harness.RunReplica()
	code := m.Run()
	if commandDir != "" {
		_ = os.RemoveAll(commandDir) // temporary
	}
	os.Exit(code)
}

const (
	maxRecord = 64 << 10
	patience  = 60 * time.Second // of a wait; a healthy one takes seconds
	// The embedded broker, unlike Kafka, expires members that wait for others in JoinGroup and never answers them: a session
	// is to outlast the hand-over that they wait for on a busy machine. Each join puts the end of a rebalance off by its
	// timeout, so a short one ends in time however many clients try again.
	sessionTimeout, rebalanceTimeout = "3s", "4s"
)

// world is one stack with what a test knows of it.
type world struct {
	*testing.T
	*stack.Stack
	faults *bigquery.FaultScript
	admin  *kadm.Client
	env    map[string]string
	topics []string // of the models that are exported
	seed   uint64
	began  time.Time // when the first message was captured; a person's versions depend on it
	next   uint64    // index of the next message
	// foreign are teams that are not exported.
	foreign map[int64]bool
	// dead is closed once a replica that stands still at a point was killed.
	dead chan struct{}
}

func newWorld(t *testing.T, change ...func(*stack.Config)) *world {
	t.Parallel()
	cfg := stack.Config{Models: "events", Partitions: 4, Memory: true, MinSessionTimeout: time.Second, BigQuery: bigquery.Config{Threads: 1}}
	faults := bigquery.NewFaultScript()
	cfg.BigQuery.Faults = faults
	for _, c := range change {
		c(&cfg)
	}
	s := harness.StartStack(t, cfg)
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Addrs()...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	w := &world{T: t, Stack: s, faults: faults, admin: kadm.NewClient(client), env: s.Env(time.Second), topics: []string{stack.Topic},
		seed: rand.Uint64() >> 32, began: time.Now(), dead: make(chan struct{})}
	if cfg.Models == bothModels {
		w.topics = append(w.topics, stack.PersonsTopic, stack.DistinctIDsTopic)
	}
	w.env["TIDEMARK_MAX_RECORD_SIZE"] = fmt.Sprint(maxRecord)
	w.env["TIDEMARK_SESSION_TIMEOUT"], w.env["TIDEMARK_REBALANCE_TIMEOUT"] = sessionTimeout, rebalanceTimeout
	w.env["TIDEMARK_START_TIMEOUT"] = "20s"
	t.Logf("seed %d", w.seed)
	return w
}

// produce makes n more messages, rejects, late ones and duplicates among them.
func (w *world) produce(n uint64) generator.Stats {
	w.Helper()
	gen, err := generator.New(generator.Config{Seed: w.seed, Teams: 10, UsersPerTeam: 30, Start: w.began, MaxBytes: maxRecord, Duplicate: 0.02, Malformed: 0.01, Oversized: 0.001, Persons: 0.3})
	require.NoError(w, err)
	opts := generator.ProduceOptions{Brokers: w.Kafka.Addrs(), Topic: stack.Topic, First: w.next, Records: n}
	if w.persons() {
		opts.PersonTopic, opts.MappingTopic = stack.PersonsTopic, stack.DistinctIDsTopic
	}
	stats, err := generator.Produce(w.Context(), gen, opts, nil)
	require.NoError(w, err)
	w.next += n
	return stats
}

// start runs a replica inside this process, with changes to the environment.
func (w *world) start(change map[string]string, kopts ...kgo.Opt) *harness.Replica {
	w.Helper()
	return harness.Start(w.T, w.changed(change), kopts...)
}

// startProcess runs a replica in a process of its own.
func (w *world) startProcess(change map[string]string) *harness.Replica {
	w.Helper()
	return harness.Process{}.Start(w.T, w.changed(change))
}

func (w *world) changed(change map[string]string) map[string]string {
	env := maps.Clone(w.env)
	maps.Copy(env, change)
	return env
}

// eventually waits for a condition of the outside world.
func (w *world) eventually(what string, cond func() bool) {
	w.Helper()
	require.Eventually(w, cond, patience, 20*time.Millisecond, what)
}

// committed returns the group's offsets.
func (w *world) committed() map[batch.TopicPartition]batch.GroupOffset {
	w.Helper()
	got, err := harness.Committed(w.Context(), w.admin, "tidemark")
	require.NoError(w, err)
	return got
}

// ends returns where every partition of the exported topics ends.
func (w *world) ends() map[batch.TopicPartition]int64 {
	w.Helper()
	all := make(map[batch.TopicPartition]int64)
	for _, topic := range w.topics {
		ends, err := harness.Ends(w.Context(), w.admin, topic)
		require.NoError(w, err)
		maps.Copy(all, ends)
	}
	return all
}

// allCommitted says whether every partition is committed to its end, with nothing left in its chain.
func (w *world) allCommitted() bool {
	w.Helper()
	return harness.AllCommitted(w.committed(), w.ends())
}

// waitExported waits until everything produced is committed.
func (w *world) waitExported() {
	w.Helper()
	w.eventually("everything is committed", w.allCommitted)
}

// exact is what the comparison with the topics said of each table.
type exact struct {
	verify.Report
	persons verify.PersonsReport // zero where only events are exported
}

// requireExact compares BigQuery with a plain fold of the topics.
func (w *world) requireExact() (e exact) {
	w.Helper()
	e.Report = w.eventsReport()
	require.True(w, e.OK(), "%s: %s", e.Report, e.FirstDifference)
	if w.persons() {
		e.persons = w.requirePersons()
	}
	return e
}

// eventsReport compares the table of events with a plain fold of its topic.
func (w *world) eventsReport() verify.Report {
	w.Helper()
	report, err := verify.Verify(w.Context(), verify.Options{Brokers: w.Kafka.Addrs(), Topic: stack.Topic, BigQuery: w.Client,
		Project: stack.Project, Dataset: stack.Dataset, Table: stack.Table, MaxBytes: maxRecord,
		Skip: func(team int64, _ string) bool { return w.foreign[team] }})
	require.NoError(w, err)
	return report
}
