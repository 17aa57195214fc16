package e2e

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
)

// A second group on tables that another group fills would double every event. It is refused, whether the bucket's marks tell of the
// other one or the status table, unless it is allowed.
func TestStart_ASecondGroupOnTheSameTablesIsRefused(t *testing.T) {
	w := newWorld(t)
	r := w.start(nil)
	w.produce(500)
	w.waitExported()
	w.eventually("published", func() bool { return !w.through(stack.Table).IsZero() })
	r.HandOver()
	for name, change := range map[string]map[string]string{
		"by the marks":        {"TIDEMARK_GROUP": "second", "TIDEMARK_STATUS_TABLE": ""},
		"by the status table": {"TIDEMARK_GROUP": "second", "TIDEMARK_PREFIX": "other"},
	} {
		second := harness.Start(w.T, w.changed(change))
		<-second.Done()
		require.ErrorContains(t, second.Err(), `is filled by consumer group "tidemark"`, name)
		require.ErrorContains(t, second.Err(), "TIDEMARK_ALLOW_SECOND_GROUP", name)
	}
	second := w.start(map[string]string{"TIDEMARK_GROUP": "second", "TIDEMARK_PREFIX": "other", "TIDEMARK_ALLOW_SECOND_GROUP": "true"})
	w.eventually("it has a row of its own", func() bool {
		return w.scalar("SELECT COUNT(*) FROM `"+stack.Project+"."+stack.Dataset+"."+stack.StatusTable+"` WHERE table_name = '"+stack.Table+"' AND complete_through IS NOT NULL") == int64(2)
	})
	require.Contains(t, second.Log.String(), "two consumer groups fill one table")
	second.HandOver()
	w.start(nil).HandOver() // the first one's own group is no second one, with its marks and rows there
}

// A group that is refused for one table leaves no mark on another one, which would have the first group refused there later.
func TestStart_AGroupThatIsRefusedLeavesNoMark(t *testing.T) {
	w := newWorld(t, withPersons)
	r := w.start(map[string]string{"TIDEMARK_MODELS": "persons"})
	w.eventually("it has marked its table", func() bool { return len(w.objects("tidemark/tables/")) > 0 })
	r.HandOver()
	second := harness.Start(w.T, w.changed(map[string]string{"TIDEMARK_GROUP": "second"}))
	<-second.Done()
	require.ErrorContains(t, second.Err(), stack.PersonsTable+` is filled by consumer group "tidemark"`)
	w.start(nil).HandOver()
}

// SIGTERM while starting is no failure, even if the brokers hang.
func TestStart_EndsWellWhenItIsStoppedWhileItStarts(t *testing.T) {
	w := newWorld(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	require.NoError(t, err)
	defer silent.Close()
	r := w.startProcess(map[string]string{"TIDEMARK_BROKERS": silent.Addr().String()})
	w.eventually("serving", func() bool { return r.Addr() != "" })
	r.HandOver()
	require.NotContains(t, r.Log.String(), "level=ERROR")
}

// Each thing that the configuration names is looked for in its own time: brokers that hang do not make the bucket look broken.
func TestStart_HangingBrokersMakeNothingElseLookBroken(t *testing.T) {
	w := newWorld(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	r := harness.Start(w.T, w.changed(map[string]string{"TIDEMARK_BROKERS": silent.Addr().String(), "TIDEMARK_START_TIMEOUT": "2s"}))
	<-r.Done()
	require.ErrorContains(t, r.Err(), "TIDEMARK_BROKERS: reach brokers")
	require.NotContains(t, r.Err().Error(), "bucket")
	require.NotContains(t, r.Err().Error(), "dataset")
}

// A topic that the group has consumed and that is not there any more stops its own stream. One that was never consumed is a name
// that is misspelt.
func TestStart_ATopicThatWasConsumedBeforeStopsOnlyItsStream(t *testing.T) {
	w := newWorld(t, withPersons)
	r := w.start(nil)
	w.produce(500)
	w.waitExported()
	r.HandOver()
	_, err := w.admin.DeleteTopics(t.Context(), stack.PersonsTopic)
	require.NoError(t, err)
	r = w.start(nil)
	since := time.Now()
	w.eventually("events are complete", func() bool { return w.through(stack.Table).After(since) })
	require.Contains(t, r.Log.String(), "its stream waits for it, and the others go on")
	w.eventually("the status names it", func() bool {
		absent := w.status(r).Consumer.Absent
		return len(absent) == 1 && absent[0].Topic == stack.PersonsTopic && strings.Contains(absent[0].Hint, "make it again")
	})
	r.HandOver()
	require.False(t, w.through(stack.PersonsTable).After(since))
}

// A list of teams that has none of those that send is most likely mistyped: offsets move on over everything. It is told.
func TestTeams_ABatchThatIsSkippedWholeIsWarnedOf(t *testing.T) {
	w := newWorld(t)
	r := w.start(map[string]string{"TIDEMARK_TEAMS": "999999"})
	w.produce(500)
	w.waitExported()
	r.HandOver()
	require.Contains(t, r.Log.String(), "check TIDEMARK_TEAMS")
	require.Regexp(t, `msg="batch committed".* skipped=[1-9]`, r.Log.String())
}
