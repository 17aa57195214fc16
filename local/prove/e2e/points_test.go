package e2e

import (
	"errors"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/gcs"
	"tidemark/local/emulate/stack"
)

// deathWatch is how long a job runs on, which is longer than it takes to kill its replica.
const deathWatch = 2 * time.Second

var errDropped = errors.New("dropped before the broker has it")

// point is a place in the protocol: a step, and whether the crash comes before or after its effect. arm makes the next
// replica stand still there and returns a channel that is closed when it does: then it gets SIGKILL.
type point struct {
	step, when string
	json       bool // columns for documents are JSON, not STRING
	armed      moment
	arm        func(*world) (reached <-chan struct{})
}

// moment is when a point is armed.
type moment int

const (
	warm moment = iota // between two batches
	cold               // before there is any table that tidemark makes for itself
	idle               // when everything is committed
)

func points() []point {
	return append(eventPoints(), personPoints()...)
}

// eventPoints are those that every batch passes, and those of events alone.
func eventPoints() []point {
	const lost = "after, reply lost"
	stage := table(stack.Table)
	return []point{
		{"part upload", "before", false, warm, upload("tidemark/parts/", false)},
		{"part upload", lost, false, warm, upload("tidemark/parts/", true)},
		{"manifest", "before", false, warm, upload("tidemark/batches/", false)},
		{"manifest", lost, false, warm, upload("tidemark/batches/", true)},
		{"prepare", "before", false, warm, offsetCommit(preparing, true)},
		{"prepare", "after", false, warm, offsetCommit(preparing, false)},
		{"events: load job submitted", "before", false, warm, job("jobs.insert", bigquery.Before, stack.Table, applyJob)},
		{"events: load job submitted", lost, false, warm, job("jobs.insert", bigquery.After, stack.Table, applyJob)},
		{"events: load job", "running", false, warm, running(stack.Table, applyJob)},
		{"events: load job polled", "before", false, warm, polled(bigquery.Before)},
		{"events: load job polled", lost, false, warm, polled(bigquery.After)},
		{"events: stage table created", "before", true, warm, stage("tables.insert", bigquery.Before)},
		{"events: stage table created", lost, true, warm, stage("tables.insert", bigquery.After)},
		{"events: stage load job", "running", true, warm, running(stack.Table, stageJob)},
		{"events: INSERT job", "running", true, warm, running(stack.Table, applyJob)},
		{"events: stage table dropped", "before", true, warm, stage("tables.delete", bigquery.Before)},
		{"events: stage table dropped", lost, true, warm, stage("tables.delete", bigquery.After)},
	}
}

