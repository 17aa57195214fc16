package realkafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
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

const (
	maxRecord  = 64 << 10
	patience   = 90 * time.Second // of a wait; a healthy one takes seconds
	partitions = 4
	persons    = "persons" // a model
)

// shared is the node of all tests that leave it alone: starting one takes seconds, and a topic and a group of its own
// keep a test apart from the others.
type shared struct {
	once   sync.Once
	dir    string
	log    harness.Log
	broker *Broker
	err    error
}

var node shared //nolint:gochecknoglobals // what TestMain ends and tests start when they need it

func (s *shared) get() (*Broker, error) {
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "tidemark-kafka-"); s.err == nil {
			s.broker, s.err = Start(context.Background(), ".", s.dir, &s.log)
		}
	})
	return s.broker, s.err
}

func (s *shared) close() {
	if s.broker != nil {
		s.broker.Close()
	}
	_ = os.RemoveAll(s.dir) // temporary
}

// TestMain runs the tests, or a replica that startProcess asked for.
func TestMain(m *testing.M) {
	harness.RunReplica()
	code := m.Run()
	node.close()
	os.Exit(code)
}

// world is a topic and a group of the node, an object store and a BigQuery, with what a test knows of them.
type world struct {
	*testing.T
	*stack.Stack
	broker *Broker
	topic  string
	// personTopics are those of persons and of distinct ids; empty where only events are exported.
	personTopics []string
	group        string
	client       *kgo.Client
	admin        *kadm.Client
	faults       *bigquery.FaultScript
	env          map[string]string
	seed         uint64
	began        time.Time // when the first message was captured; a person's versions depend on it
	next         uint64    // index of the next message
}

// broker returns the shared node, or skips the test.
func sharedBroker(t *testing.T) *Broker {
	t.Helper()
	b, err := node.get()
	skipWithout(t, err)
	return b
}

func skipWithout(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	}
	require.NoError(t, err, &node.log)
}

// ownBroker starts a node for one test, which may kill it.
func ownBroker(t *testing.T) *Broker {
	t.Helper()
	log := new(harness.Log)
	b, err := Start(t.Context(), ".", t.TempDir(), log)
	skipWithout(t, err)
	t.Cleanup(func() {
		b.Close()
		if t.Failed() {
			t.Logf("Kafka's log:\n%s", log)
		}
	})
	return b
}

func newWorld(t *testing.T, further ...string) *world {
	t.Parallel()
	return newWorldOn(t, sharedBroker(t), rand.Uint64()>>32, further...)
}

// newWorldOn exports events; further models are exported if their topics are wanted.
func newWorldOn(t *testing.T, b *Broker, seed uint64, further ...string) *world {
	t.Helper()
	t.Logf("Apache Kafka %s, seed %d", Version(), seed)
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	faults := bigquery.NewFaultScript()
	s := harness.StartStack(t, stack.Config{Models: strings.Join(append([]string{"events"}, further...), ","), Brokers: []string{b.Addr()}, BigQuery: bigquery.Config{Threads: 1, Faults: faults}})
	name := strings.NewReplacer("/", ".", " ", "_", ",", "").Replace(t.Name())
	w := &world{T: t, Stack: s, broker: b, client: client, admin: kadm.NewClient(client), faults: faults, seed: seed, began: time.Now(),
		topic: name, group: name, env: s.Env(time.Second)}
	if len(further) > 0 {
		w.personTopics = []string{name + ".person", name + ".distinct_id"}
		w.env["TIDEMARK_PERSONS_TOPIC"], w.env["TIDEMARK_DISTINCT_IDS_TOPIC"] = w.personTopics[0], w.personTopics[1]
	}
	maps.Copy(w.env, map[string]string{
		"TIDEMARK_EVENTS_TOPIC":      w.topic,
		"TIDEMARK_GROUP":             w.group,
		"TIDEMARK_MAX_RECORD_SIZE":   fmt.Sprint(maxRecord),
		"TIDEMARK_SESSION_TIMEOUT":   "3s",
		"TIDEMARK_REBALANCE_TIMEOUT": "10s",
		"TIDEMARK_START_TIMEOUT":     "30s",
	})
	w.createTopic()
	for _, topic := range w.personTopics {
		w.create(topic)
	}
	return w
}

// createTopic creates the topic of events.
func (w *world) createTopic() {
	w.Helper()
	w.create(w.topic)
}

