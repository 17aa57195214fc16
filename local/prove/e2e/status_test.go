package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/harness"
)

// promise watches what the status table says while records are produced one after the other: number n is an event, a
// person and the person's distinct id.
type promise struct {
	*world
	client  *kgo.Client
	acked   []time.Time          // by number: when Kafka had all three
	through map[string]time.Time // by table, as last seen
}

// While replicas come, hand over and are killed, complete_through never goes back, and what was produced before it is in
// its table at that very moment. It moves on while nothing is produced.
func TestStatus_PromisesOnlyWhatIsThere(t *testing.T) {
	w := newWorld(t, withPersons, func(c *stack.Config) { c.Partitions = 3 })
	client, err := kgo.NewClient(kgo.SeedBrokers(w.Kafka.Addrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	p := &promise{world: w, client: client, through: make(map[string]time.Time)}
	w.faults.OnJob(bigquery.JobRule{When: jobOf(stack.PersonsTable, applyJob), Count: -1, Fault: bigquery.JobFault{Running: 300 * time.Millisecond}})
	w.faults.OnJob(bigquery.JobRule{When: jobOf(stack.Table, applyJob), Count: -1, Fault: bigquery.JobFault{Running: 100 * time.Millisecond}})
	r := rand.New(rand.NewPCG(w.seed, 1))
	a, b := w.start(nil), w.startProcess(nil)
	p.produceFor(r, 2*time.Second)
	c := w.start(nil)
	p.produceFor(r, time.Second)
	a.HandOver()
	p.produceFor(r, time.Second)
	b.Kill()
	p.produceFor(r, 2*time.Second)
	last := time.Now()
	for _, table := range []string{stack.Table, stack.PersonsTable} {
		w.eventually("complete through the end, though nothing comes", func() bool { p.check(table); return p.through[table].After(last) })
	}
	c.HandOver()
	w.requireExact()
	require.Equal(t, int64(len(p.acked)), w.count("TRUE"))
}

// produceFor produces as fast as single records go, and checks all the while.
func (p *promise) produceFor(r *rand.Rand, d time.Duration) {
	p.Helper()
	for started := time.Now(); time.Since(started) < d; {
		n := len(p.acked)
		uuid := fmt.Sprintf("0198f0a3-1b2c-7f00-8d11-%012x", n)
		p.send(r, stack.Topic, `{"uuid":"%s","event":"e","team_id":2,"distinct_id":"%d","timestamp":"2026-09-01 12:34:56.789","properties":"{}"}`, uuid, n)
		p.send(r, stack.PersonsTopic, `{"id":"%s","team_id":2,"properties":"{}","version":%d}`, uuid, r.IntN(5))
		p.send(r, stack.DistinctIDsTopic, `{"person_id":"%s","team_id":2,"distinct_id":"%d","version":0}`, uuid, n)
		p.acked = append(p.acked, time.Now())
		p.check([]string{stack.Table, stack.PersonsTable}[n%2])
	}
}

func (p *promise) send(r *rand.Rand, topic, format string, args ...any) {
	p.Helper()
	rec := &kgo.Record{Topic: topic, Partition: r.Int32N(3), Value: fmt.Appendf(nil, format, args...)}
	require.NoError(p, p.client.ProduceSync(p.Context(), rec).FirstErr())
}

// check reads the promise and the table in one statement, which sees both at one instant.
func (p *promise) check(table string) {
	p.Helper()
	rows, err := p.Client.Query("SELECT s.complete_through, t.distinct_id FROM `" + stack.Project + "." + stack.Dataset + "." + stack.StatusTable + "` AS s LEFT JOIN `" +
		stack.Project + "." + stack.Dataset + "." + table + "` AS t ON TRUE WHERE s.table_name = '" + table + "'").Read(p.Context())
	if isNotFound(err) {
		return // nothing was exported yet
	}
	require.NoError(p, err)
	there := make(map[string]bool)
	var through time.Time
	for {
		var row []gbq.Value
		err := rows.Next(&row)
		if errors.Is(err, iterator.Done) {
			break
		}
		require.NoError(p, err)
		through, _ = row[0].(time.Time) // NULL before the first time
		if id, ok := row[1].(string); ok {
			there[id] = true
		}
	}
	require.False(p, through.Before(p.through[table]), "complete_through of %s went back from %s to %s", table, p.through[table], through)
	p.through[table] = through
	for n := 0; n < len(p.acked) && p.acked[n].Before(through); n++ {
		require.True(p, there[fmt.Sprint(n)], "%s is complete through %s, and number %d, which Kafka had at %s, is not there", table, through, n, p.acked[n])
	}
}

func isNotFound(err error) bool {
	var refused *googleapi.Error
	return errors.As(err, &refused) && refused.Code == http.StatusNotFound
}

// Replicas that start at once make one row per table in the status table, and one of the fence: each is made by one job, to which
// all others attach.
func TestStatus_OneRowPerTable(t *testing.T) {
	w := newWorld(t, withPersons, func(c *stack.Config) { c.Partitions = 6 })
	slow := w.faults.OnJob(bigquery.JobRule{When: jobOf("", rowJob), Count: -1, Fault: bigquery.JobFault{Running: 700 * time.Millisecond}})
	fences := w.faults.OnJob(bigquery.JobRule{When: jobOf("", fenceJob), Count: -1, Fault: bigquery.JobFault{Running: 700 * time.Millisecond}})
	attached := w.faults.OnRequest(bigquery.RequestRule{Op: "jobs.insert", Count: -1, When: func(c bigquery.Call) bool { return isJob(c.JobID, "", fenceJob) }})
	var replicas []*harness.Replica
	for range 4 {
		replicas = append(replicas, w.start(nil))
	}
	w.eventually("all are members", w.stable(len(replicas)))
	w.produce(3000)
	w.waitExported()
	status := "`" + stack.Project + "." + stack.Dataset + "." + stack.StatusTable + "`"
	w.eventually("both are published", func() bool {
		_, err := w.Client.Dataset(stack.Dataset).Table(stack.StatusTable).Metadata(t.Context())
		return err == nil && w.scalar("SELECT COUNT(*) FROM "+status+" WHERE complete_through IS NOT NULL AND last_batch IS NOT NULL") == 2
	})
	for _, r := range replicas {
		r.HandOver()
	}
	require.Equal(t, int64(2), w.scalar("SELECT COUNT(*) FROM "+status))
	require.Equal(t, int64(2), w.scalar("SELECT COUNT(DISTINCT table_name) FROM "+status+" WHERE table_name IN ('events', 'persons') AND model = table_name"))
	require.Equal(t, 2, slow.Hits(), "jobs that make rows")
	require.Equal(t, 1, fences.Hits(), "jobs that make the fence's row")
	require.Equal(t, int64(1), w.scalar("SELECT COUNT(*) FROM `"+stack.PersonsFullName()+"_fence`"))
	require.Greater(t, attached.Hits(), 1, "more than one replica wanted to make it")
	w.requireExact()
}

// Without a status table only load jobs run, and no table of tidemark's own appears.
func TestStatus_CanBeTurnedOff(t *testing.T) {
	w := newWorld(t)
	queries := w.faults.OnJob(bigquery.JobRule{Kind: "query", Count: -1})
	r := w.start(map[string]string{"TIDEMARK_STATUS_TABLE": ""})
	for range 2 {
		w.produce(500)
		w.waitExported()
	}
	r.HandOver()
	require.Zero(t, queries.Hits())
	tables := w.Client.Dataset(stack.Dataset).Tables(t.Context())
	var names []string
	for {
		table, err := tables.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		require.NoError(t, err)
		names = append(names, table.TableID)
	}
	require.ElementsMatch(t, []string{stack.Table, stack.PersonsTable}, names, "what was there before")
	w.requireExact()
}

// A publication that waits while another replica publishes a later instant takes nothing back.
func TestStatus_ALatePublicationTakesNothingBack(t *testing.T) {
	w := newWorld(t)
	slow := w.start(nil)
	w.eventually("published", func() bool { return !w.through(stack.Table).IsZero() })
	release, id := make(chan struct{}), make(chan string, 1)
	held := w.faults.OnJob(bigquery.JobRule{Fault: bigquery.JobFault{HoldPending: release}, When: func(c bigquery.JobCall) bool {
		if !isJob(c.JobID, stack.Table, statusJob) {
			return false
		}
		select {
		case id <- c.JobID:
		default: // not the first one, which is held
		}
		return true
	}}).Hit()
	<-held
	since := time.Now()
	slow.HandOver() // another replica publishes for the stream from now on
	other := w.start(nil)
	w.eventually("the other one has published", func() bool { return w.through(stack.Table).After(since) })
	other.HandOver()
	before := w.through(stack.Table)
	close(release)
	w.awaitJob(t.Context(), <-id)
	require.False(t, w.through(stack.Table).Before(before), "complete_through went back")
}

// Whoever drops the status table, as its errors may ask for, gets it back with the rows of all tables.
func TestStatus_ADroppedTableComesBackWithAllRows(t *testing.T) {
	w := newWorld(t, withPersons)
	w.produce(500)
	r := w.start(nil)
	w.waitExported()
	name := "`" + stack.Project + "." + stack.Dataset + "." + stack.StatusTable + "`"
	complete := func() bool {
		return !w.through(stack.Table).IsZero() && !w.through(stack.PersonsTable).IsZero()
	}
	w.eventually("both are published", complete)
	require.NoError(t, w.Client.Dataset(stack.Dataset).Table(stack.StatusTable).Delete(t.Context()))
	w.produce(500)
	w.waitExported()
	w.eventually("both are published again", complete)
	require.EqualValues(t, 2, w.scalar("SELECT COUNT(*) FROM "+name))
	w.requireExact()
	r.HandOver()
}

// through is how far the status table says a table is complete; zero before it says so.
func (w *world) through(table string) (at time.Time) {
	w.Helper()
	_, err := w.Client.Dataset(stack.Dataset).Table(stack.StatusTable).Metadata(w.Context())
	if isNotFound(err) {
		return at
	}
	require.NoError(w, err)
	for _, row := range w.rows("SELECT complete_through FROM `" + stack.Project + "." + stack.Dataset + "." + stack.StatusTable + "` WHERE table_name = '" + table + "'") {
		at, _ = row[0].(time.Time) // NULL before the first time
	}
	return at
}
