package e2e

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/local/bigquery"
	"tidemark/local/gcs"
	"tidemark/local/harness"
	"tidemark/local/stack"
)

// deathWatch is how long a job runs on, which is longer than it takes to kill its replica.
const deathWatch = 2 * time.Second

var errDropped = errors.New("dropped before the broker has it")

// point is a place in the protocol: a step, and whether the crash comes before or after its effect. arm makes the next
// replica stand still there and returns a channel that is closed when it does: then it gets SIGKILL.
type point struct {
	step, when string
	json       bool // with a stage table
	arm        func(*world) (reached <-chan struct{})
}

// upload holds an upload before it has its effect, or loses its reply after.
func upload(object string, after bool) func(*world) <-chan struct{} {
	return func(w *world) <-chan struct{} {
		f := gcs.Fault{Op: gcs.OpInsert, Object: object, Count: 1}
		if after {
			f.Apply, f.Drop = true, true
		} else {
			f.Hold = w.dead
		}
		return w.GCS.Inject(f).Hit()
	}
}

// job holds a request of BigQuery's jobs API before or after its effect.
func job(op string, phase bigquery.Phase) func(*world) <-chan struct{} {
	return func(w *world) <-chan struct{} {
		return w.faults.OnRequest(bigquery.RequestRule{Op: op, Phase: phase, Fault: bigquery.Fault{Hold: w.dead}}).Hit()
	}
}

// running holds a job of a kind in RUNNING until the replica is dead; the job then goes on without it.
func running(kind string) func(*world) <-chan struct{} {
	return func(w *world) <-chan struct{} {
		return w.faults.OnJob(bigquery.JobRule{Kind: kind, Fault: bigquery.JobFault{Running: deathWatch}}).Hit()
	}
}

// offsetCommit notices an offset commit of a kind. Before means that it never reaches the broker.
func offsetCommit(match func(kmsg.Request) bool, before bool) func(*world) <-chan struct{} {
	return func(w *world) <-chan struct{} {
		reached := make(chan struct{})
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

// finishes matches offset commits of a batch's end: no chain, and an offset that moves.
func finishes(req kmsg.Request) bool {
	r, ok := req.(*kmsg.OffsetCommitRequest)
	if !ok || prepares(req) {
		return false
	}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			if p.Offset > 0 {
				return true
			}
		}
	}
	return false
}

func points() []point {
	return []point{
		{"part upload", "before", false, upload("tidemark/parts/", false)},
		{"part upload", "after, reply lost", false, upload("tidemark/parts/", true)},
		{"manifest", "before", false, upload("tidemark/batches/", false)},
		{"manifest", "after, reply lost", false, upload("tidemark/batches/", true)},
		{"prepare", "before", false, offsetCommit(prepares, true)},
		{"prepare", "after", false, offsetCommit(prepares, false)},
		{"load job submitted", "before", false, job("jobs.insert", bigquery.Before)},
		{"load job submitted", "after, reply lost", false, job("jobs.insert", bigquery.After)},
		{"load job", "running", false, running("load")},
		{"load job polled", "before", false, polled(bigquery.Before)},
		{"load job polled", "after, reply lost", false, polled(bigquery.After)},
		{"commit", "before", false, offsetCommit(finishes, true)},
		{"commit", "after", false, offsetCommit(finishes, false)},
		{"stage table created", "before", true, table("tables.insert", bigquery.Before)},
		{"stage table created", "after, reply lost", true, table("tables.insert", bigquery.After)},
		{"stage load job", "running", true, running("load")},
		{"INSERT job", "running", true, running("query")},
		{"stage table dropped", "before", true, table("tables.delete", bigquery.Before)},
		{"stage table dropped", "after, reply lost", true, table("tables.delete", bigquery.After)},
	}
}

// polled holds a look at a job that takes long enough to be polled.
func polled(phase bigquery.Phase) func(*world) <-chan struct{} {
	return func(w *world) <-chan struct{} {
		w.faults.OnJob(bigquery.JobRule{Kind: "load", Fault: bigquery.JobFault{Running: time.Second}})
		return job("jobs.get", phase)(w)
	}
}

func table(op string, phase bigquery.Phase) func(*world) <-chan struct{} {
	return func(w *world) <-chan struct{} {
		return w.faults.OnRequest(bigquery.RequestRule{Op: op, Phase: phase, Fault: bigquery.Fault{Hold: w.dead}}).Hit()
	}
}

// A replica is killed at every point of the protocol, before and after the effect; another one takes over. No row is
// missing or doubled, and no record of a decided batch is read again.
func TestCrash_AtEveryPointLosesAndDoublesNothing(t *testing.T) {
	m := newMatrix(t)
	for i, p := range points() {
		t.Run(p.step+", "+p.when, func(t *testing.T) {
			w := newWorld(t, func(c *stack.Config) { c.JSON = p.json })
			victim := w.startProcess(nil)
			w.produce(300)
			w.waitExported() // it is a member, with everything warm
			warm := w.ends()
			reached := p.arm(w)
			w.produce(700)
			w.reach(reached, victim)
			victim.Kill()
			decided := w.decided()
			wasDecided := advanced(warm, decided)
			close(w.dead)

			seen := harness.NewReads()
			successor := w.start(nil, kgo.WithHooks(seen))
			w.produce(300)
			w.waitExported()
			successor.HandOver()
			report := w.requireExact()
			require.Zero(t, seen.Below(decided), "records of decided batches are not read again")
			m.add(i, p, outcome{decided: wasDecided, report: report})
		})
	}
}

// reach waits until the replica stands at its point.
func (w *world) reach(reached <-chan struct{}, r *harness.Replica) {
	w.Helper()
	select {
	case <-reached:
	case <-r.Done():
		w.Fatalf("replica ended before its point: %v", r.Err())
	case <-w.Context().Done():
		w.Fatal("point never reached")
	}
}
