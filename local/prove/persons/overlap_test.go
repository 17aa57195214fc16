package persons

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tidemark/batch"
	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/verify"
	"tidemark/merge"
)

// fence returns the statement that two merges of a table conflict on.
func (p *people) fence() string {
	return "UPDATE `" + stack.Project + "." + stack.Dataset + "." + p.name + "_fence` SET last_batch = @batch, last_batch_rows = @rows, merged_at = CURRENT_TIMESTAMP()\nWHERE TRUE;\n"
}

// Two replicas merge batches about the same new keys at the same time. Both scripts only insert, and neither sees what
// the other has inserted. That the fence is what prevents double rows is shown by leaving it out.
func TestMerge_OverlappingScriptsDoubleNoKeyThanksToTheFence(t *testing.T) {
	for _, fenced := range []bool{true, false} {
		t.Run(fmt.Sprintf("fence %t", fenced), func(t *testing.T) {
			t.Parallel()
			p := newWorld(t, func(c *bigquery.Config) { c.Async = true }).people(variant{deletes: verify.DeletesMark})
			edit := func(sql string) string {
				if fenced {
					return sql
				}
				require.Equal(t, 1, strings.Count(sql, p.fence()), "the script has the fence")
				return strings.Replace(sql, p.fence(), "", 1)
			}
			all := messages(1, mapping("d", "P", 0), person("P", 0))
			again := messages(1, mapping("d", "P", 0), person("P", 0), person("P", 1), mapping("e", "P", 0))
			p.expect(time.Time{}, all, again)
			p.overlap(edit, p.seal(all), p.seal(again), fenced)
			if fenced {
				require.NoError(t, p.compare())
				return
			}
			require.ErrorContains(t, p.compare(), "two rows")
			for _, suffix := range []string{"_person_state", "_distinct_id_state"} {
				side := strings.Replace(p.sql(), p.name, p.name+suffix, 1)
				require.NotEqual(t, p.scalar("SELECT COUNT(*) FROM "+side), p.scalar("SELECT COUNT(*) FROM (SELECT DISTINCT team_id, "+
					map[string]string{"_person_state": "person_id", "_distinct_id_state": "distinct_id"}[suffix]+" FROM "+side+")"), side)
			}
			next := p.seal(messages(1, person("P", 7)))
			_, err := p.merger.Apply(t.Context(), next, &next.Tables[0])
			require.Error(t, err, "the doubled key is noticed by the next merge that touches it")
		})
	}
}

// overlap holds the script of one batch before its commit, and lets that of the other run. If it is to be cancelled, the
// first goes on as soon as it was.
func (p *people) overlap(edit func(string) string, one, two *batch.Manifest, cancelled bool) {
	p.Helper()
	warm := p.seal(messages(9, person("Z", 0))) // makes the side tables and the row of the status table
	p.expect(time.Time{}, messages(9, person("Z", 0)))
	_, err := p.merger.Apply(p.Context(), warm, &warm.Tables[0])
	require.NoError(p, err)
	held, release := make(chan struct{}, 1), make(chan struct{})
	p.faults.OnJob(bigquery.JobRule{JobID: mergeID(one, 1), Fault: bigquery.JobFault{Held: held, HoldRunning: release}})
	retried := p.faults.OnRequest(bigquery.RequestRule{Op: "jobs.insert", JobID: mergeID(two, 2)})
	again := retried.Hit()
	apply := func(m *batch.Manifest) <-chan error {
		merger, done := p.replica(edit), make(chan error, 1)
		go func() {
			done <- applyAll(p.Context(), merger, []*batch.Manifest{m})
		}()
		return done
	}
	first := apply(one)
	select {
	case <-held:
	case err := <-first:
		require.Fail(p, "ended before its commit", "%v", err)
	}
	second := apply(two)
	if cancelled {
		select {
		case <-again: // the next attempt of the one that was cancelled
		case err := <-second:
			require.Fail(p, "merged beside a script that had not committed", "%v", err)
		}
		close(release)
		require.NoError(p, <-second)
	} else {
		require.NoError(p, <-second)
		close(release)
	}
	require.NoError(p, <-first)
}

// mergeID is the job's ID.
func mergeID(m *batch.Manifest, attempt int) string {
	return fmt.Sprintf("%s-g%d", batch.ApplyJob(m, &m.Tables[0]).Base, attempt)
}

// Three replicas merge at the same time, each its share of the batches in any order: at the end the table is the fold.
func TestMerge_ReplicasAtTheSameTimeAreTheFold(t *testing.T) {
	for _, seed := range seeds(t) {
		for _, deletes := range []verify.Deletes{verify.DeletesMark, verify.DeletesRemove} {
			t.Run(fmt.Sprintf("%d/%s", seed, deletes), func(t *testing.T) {
				t.Parallel()
				t.Logf("seed %d", seed)
				r := rand.New(rand.NewPCG(seed, 3))
				p := newWorld(t, func(c *bigquery.Config) { c.Running = 200 * time.Millisecond }).people(variant{deletes: deletes, json: seed%2 == 0})
				again := p.faults.OnJob(bigquery.JobRule{Count: -1, When: func(c bigquery.JobCall) bool {
					return strings.Contains(c.JobID, "_apply-g") && !strings.HasSuffix(c.JobID, "-g1")
				}})
				lanes := denseLanes(r, 600)
				shares := make([][]*batch.Manifest, 3)
				for k := range steps(lanes) {
					pours := step(lanes, k)
					p.expect(time.Time{}, pours...)
					m := p.seal(slices.Concat(pours...))
					for _, i := range r.Perm(len(shares))[:1+r.IntN(2)] { // some batches twice, by different replicas
						shares[i] = append(shares[i], m)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				var g errgroup.Group
				for _, share := range shares {
					r.Shuffle(len(share), func(i, j int) { share[i], share[j] = share[j], share[i] })
					replica := p.replica(nil)
					g.Go(func() error { return applyAll(ctx, replica, share) })
				}
				require.NoError(t, g.Wait())
				require.NoError(t, p.compare())
				t.Logf("%d scripts were run again", again.Hits())
			})
		}
	}
}

// applyAll merges batches; what gives up is tried again, as production does.
func applyAll(ctx context.Context, replica *merge.Merger, share []*batch.Manifest) error {
	for _, m := range share {
		backoff := batch.Backoff{Min: 50 * time.Millisecond, Max: time.Second}
		for {
			rows, err := replica.Apply(ctx, m, &m.Tables[0])
			if err == nil && rows != m.Tables[0].Rows() {
				return fmt.Errorf("batch %s: %d rows; want %d", m.ID, rows, m.Tables[0].Rows())
			}
			if err == nil {
				break
			}
			if !batch.Expected(err) || !batch.Pause(ctx, backoff.Next()) {
				return err
			}
		}
	}
	return nil
}
