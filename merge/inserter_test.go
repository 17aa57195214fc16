package merge

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tidemark/batch"
)

func TestInserter_MovesRowsThroughOneStage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.manifest()
		rows, err := w.apply(m)
		require.NoError(t, err)
		require.EqualValues(t, 7, rows)
		w.checkOnce()
		require.Len(t, w.tables, 1, "the stage is dropped")
		base := batch.JobOf(m.ID, m.Tables[0].Target, "").Base
		require.Equal(t, []string{"create " + batch.StageTable(m.ID, m.Tables[0].Target, 1), base + "stage", base + "insert"}, w.effects)
	})
}

func TestInserter_RepeatedRunLooksAtTheInsertOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.manifest()
		_, err := w.apply(m)
		require.NoError(t, err)
		effects, calls := len(w.effects), []string(nil)
		w.step = func(call string, effect func() error) error { calls = append(calls, call); return effect() }
		rows, err := w.apply(m)
		require.NoError(t, err)
		require.EqualValues(t, 7, rows)
		require.Equal(t, []string{"find"}, calls)
		require.Len(t, w.effects, effects)
	})
}

// Every call fails once, before or after its effect, and then the next process fails at every call, too; in between the
// stage may expire.
func TestInserter_CrashAtEveryStepLeavesRowsOnce(t *testing.T) {
	const calls = 10 // more than one run makes
	for first := range calls {
		for second := range calls + 3 {
			for variant := range 8 {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					m := w.manifest()
					w.step = faults(first, variant&1 > 0)
					_, _ = w.apply(m) // fails, unless the fault is in the drop or behind the end
					if variant&4 > 0 {
						wait(stageLife + time.Hour)
					}
					w.step = faults(second, variant&2 > 0)
					_, _ = w.apply(m)
					w.step = calm
					rows, err := w.apply(m)
					require.NoError(t, err, "%v", w.effects)
					require.EqualValues(t, 7, rows)
					w.checkOnce()
				})
			}
		}
	}
}

// Replicas work side by side with random delays and faults, and the table may refuse every INSERT for days. One replica
// sleeps for longer than a stage lives, anywhere: it may re-create a stage that was loaded and has expired, which must
// not be taken for the one that was loaded.
func TestInserter_ConcurrentReplicasLeaveRowsOnce(t *testing.T) {
	for range 300 {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			m := w.manifest()
			r := &source{rand: rand.New(rand.NewPCG(seed, 0))}
			w.refused = time.Now().Add(time.Duration(r.intN(120)-30) * time.Hour)
			var g errgroup.Group
			for i := range 3 {
				in := w.processOf(storm(r, i == 0))
				g.Go(func() error {
					for {
						rows, err := in.Apply(t.Context(), m, &m.Tables[0])
						if err == nil && rows == 7 || errors.Is(err, batch.ErrMiscount) {
							return err
						}
						wait(time.Duration(r.intN(180)) * time.Minute)
					}
				})
			}
			require.NoError(t, g.Wait(), "seed %d: %v", seed, w.effects)
			w.checkOnce()
		})
	}
}

func TestInserter_ExpiredStageIsReplacedUnderANewName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.manifest()
		w.step = func(call string, effect func() error) error {
			if call == "query" {
				return errFault
			}
			return effect()
		}
		_, err := w.apply(m)
		require.ErrorIs(t, err, errFault)
		wait(stageLife)
		_, err = w.apply(m)
		require.ErrorIs(t, err, errFault)
		base := batch.JobOf(m.ID, m.Tables[0].Target, "").Base
		require.Equal(t, []string{
			"create " + batch.StageTable(m.ID, m.Tables[0].Target, 1), base + "stage",
			"expire " + batch.StageTable(m.ID, m.Tables[0].Target, 1),
			"create " + batch.StageTable(m.ID, m.Tables[0].Target, 2), base + "stage2",
		}, w.effects)
	})
}

// A sleeps between its look at the load and its creation of the stage; B loads the stage meanwhile, and it expires. A
// makes the table again, empty, and its load attaches to B's, which says 7 rows. An INSERT from that table would succeed.
func TestInserter_StageMadeAgainAfterItsLoadIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.manifest()
		w.refused = time.Now().Add(stageLife)
		looks := 0
		a := w.processOf(func(call string, effect func() error) error {
			err := effect()
			if looks++; looks == 2 { // at the insert, at the load
				wait(stageLife + 2*time.Hour)
			}
			return err
		})
		var g errgroup.Group
		g.Go(func() error {
			_, err := a.Apply(t.Context(), m, &m.Tables[0])
			return err
		})
		wait(time.Hour)
		_, err := w.apply(m)
		require.ErrorContains(t, err, "access denied")
		require.ErrorContains(t, g.Wait(), "gone right after its load")
		require.Empty(t, w.tables[target].rows)
		_, err = w.apply(m)
		require.NoError(t, err)
		w.checkOnce()
		require.Contains(t, w.effects, "create "+batch.StageTable(m.ID, m.Tables[0].Target, 2))
	})
}

func TestInserter_TablesThatVanishAtOnceAreAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.manifest()
		w.step = func(call string, effect func() error) error {
			if call == "created" {
				w.tables = map[string]*table{target: w.tables[target]}
			}
			return effect()
		}
		_, err := w.apply(m)
		require.ErrorContains(t, err, "gone right after its load")
		require.Empty(t, w.tables[target].rows)
	})
}

func TestInserter_MiscountStopsBeforeTheInsert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.manifest()
		m.Tables[0].Parts[0].Rows = 4
		_, err := w.apply(m)
		require.ErrorIs(t, err, batch.ErrMiscount)
		require.ErrorContains(t, err, "loaded 7 rows into the stage and the parts have 8")
		require.Empty(t, w.tables[target].rows)
	})
}

func TestInserter_EvidenceTellsTheInsertFromTheStage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.manifest()
		w.step = func(call string, effect func() error) error {
			if call == "query" {
				return errFault
			}
			return effect()
		}
		_, err := w.apply(m)
		require.Error(t, err)
		effects := len(w.effects)
		evidence, err := w.process().Evidence(t.Context(), m, &m.Tables[0])
		require.NoError(t, err)
		require.Equal(t, batch.Staged, evidence.State, "a loaded stage is not in the table, and proves the decision")
		require.Len(t, w.effects, effects)

		w.step = calm
		_, err = w.apply(m)
		require.NoError(t, err)
		evidence, err = w.process().Evidence(t.Context(), m, &m.Tables[0])
		require.NoError(t, err)
		require.Equal(t, batch.Succeeded, evidence.State)

		w.step = func(string, func() error) error { return errFault }
		_, err = w.process().Evidence(t.Context(), m, &m.Tables[0])
		require.ErrorIs(t, err, errFault, "not knowing is not a no")
	})
}

func TestInserter_TableWithoutPartsIsApplied(t *testing.T) {
	w := newWorld(t)
	m := w.manifest()
	m.Tables[0].Parts = nil
	rows, err := w.apply(m)
	require.NoError(t, err)
	require.Zero(t, rows)
	require.Empty(t, w.effects)
}
