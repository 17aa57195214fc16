package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/gcs"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
)

// permanent are seeds that once failed.
func permanent() []uint64 {
	return []uint64{
		1727410049, // a fault left over for the comparison's own requests
	}
}

// seeds returns which random scripts to run: E2E_SEED for one, E2E_SEEDS for how many; by default the permanent ones
// and a few fresh ones.
func seeds(t *testing.T) []uint64 {
	if s := os.Getenv("E2E_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		return []uint64{seed}
	}
	n := 12
	if s := os.Getenv("E2E_SEEDS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	list := permanent()
	for range n {
		list = append(list, rand.Uint64()>>32)
	}
	return list
}

// Random replicas, kills, hand-overs, lost replies, failing jobs, refused and half accepted commits, in random order:
// at the end BigQuery is the plain fold of the topics of both models.
func TestCrash_RandomScriptsEndAsThePlainFold(t *testing.T) {
	for _, seed := range seeds(t) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 4))
			w := newWorld(t, withPersons, func(c *stack.Config) {
				c.Partitions = 1 + r.Int32N(6)
				c.JSON = r.IntN(3) == 0
			})
			w.env["TIDEMARK_PERSON_DELETES"] = pick(r, "mark", "remove")
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("repeat with: E2E_SEED=%d go test ./local/prove/e2e -run TestCrash_Random", seed)
				}
			})
			w.seed = seed
			p := &play{world: w, r: r}
			for range 1 + r.IntN(3) {
				p.replicas = append(p.replicas, w.startProcess(nil))
			}
			for range 3 + r.IntN(4) {
				p.act()
			}
			p.settle()
			for _, replica := range p.replicas {
				replica.HandOver()
			}
			p.mend()
			w.requireExact()
		})
	}
}

// play is one random script.
type play struct {
	*world
	r        *rand.Rand
	replicas []*harness.Replica
	rules    []*bigquery.Rule
}

// settle sees to it that a replica lives and waits until everything is exported. The embedded broker, unlike Kafka, never
// expires a member that was killed while it waited in JoinGroup, and leaves partitions to it until the next join: that of
// one more replica, if what is there does not get on.
func (p *play) settle() {
	p.Helper()
	getOn, cancel := context.WithTimeout(p.Context(), patience/4)
	defer cancel()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for len(p.replicas) > 0 && getOn.Err() == nil {
		if p.allCommitted() {
			return
		}
		select {
		case <-look.C:
		case <-getOn.Done():
		}
	}
	p.replicas = append(p.replicas, p.startProcess(nil))
	p.waitExported()
}

// mend ends what has not been used up, so that it does not hit the comparison.
func (p *play) mend() {
	for _, rule := range p.rules {
		rule.Remove()
	}
}

// act does one random thing, and lets a random while pass until the group has moved or not.
func (p *play) act() {
	p.Helper()
	p.produce(uint64(50 + p.r.IntN(500)))
	switch p.r.IntN(7) {
	case 0:
		p.breakStorage()
	case 1:
		p.breakJobs()
	case 2:
		p.breakRequests()
	case 3:
		p.breakCommits()
	case 4:
		p.breakMerges()
	case 5:
		p.replicas = append(p.replicas, p.startProcess(nil))
	default:
		p.end()
	}
	while := time.NewTimer(time.Duration(p.r.IntN(1500)) * time.Millisecond)
	defer while.Stop()
	select {
	case <-while.C:
	case <-p.Context().Done():
	}
}

// end kills a replica or lets it hand over, and mostly starts another one.
func (p *play) end() {
	if n := len(p.replicas); n > 0 {
		i := p.r.IntN(n)
		replica := p.replicas[i]
		p.replicas = append(p.replicas[:i], p.replicas[i+1:]...)
		if p.r.IntN(3) == 0 {
			replica.Stop()
		} else {
			replica.Signal(syscall.SIGKILL)
		}
		<-replica.Done()
	}
	if p.r.IntN(4) > 0 {
		p.replicas = append(p.replicas, p.startProcess(nil))
	}
}

// breakStorage fails or loses the replies of the next few requests of a kind.
func (p *play) breakStorage() {
	f := gcs.Fault{Op: pick(p.r, gcs.OpInsert, gcs.OpInsert, gcs.OpRead, gcs.OpList), Skip: p.r.IntN(4), Count: 1 + p.r.IntN(3), Apply: p.r.IntN(2) == 0}
	if f.Drop = p.r.IntN(2) == 0; !f.Drop {
		f.Status = http.StatusServiceUnavailable
	}
	p.GCS.Inject(f)
}

// breakJobs lets a job fail for a reason that passes, or take its time.
func (p *play) breakJobs() {
	f := bigquery.JobFault{Running: time.Duration(p.r.IntN(1500)) * time.Millisecond}
	if p.r.IntN(2) == 0 {
		f = bigquery.JobFault{Reason: pick(p.r, "backendError", "internalError", "rateLimitExceeded", "accessDenied")}
	}
	p.rules = append(p.rules, p.faults.OnJob(bigquery.JobRule{Skip: p.r.IntN(2), Fault: f}))
}

// breakMerges lets scripts fail as they do when several change one table, or run long enough to meet each other.
func (p *play) breakMerges() {
	f := pick(p.r,
		bigquery.JobFault{Reason: "invalidQuery", Message: "Transaction is aborted due to concurrent update against table " + stack.StatusTable},
		bigquery.JobFault{Reason: "resourcesExceeded", Message: "Resources exceeded during query execution: Too many DML statements outstanding against table, limit is 20."},
		bigquery.JobFault{Reason: "jobRateLimitExceeded"},
		bigquery.JobFault{Running: time.Duration(p.r.IntN(2500)) * time.Millisecond})
	rule := bigquery.JobRule{When: jobOf("", pick(p.r, applyJob, applyJob, stageJob, statusJob, rowJob, fenceJob, seedJob)), Count: 1 + p.r.IntN(3), Fault: f}
	p.rules = append(p.rules, p.faults.OnJob(rule))
}

// breakRequests loses requests or replies of BigQuery's API.
func (p *play) breakRequests() {
	f := bigquery.Fault{Drop: p.r.IntN(2) == 0}
	if !f.Drop {
		f.Status = pick(p.r, 500, 502, 503)
	}
	p.rules = append(p.rules, p.faults.OnRequest(bigquery.RequestRule{
		Op:    pick(p.r, "jobs.insert", "jobs.insert", "jobs.get", "tables.get", "tables.insert", "tables.delete"),
		Phase: pick(p.r, bigquery.Before, bigquery.After), Skip: p.r.IntN(3), Count: 1 + p.r.IntN(2), Fault: f}))
}

// breakCommits answers offset commits with an error: applied all the same (a timeout), for one partition only, or not
// at all.
func (p *play) breakCommits() {
	f := kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Count: 1 + p.r.IntN(2),
		Err: pick(p.r, kerr.RequestTimedOut, kerr.UnknownServerError, kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.NotCoordinator)}
	if p.r.IntN(2) == 0 {
		f.Partitions = []int32{0}
	}
	if p.r.IntN(2) == 0 {
		f.When = prepares
	}
	p.Kafka.Cluster().Fault(f)
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
