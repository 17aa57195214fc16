package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"tidemark/batch"
	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/operate"
)

// command is the tidemark command, built once, in a directory that TestMain removes.
var commandDir string //nolint:gochecknoglobals // what the tests share

var command = sync.OnceValues(func() (path string, err error) { //nolint:gochecknoglobals // as above
	if commandDir, err = os.MkdirTemp("", "tidemark-command-"); err != nil {
		return "", err
	}
	path = filepath.Join(commandDir, "tidemark")
	out, err := exec.Command("go", "build", "-o", path, "tidemark/cmd/tidemark").CombinedOutput()
	if err != nil {
		return string(out), err
	}
	return path, nil
})

// tidemark runs the command as an operator does and returns its output, and what it says besides.
func (w *world) tidemark(args ...string) (stdout, stderr string, code int) {
	w.Helper()
	path, err := command()
	require.NoError(w, err, path)
	cmd := exec.CommandContext(w.Context(), path, args...)
	cmd.Env = os.Environ()
	for k, v := range w.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if cmd.ProcessState == nil {
		require.NoError(w, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// do runs a command that has to succeed.
func (w *world) do(args ...string) (stdout string) {
	w.Helper()
	stdout, stderr, code := w.tidemark(args...)
	require.Zero(w, code, "tidemark %v: %s%s", args, stdout, stderr)
	return stdout
}

// refused runs a command that has to be refused, with words that say why, and changes nothing.
func (w *world) refused(want string, args ...string) {
	w.Helper()
	before := w.positions()
	stdout, stderr, code := w.tidemark(args...)
	require.Equal(w, 1, code, "tidemark %v: %s%s", args, stdout, stderr)
	require.Contains(w, stderr, want)
	require.Equal(w, before, w.positions())
}

// positions are the group's offsets and chains, without the clocks, which replicas move on meanwhile.
func (w *world) positions() map[batch.TopicPartition]string {
	w.Helper()
	positions := make(map[batch.TopicPartition]string)
	for tp, o := range w.committed() {
		meta, err := batch.ParseMetadata(o.Metadata)
		require.NoError(w, err)
		positions[tp] = fmt.Sprintf("%d %v", o.Offset, meta.Chain)
	}
	return positions
}

// batches lists the batches that are on their way.
func (w *world) batches() (list []operate.Batch) {
	w.Helper()
	require.NoError(w, json.Unmarshal([]byte(w.do("batches", "--json")), &list))
	return list
}

// byHand commits an offset as Kafka's own tool does, with no metadata; a negative one deletes it.
func (w *world) byHand(tp batch.TopicPartition, offset int64) {
	w.Helper()
	if offset < 0 {
		var topics kadm.TopicsSet
		topics.Add(tp.Topic, tp.Partition)
		resp, err := w.admin.DeleteOffsets(w.Context(), "tidemark", topics)
		require.NoError(w, err)
		require.NoError(w, resp.Error())
		return
	}
	var offsets kadm.Offsets
	offsets.AddOffset(tp.Topic, tp.Partition, offset, -1)
	require.NoError(w, w.admin.CommitAllOffsets(w.Context(), "tidemark", offsets))
}

// decide leaves a decided batch of events that BigQuery has refused, with or without a job of it, and no replica.
func (w *world) decide(withJob bool) operate.Batch {
	w.Helper()
	var mend func()
	var hits func() int
	if withJob {
		f := w.faults.OnJob(bigquery.JobRule{Kind: "load", Count: -1, Fault: bigquery.JobFault{Reason: "accessDenied", Message: "Access Denied: injected"}})
		mend, hits = f.Remove, f.Hits
	} else {
		f := w.faults.OnRequest(bigquery.RequestRule{Op: "jobs.insert", Count: -1, Phase: bigquery.Before, Fault: bigquery.Fault{Status: 403, Reason: "accessDenied"}})
		mend, hits = f.Remove, f.Hits
	}
	r := w.start(map[string]string{"TIDEMARK_STATUS_TABLE": ""})
	w.produce(1000)
	w.eventually("refused", func() bool { return hits() > 0 && w.undecided() == 0 })
	r.HandOver()
	mend()
	list := w.batches()
	require.NotEmpty(w, list)
	return list[0]
}

// A batch whose load has run is applied, whatever has become of offsets meanwhile: nothing is doubled (K1).
func TestOperate_AResetPartitionDoublesNothingOfTheOthers(t *testing.T) {
	w := newWorld(t, withPersons)
	release := make(chan struct{})
	held := w.faults.OnJob(bigquery.JobRule{When: jobOf(stack.PersonsTable, stageJob), Count: -1, Fault: bigquery.JobFault{HoldRunning: release}})
	r := w.start(nil)
	w.produce(1500)
	w.eventually("the load runs", func() bool { return held.Hits() > 0 && w.undecided() == 0 })
	r.HandOver()
	w.byHand(batch.TopicPartition{Topic: stack.PersonsTopic, Partition: 1}, 0)
	close(release)
	r = w.start(nil)
	w.waitExported()
	r.HandOver()
	w.requireExact()
}

// A decided batch of which a partition's offset was deleted, and then set to the range's end by hand: with a job of it in
// BigQuery it is applied. Without one only a person can tell, and does so by a command (K2).
func TestOperate_ADecidedBatchIsNotVoidedOnTheStrengthOfOffsets(t *testing.T) {
	for name, withJob := range map[string]bool{"its job has failed": true, "nothing was submitted": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.decide(withJob)
			moved := b.Partitions[1]
			w.byHand(moved.TopicPartition, -1)
			w.byHand(moved.TopicPartition, moved.End)
			if !withJob {
				r := w.start(nil)
				w.eventually("stopped", func() bool { return w.status(r).Stopped == 3 })
				w.refused("has 1 members", "batches", "apply", b.ID.String())
				r.HandOver()
				require.Equal(t, "waits for a person", w.batches()[0].Next)
				w.do("batches", "apply", b.ID.String())
				require.Contains(t, w.do("batches", "show", b.ID.String()), "succeeded")
			}
			r := w.start(nil)
			w.waitExported()
			r.HandOver()
			w.requireExact()
		})
	}
}

// A voided batch is read again, and a replica that has slept since it was decided cannot apply it any more.
func TestOperate_AVoidedBatchIsNeverAppliedByASleeper(t *testing.T) {
	w := newWorld(t)
	hold := make(chan struct{})
	submitted := w.faults.OnRequest(bigquery.RequestRule{Op: "jobs.insert", Count: 1, Phase: bigquery.Before, Fault: bigquery.Fault{Hold: hold}})
	sleeper := w.startProcess(map[string]string{"TIDEMARK_STATUS_TABLE": ""})
	w.produce(1000)
	w.eventually("its load is on its way", func() bool { return submitted.Hits() > 0 })
	sleeper.Signal(syscall.SIGSTOP)
	w.eventually("the group has given it up", func() bool {
		g, err := w.admin.DescribeGroups(t.Context(), "tidemark")
		return err == nil && len(g["tidemark"].Members) == 0
	})
	var first operate.Batch
	for list := w.batches(); len(list) > 0; list = w.batches() {
		first = list[0]
		w.do("batches", "void", "--yes", list[len(list)-1].ID.String()) // the last one first
	}
	require.NotEmpty(t, first.ID)
	close(hold) // the request of the sleeper arrives
	sleeper.Signal(syscall.SIGCONT)
	r := w.start(nil)
	w.waitExported()
	r.HandOver()
	sleeper.HandOver()
	w.requireExact()
}

// What would lose or double rows, or means nothing, is refused with what was found and what is allowed.
func TestOperate_RefusesWhatWouldLoseOrDouble(t *testing.T) {
	w := newWorld(t)
	b := w.decide(true)
	id, topic := b.ID.String(), stack.Topic
	w.refused("looked for gs://"+stack.Bucket+"/tidemark/batches/0198f0a3", "batches", "show", "0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c77")
	w.refused("is not finished", "offsets", "set", topic+":1", "latest", "--skip-records")
	w.refused("has no partition of one of the numbers [9]", "offsets", "set", topic+":9", "earliest")
	w.refused(`topic "nothing" is none of the exported ones`, "offsets", "set", "nothing", "earliest")
	w.refused(`found "yesterday"; want earliest`, "offsets", "set", topic, "yesterday")
	w.refused("want the batch's ID typed, or --yes", "batches", "void", id)
	w.do("batches", "apply", id)
	w.do("batches", "apply", id) // may be repeated
	w.refused("no partition of group tidemark names batch", "batches", "void", "--yes", "--without-manifest", "0198f0a3-1b2c-7f00-8d11-5a0d2f4e6c77")
	w.refused("want no job that has had, or may have, its effect", "batches", "void", "--yes", id)
	w.produce(500)
	w.refused("would be skipped", "offsets", "set", topic, "latest")
	w.refused("would be read again", "offsets", "set", topic, "earliest")
	w.refused("is not in Kafka; want 0 to", "offsets", "set", topic+":0", "99999999")
	w.requireUntouched()
	r := w.start(nil)
	w.waitExported()
	w.refused("has 1 members", "offsets", "set", topic, "latest", "--skip-records")
	r.HandOver()
	w.requireExact()
}

// requireUntouched says that nothing is on its way and nothing is wrong.
func (w *world) requireUntouched() {
	w.Helper()
	require.Empty(w, w.batches())
	var list []operate.Partition
	require.NoError(w, json.Unmarshal([]byte(w.do("offsets", "show", "--json")), &list))
	require.Len(w, list, 4)
	for _, p := range list {
		require.Empty(w, p.Problem)
		require.Positive(w, p.Behind)
	}
}

// A topic that is made again is consumed after its offsets are set, and not before.
func TestOperate_ATopicMadeAgainGoesOnWhenItsOffsetsAreSet(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.produce(500)
	w.waitExported()
	r.HandOver()
	first := w.requireExact()
	w.recreate(stack.Topic)
	require.Contains(t, w.do("offsets", "show"), "was re-created")
	w.do("offsets", "set", stack.Topic, "earliest")
	w.produce(700)
	r = w.start(nil)
	w.waitExported()
	r.HandOver()
	require.Greater(t, w.count("TRUE"), first.Events)
}

// recreate deletes a topic and makes it again.
func (w *world) recreate(topic string) {
	w.Helper()
	_, err := w.admin.DeleteTopics(w.Context(), topic)
	require.NoError(w, err)
	w.eventually("made again", func() bool {
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		_, err := w.admin.CreateTopic(ctx, 4, 1, nil, topic)
		return err == nil
	})
}
