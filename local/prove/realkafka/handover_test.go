package realkafka

import (
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/gcs"
	"tidemark/local/prove/harness"
)

func TestExport_EveryRowOnceWithTwoReplicas(t *testing.T) {
	w := newWorld(t, persons)
	a, b := w.start(nil), w.start(nil)
	stats := w.produce(8000)
	w.waitExported()
	a.HandOver()
	b.HandOver()
	report := w.requireExact()
	require.Positive(t, stats.Rejected())
	require.Less(t, uint64(report.Events), stats.Records)
}

// tidemark joins as a member of a classic group, also on a broker that would rather have KIP-848's protocol.
func TestGroup_IsClassicAndCooperative(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.produce(200)
	w.waitExported()
	groups, err := w.admin.DescribeGroups(t.Context(), w.group)
	require.NoError(t, err)
	g := groups[w.group]
	require.NoError(t, g.Err)
	require.Equal(t, "consumer", g.ProtocolType)
	require.Equal(t, "cooperative-sticky", g.Protocol)
	require.Len(t, g.Members, 1)
	r.HandOver()
}

// Every replica is replaced, one after the other, while records arrive: not one is read twice.
func TestHandOver_RollingRestartReadsNothingAgain(t *testing.T) {
	w := newWorld(t)
	seen := harness.NewReads()
	hook := kgo.WithHooks(seen)
	replicas := []*harness.Replica{w.start(long(), hook)}
	w.produce(2000)
	w.eventually("the first has read all", seen.AtLeast(w.next))
	for range 2 { // scaling takes partitions from those that have unsealed records of them
		replicas = append(replicas, w.start(long(), hook))
		w.produce(1000)
		w.eventually("all is read", seen.AtLeast(w.next))
	}
	for i := range replicas {
		replicas[i].HandOver()
		w.produce(1000)
		replicas[i] = w.start(long(), hook)
		w.produce(1000)
		w.eventually("all is read", seen.AtLeast(w.next))
	}
	for _, r := range replicas {
		r.HandOver()
	}
	last := w.start(nil, hook) // finishes what the others prepared
	w.waitExported()
	last.HandOver()
	_, again := seen.Total()
	require.Zero(t, again, "records read more than once")
	w.requireExact()
}

// A replica gets SIGKILL at a point of the protocol; another one takes over, or the same one as a static member.
func TestTakeOver_AfterSIGKILL(t *testing.T) {
	loadRuns := func(w *world) <-chan struct{} {
		return w.faults.OnJob(bigquery.JobRule{Kind: "load", Fault: bigquery.JobFault{Running: patience / 45}}).Hit()
	}
	mergeRuns := func(w *world) <-chan struct{} {
		return w.faults.OnJob(bigquery.JobRule{When: func(c bigquery.JobCall) bool { return c.Kind == "query" && strings.Contains(c.JobID, "_apply-g") },
			Fault: bigquery.JobFault{Running: patience / 45}}).Hit()
	}
	replyLost := func(object string) func(*world) <-chan struct{} {
		return func(w *world) <-chan struct{} {
			return w.GCS.Inject(gcs.Fault{Op: gcs.OpInsert, Object: object, Count: 1, Apply: true, Drop: true}).Hit()
		}
	}
	for name, c := range map[string]struct {
		reached func(*world) <-chan struct{}
		env     map[string]string
	}{
		"a part is uploaded":                {replyLost("tidemark/parts/"), nil},
		"the manifest is written":           {replyLost("tidemark/batches/"), nil},
		"the load runs":                     {loadRuns, nil},
		"the merge runs":                    {mergeRuns, nil},
		"the load runs, as a static member": {loadRuns, map[string]string{"TIDEMARK_INSTANCE_ID": "one", "TIDEMARK_SESSION_TIMEOUT": "30s"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, persons)
			victim := w.startProcess(c.env)
			w.produce(300)
			w.waitExported() // it is a member, with everything warm
			reached := c.reached(w)
			w.produce(700)
			select {
			case <-reached:
			case <-victim.Done():
				t.Fatalf("replica ended before its point: %v", victim.Err())
			}
			victim.Kill()
			successor := w.startProcess(c.env)
			w.produce(300)
			w.waitExported()
			successor.HandOver()
			w.requireExact()
		})
	}
}

// A replica that slept for longer than its session wakes up with everything it has read and not decided; others have
// exported it meanwhile. It changes nothing, whether it goes on or is asked to hand over at once.
func TestZombie_ChangesNothing(t *testing.T) {
	for name, wake := range map[string]func(*harness.Replica){
		"goes on": func(r *harness.Replica) { r.Signal(syscall.SIGCONT) },
		"hands over at once": func(r *harness.Replica) {
			r.Signal(syscall.SIGTERM) // pending until it wakes: its prepare is what it does first
			r.Signal(syscall.SIGCONT)
			r.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			zombie := w.startProcess(long())
			w.produce(2000)
			w.eventually("it holds all undecided", func() bool { return read(zombie) == int64(w.next) })
			zombie.Signal(syscall.SIGSTOP)
			successor := w.start(nil)
			w.waitExported()
			w.requireExact()
			before := w.committed()
			wake(zombie)
			if name == "goes on" {
				w.eventually("it knows", func() bool { return servedAgain(zombie) })
			}
			for tp, o := range w.committed() {
				require.Equal(t, before[tp].Offset, o.Offset, tp)
			}
			w.produce(500)
			zombie.HandOver()
			w.waitExported()
			successor.HandOver()
			w.requireExact()
		})
	}
}

// servedAgain says whether a session ended in doubt and another one has begun.
func servedAgain(r *harness.Replica) bool {
	_, after, found := strings.Cut(r.Log.String(), "session ended in doubt")
	return found && strings.Contains(after, "partitions taken over")
}