// create returns once the broker serves the topic: its metadata follow the controller's a moment later.
func (w *world) create(topic string) {
	w.Helper()
	var created kadm.CreateTopicResponse
	w.eventually("topic created", func() bool { // one of that name may still be on its way out
		var err error
		created, err = w.admin.CreateTopic(w.Context(), partitions, 1, nil, topic)
		return err == nil
	})
	w.eventually("topic served", func() bool {
		topics, err := w.admin.ListTopics(w.Context(), topic)
		return err == nil && topics.Error() == nil && topics[topic].ID == created.ID
	})
}

// long makes a period that never ends by itself: everything is sealed by hand-overs.
func long() map[string]string {
	return map[string]string{"TIDEMARK_PERIOD": "24h", "TIDEMARK_FLUSH_DELAY": "1h"}
}

// produce makes n more messages, rejects, late ones and duplicates among them.
func (w *world) produce(n uint64) generator.Stats {
	w.Helper()
	opts := w.produceOptions()
	opts.First, opts.Records = w.next, n
	stats, err := generator.Produce(w.Context(), w.generator(), opts, nil)
	require.NoError(w, err)
	w.next += n
	return stats
}

// produceOptions name the broker and the topics.
func (w *world) produceOptions() generator.ProduceOptions {
	opts := generator.ProduceOptions{Brokers: []string{w.broker.Addr()}, Topic: w.topic}
	if len(w.personTopics) > 0 {
		opts.PersonTopic, opts.MappingTopic = w.personTopics[0], w.personTopics[1]
	}
	return opts
}

func (w *world) generator() *generator.Generator {
	w.Helper()
	gen, err := generator.New(generator.Config{Seed: w.seed, Teams: 10, UsersPerTeam: 30, Start: w.began, MaxBytes: maxRecord, Duplicate: 0.02, Malformed: 0.01, Oversized: 0.001, Persons: 0.3})
	require.NoError(w, err)
	return gen
}

// eventually waits for a condition of the outside world.
func (w *world) eventually(what string, cond func() bool) {
	w.Helper()
	require.Eventually(w, cond, patience, 50*time.Millisecond, what)
}

// offsets returns what the group has committed. An error passes: a broker that starts has no coordinator for a while.
func (w *world) offsets() (map[batch.TopicPartition]batch.GroupOffset, error) {
	return harness.Committed(w.Context(), w.admin, w.group)
}

// committed waits for an answer.
func (w *world) committed() (got map[batch.TopicPartition]batch.GroupOffset) {
	w.Helper()
	w.eventually("offsets", func() bool {
		offsets, err := w.offsets()
		if err == nil {
			got = offsets
		}
		return err == nil
	})
	return got
}

// ends returns where every partition of the exported topics ends.
func (w *world) ends() (map[batch.TopicPartition]int64, error) {
	all, err := harness.Ends(w.Context(), w.admin, w.topic)
	for _, topic := range w.personTopics {
		ends, other := harness.Ends(w.Context(), w.admin, topic)
		maps.Copy(all, ends)
		err = errors.Join(err, other)
	}
	return all, err
}

// allCommitted says whether every partition is committed to its end, with nothing left in its chain.
func (w *world) allCommitted() bool {
	committed, err := w.offsets()
	ends, endsErr := w.ends()
	return err == nil && endsErr == nil && len(ends) == partitions*(1+len(w.personTopics)) && harness.AllCommitted(committed, ends)
}

// waitExported waits until everything produced is committed.
func (w *world) waitExported() {
	w.Helper()
	w.eventually("everything is committed", w.allCommitted)
}

// requireExact compares BigQuery with a plain fold of the topics.
func (w *world) requireExact() verify.Report {
	w.Helper()
	report := w.requireEvents()
	if len(w.personTopics) > 0 {
		w.Log(w.requirePersons())
	}
	return report
}

func (w *world) requireEvents() verify.Report {
	w.Helper()
	report, err := verify.Verify(w.Context(), verify.Options{Brokers: []string{w.broker.Addr()}, Topic: w.topic, BigQuery: w.Client,
		Project: stack.Project, Dataset: stack.Dataset, Table: stack.Table, MaxBytes: maxRecord})
	require.NoError(w, err)
	require.True(w, report.OK(), "%s: %s", report, report.FirstDifference)
	return report
}

func (w *world) requirePersons() verify.PersonsReport {
	w.Helper()
	report, err := verify.Persons(w.Context(), verify.PersonsOptions{Brokers: []string{w.broker.Addr()}, PersonTopic: w.personTopics[0], MappingTopic: w.personTopics[1],
		BigQuery: w.Client, Project: stack.Project, Dataset: stack.Dataset, Table: stack.PersonsTable, MaxBytes: maxRecord})
	require.NoError(w, err)
	require.True(w, report.OK(), "%s", report)
	require.Zero(w, report.Conflicting, "%s", report)
	require.Positive(w, report.Rows, "%s", report)
	return report
}