// personPoints are those of persons and of the status table, and the commit that ends a batch of both.
func personPoints() []point {
	const lost = "after, reply lost"
	stage, submitted := table(stack.PersonsTable), func(phase bigquery.Phase, kind string) func(*world) <-chan struct{} {
		return job("jobs.insert", phase, stack.PersonsTable, kind)
	}
	return []point{
		{"persons: stage table created", "before", false, warm, stage("tables.insert", bigquery.Before)},
		{"persons: stage table created", lost, false, warm, stage("tables.insert", bigquery.After)},
		{"persons: stage load job submitted", "before", false, warm, submitted(bigquery.Before, stageJob)},
		{"persons: stage load job submitted", lost, false, warm, submitted(bigquery.After, stageJob)},
		{"persons: stage load job", "running", false, warm, running(stack.PersonsTable, stageJob)},
		{"status table created", "before", false, cold, made(bigquery.Before, stack.StatusTable)},
		{"status table created", lost, false, cold, made(bigquery.After, stack.StatusTable)},
		{"row of the status table submitted", "before", false, cold, job("jobs.insert", bigquery.Before, "", rowJob)},
		{"row of the status table submitted", lost, false, cold, job("jobs.insert", bigquery.After, "", rowJob)},
		{"row of the status table", "running", false, cold, running("", rowJob)},
		{"persons: fence table created", "before", false, cold, made(bigquery.Before, stack.PersonsTable+"_fence")},
		{"persons: fence table created", lost, false, cold, made(bigquery.After, stack.PersonsTable+"_fence")},
		{"persons: row of the fence submitted", "before", false, cold, submitted(bigquery.Before, fenceJob)},
		{"persons: row of the fence submitted", lost, false, cold, submitted(bigquery.After, fenceJob)},
		{"persons: row of the fence", "running", false, cold, running(stack.PersonsTable, fenceJob)},
		{"persons: first side table created", "before", false, cold, made(bigquery.Before, stack.PersonsTable+"_person_state")},
		{"persons: first side table created", lost, false, cold, made(bigquery.After, stack.PersonsTable+"_person_state")},
		{"persons: second side table created", "before", false, cold, made(bigquery.Before, stack.PersonsTable+"_distinct_id_state")},
		{"persons: second side table created", lost, false, cold, made(bigquery.After, stack.PersonsTable+"_distinct_id_state")},
		{"persons: side tables seeded", "before", false, cold, submitted(bigquery.Before, seedJob)},
		{"persons: side tables seeded", lost, false, cold, submitted(bigquery.After, seedJob)},
		{"persons: side tables seeded", "running", false, cold, running(stack.PersonsTable, seedJob)},
		{"persons: merge script submitted", "before", false, warm, submitted(bigquery.Before, applyJob)},
		{"persons: merge script submitted", lost, false, warm, submitted(bigquery.After, applyJob)},
		{"persons: merge script", "running", false, warm, running(stack.PersonsTable, applyJob)},
		{"persons: merge script", "done, not seen", false, warm, mergeDone},
		{"persons: merge script", "running", true, warm, running(stack.PersonsTable, applyJob)},
		{"persons: stage table dropped", "before", false, warm, stage("tables.delete", bigquery.Before)},
		{"persons: stage table dropped", lost, false, warm, stage("tables.delete", bigquery.After)},
		{"commit", "before", false, warm, offsetCommit(finishing, true)},
		{"commit", "after", false, warm, offsetCommit(finishing, false)},
		{"status published", "before", false, idle, job("jobs.insert", bigquery.Before, "", statusJob)},
		{"status published", lost, false, idle, job("jobs.insert", bigquery.After, "", statusJob)},
		{"status published", "running", false, idle, running("", statusJob)},
	}
}

// upload holds an upload before it has its effect, or loses its reply after.
func upload(object string, after bool) func(*world) <-chan struct{} {
	return func(w *world) <-chan struct{} {
		return w.GCS.Inject(gcs.Fault{Op: gcs.OpInsert, Object: object, Count: 1, Hold: w.dead, Apply: after, Drop: after}).Hit()
	}
}

// job holds a request of BigQuery's jobs API, about a job of a kind on a table, before or after its effect.
func job(op string, phase bigquery.Phase, of, kind string) func(*world) <-chan struct{} {
	return func(w *world) <-chan struct{} {
		return w.holdRequest(op, phase, func(c bigquery.Call) bool { return isJob(c.JobID, of, kind) })
	}
}

func (w *world) holdRequest(op string, phase bigquery.Phase, when func(bigquery.Call) bool) <-chan struct{} {
	return w.faults.OnRequest(bigquery.RequestRule{Op: op, Phase: phase, When: when, Fault: bigquery.Fault{Hold: w.dead}}).Hit()
}

// running holds a job of a kind in RUNNING until the replica is dead; the job then goes on without it.
func running(of, kind string) func(*world) <-chan struct{} {
	return func(w *world) <-chan struct{} {
		return w.faults.OnJob(bigquery.JobRule{When: jobOf(of, kind), Fault: bigquery.JobFault{Running: deathWatch}}).Hit()
	}
}

