package realkafka

import (
	"fmt"
	"maps"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/local/prove/harness"
)

// A static member that is restarted within the session timeout gets its partitions back, and nobody else's are touched.
func TestHandOver_StaticMembersKeepTheirPartitions(t *testing.T) {
	w := newWorld(t)
	seen := harness.NewReads()
	hook := kgo.WithHooks(seen)
	member := func(i int) map[string]string {
		env := long()
		maps.Copy(env, map[string]string{"TIDEMARK_INSTANCE_ID": fmt.Sprintf("replica-%d", i), "TIDEMARK_SESSION_TIMEOUT": "20s"})
		return env
	}
	replicas := []*harness.Replica{w.start(member(0), hook), w.start(member(1), hook)}
	w.produce(2000)
	w.eventually("all is read", seen.AtLeast(w.next))
	w.eventually("both are members", func() bool { return len(w.assignment()) == 2 })
	before := w.assignment()
	for i := range replicas {
		replicas[i].HandOver()
		replicas[i] = w.start(member(i), hook)
		w.produce(2000)
		w.eventually("all is read", seen.AtLeast(w.next))
	}
	require.Equal(t, before, w.assignment())
	for _, r := range replicas {
		r.HandOver()
	}
	env := member(0)
	env["TIDEMARK_PERIOD"], env["TIDEMARK_FLUSH_DELAY"] = "1s", "100ms"
	other := member(1)
	maps.Copy(other, map[string]string{"TIDEMARK_PERIOD": "1s", "TIDEMARK_FLUSH_DELAY": "100ms"})
	a, b := w.start(env, hook), w.start(other, hook)
	w.waitExported()
	a.HandOver()
	b.HandOver()
	_, again := seen.Total()
	require.Zero(t, again, "records read more than once")
	w.requireExact()
}

// assignment returns the partitions of every static member.
func (w *world) assignment() map[string]string {
	w.Helper()
	groups, err := w.admin.DescribeGroups(w.Context(), w.group)
	require.NoError(w, err)
	held := make(map[string]string)
	for _, m := range groups[w.group].Members {
		if a, ok := m.Assigned.AsConsumer(); ok && m.InstanceID != nil && len(a.Topics) > 0 {
			held[*m.InstanceID] = fmt.Sprint(a.Topics[0].Partitions)
		}
	}
	return held
}

// A static member that slept has been replaced under its own name, as when a StatefulSet's node was cut off: it is
// fenced by that name, although its generation may still be the group's.
func TestZombie_OfAStaticMemberChangesNothing(t *testing.T) {
	w := newWorld(t)
	named := func(env map[string]string) map[string]string {
		env["TIDEMARK_INSTANCE_ID"], env["TIDEMARK_SESSION_TIMEOUT"] = "replica-0", "60s"
		return env
	}
	zombie := w.startProcess(named(long()))
	w.produce(2000)
	w.eventually("it holds all undecided", func() bool { return read(zombie) == int64(w.next) })
	zombie.Signal(syscall.SIGSTOP)
	successor := w.start(named(map[string]string{}))
	w.waitExported() // within the zombie's session timeout
	before := w.committed()
	zombie.Signal(syscall.SIGTERM)
	zombie.Signal(syscall.SIGCONT)
	zombie.Wait()
	require.Contains(t, zombie.Log.String(), kerr.FencedInstanceID.Message)
	for tp, o := range w.committed() {
		require.Equal(t, before[tp].Offset, o.Offset, tp)
	}
	w.produce(500)
	w.waitExported()
	successor.HandOver()
	w.requireExact()
}

// Two replicas with one TIDEMARK_INSTANCE_ID are a mistake: each fences the other when it joins. What they export is
// exact all the same, and their pauses between sessions grow, so that there is progress.
func TestGroup_TwoReplicasOfOneName(t *testing.T) {
	w := newWorld(t)
	name := map[string]string{"TIDEMARK_INSTANCE_ID": "twin"}
	a, b := w.start(name), w.start(name)
	for range 5 {
		w.produce(500)
		w.waitExported()
	}
	a.HandOver()
	b.HandOver()
	w.requireExact()
	t.Logf("sessions ended in doubt: %d and %d", strings.Count(a.Log.String(), "session ended in doubt"), strings.Count(b.Log.String(), "session ended in doubt"))
}