// polled holds a look at a load job that takes long enough to be polled.
func polled(phase bigquery.Phase) func(*world) <-chan struct{} {
	return func(w *world) <-chan struct{} {
		w.faults.OnJob(bigquery.JobRule{When: jobOf(stack.Table, applyJob), Fault: bigquery.JobFault{Running: time.Second}})
		return job("jobs.get", phase, stack.Table, applyJob)(w)
	}
}

// mergeDone holds the first look at a merge script after its submission, and is reached when the script is done. The
// look before is for one that another replica has made.
func mergeDone(w *world) <-chan struct{} {
	id, reached := make(chan string, 1), make(chan struct{})
	w.faults.OnJob(bigquery.JobRule{When: jobOf(stack.PersonsTable, applyJob), Fault: bigquery.JobFault{Running: time.Second}})
	held := w.faults.OnRequest(bigquery.RequestRule{Op: "jobs.get", Skip: 1, Fault: bigquery.Fault{Hold: w.dead}, When: func(c bigquery.Call) bool {
		if !isJob(c.JobID, stack.PersonsTable, applyJob) {
			return false
		}
		select {
		case id <- c.JobID:
		default: // known
		}
		return true
	}}).Hit()
	go func() {
		defer close(reached)
		select {
		case <-held:
			w.awaitJob(w.Context(), <-id)
		case <-w.Context().Done():
		}
	}()
	return reached
}

// table holds the creation or the removal of a stage table for the table of.
func table(of string) func(op string, phase bigquery.Phase) func(*world) <-chan struct{} {
	return func(op string, phase bigquery.Phase) func(*world) <-chan struct{} {
		return func(w *world) <-chan struct{} {
			return w.holdRequest(op, phase, func(c bigquery.Call) bool {
				return strings.HasPrefix(c.Table, "tidemark_stage_") && strings.Contains(c.Table, hashOf(of))
			})
		}
	}
}

// made holds the request that makes a table.
func made(phase bigquery.Phase, name string) func(*world) <-chan struct{} {
	return func(w *world) <-chan struct{} {
		return w.holdRequest("tables.insert", phase, func(c bigquery.Call) bool { return c.Table == name })
	}
}

// offsetCommit notices an offset commit of a kind. Before means that it never reaches the broker.
func offsetCommit(kind func(*world) func(kmsg.Request) bool, before bool) func(*world) <-chan struct{} {
	return func(w *world) <-chan struct{} {
		match, reached := kind(w), make(chan struct{})
		if before {
			w.Kafka.Cluster().ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
				if !match(req) {
					return nil, nil, false
				}
				close(reached)
				w.Kafka.Cluster().SleepControl(func() { <-w.dead })
				return nil, errDropped, true // the connection is closed without a reply
			})
			return reached
		}
		h := w.Kafka.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, When: match, Observe: true, Count: 1})
		go func() {
			defer close(reached)
			_ = h.Wait(w.Context(), 1) // the test waits for reached with a limit of its own
		}()
		return reached
	}
}

// preparing matches offset commits that decide a batch.
func preparing(*world) func(kmsg.Request) bool { return prepares }

// finishing matches offset commits of a batch's end: no chain, and an offset beyond what is there now. An idle partition's
// clock is committed with the offset as it is.
func finishing(w *world) func(kmsg.Request) bool {
	details, err := w.admin.ListTopics(w.Context(), w.topics...)
	require.NoError(w, err)
	type partition struct {
		topic kadm.TopicID // requests name topics by ID
		n     int32
	}
	there := make(map[partition]int64)
	for tp, end := range w.ends() {
		there[partition{details[tp.Topic].ID, tp.Partition}] = end
	}
	return func(req kmsg.Request) bool {
		r, ok := req.(*kmsg.OffsetCommitRequest)
		if !ok || prepares(req) {
			return false
		}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				if end, known := there[partition{t.TopicID, p.Partition}]; known && p.Offset > end {
					return true
				}
			}
		}
		return false
	}
}
