package merge

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

// persons turns the world's manifest into one of persons.
func (w *world) persons() *batch.Manifest {
	m := w.manifest()
	t := &m.Tables[0]
	t.Target.Model, t.Target.Table, t.Target.StatusTable = "persons", "persons", "tidemark_status"
	t.Target.Columns = personColumns(batch.JSONType, nil)
	t.Keys = &batch.Keys{FirstTeam: 2, LastTeam: 2, FirstPerson: "0", LastPerson: "1", FirstDistinctID: "a", LastDistinctID: "b"}
	w.tables["persons"] = &table{created: time.Now()}
	return m
}

// rows is how many a table has.
func (w *world) rows(name string) int64 {
	if t := w.tables[name]; t != nil {
		return int64(len(t.rows))
	}
	return 0
}

func (w *world) merger(s step) *Merger {
	return NewMerger("bucket", &view{w, s}, w.memory, slog.New(slog.DiscardHandler))
}

func TestMerger_MakesWhatItNeedsOnceAndMergesInOneScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.persons()
		merger := w.merger(calm)
		rows, err := merger.Apply(t.Context(), m, &m.Tables[0])
		require.NoError(t, err)
		require.EqualValues(t, 7, rows)
		base := batch.JobOf(m.ID, m.Tables[0].Target, "").Base
		require.Len(t, w.effects, 8)
		row, seed := w.effects[3], w.effects[6]
		require.True(t, strings.HasPrefix(row, batch.TableJob(m.Tables[0].Target, "fence").Base), row)
		require.True(t, strings.HasPrefix(seed, batch.TableJob(m.Tables[0].Target, "seed").Base), seed)
		require.Equal(t, []string{
			"create " + batch.StageTable(m.ID, m.Tables[0].Target, 1), base + "stage",
			"create persons_fence", row, "create persons_person_state", "create persons_distinct_id_state", seed, base + "merge",
		}, w.effects)

		effects := len(w.effects)
		rows, err = w.merger(calm).Apply(t.Context(), m, &m.Tables[0])
		require.NoError(t, err)
		require.EqualValues(t, 7, rows)
		require.Len(t, w.effects, effects, "whoever comes later changes nothing")
	})
}

// Every call fails once, before or after its effect, and a fresh process goes on: there is one script, from a stage that
// was loaded, and one row to conflict on.
func TestMerger_CrashAtEveryStepMergesOnce(t *testing.T) {
	for k := range 20 {
		for _, after := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				m := w.persons()
				_, _ = w.merger(faults(k, after)).Apply(t.Context(), m, &m.Tables[0]) // fails unless k is behind the end
				rows, err := w.merger(calm).Apply(t.Context(), m, &m.Tables[0])
				require.NoError(t, err, "%v", w.effects)
				require.EqualValues(t, 7, rows)
				require.Contains(t, w.jobs, batch.ApplyJob(m, &m.Tables[0]).Base)
				require.Len(t, w.tables["persons_fence"].rows, 1)
			})
		}
	}
}

// A table that somebody drops is made again at the next attempt, and the row of a new fence table by a new job.
func TestMerger_TablesDroppedAreMadeAgain(t *testing.T) {
	for _, dropped := range []string{"persons_fence", "persons_person_state", "persons_distinct_id_state"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			m := w.persons()
			merger := w.merger(calm)
			_, err := merger.Apply(t.Context(), m, &m.Tables[0])
			require.NoError(t, err)
			delete(w.tables, dropped)
			wait(time.Second)
			m.ID[15]++
			_, err = merger.Apply(t.Context(), m, &m.Tables[0])
			require.ErrorContains(t, err, "not found: table "+dropped)
			_, err = merger.Apply(t.Context(), m, &m.Tables[0])
			require.NoError(t, err)
		})
	}
}

// A view that somebody drops comes back with the next merge, although merges do not read it.
func TestMerger_ADroppedViewIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.persons()
		m.Tables[0].Target.View = true
		delete(w.tables, "persons")
		merger := w.merger(calm)
		for range 2 {
			_, err := merger.Apply(t.Context(), m, &m.Tables[0])
			require.NoError(t, err)
			require.Contains(t, w.tables, "persons")
			delete(w.tables, "persons")
			wait(time.Second)
			m.ID[15]++
		}
	})
}

func TestMerger_OneScriptAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		running := 0
		merger := w.merger(func(call string, effect func() error) error {
			if call == "query" {
				running++
				require.Equal(t, 1, running)
				wait(time.Minute)
				defer func() { running-- }()
			}
			return effect()
		})
		m := w.persons()
		for i := range 5 {
			other := *m
			other.ID[15] += byte(i)
			go func() {
				_, err := merger.Apply(t.Context(), &other, &other.Tables[0])
				require.NoError(t, err)
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := merger.Apply(ctx, m, &m.Tables[0])
		require.ErrorIs(t, err, context.DeadlineExceeded, "waiting for the turn ends with the context")
		wait(time.Hour)
	})
}

// The fence is a table of its own, so merging needs no status table and leaves it alone.
func TestMerger_NeedsNoStatusTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.persons()
		m.Tables[0].Target.StatusTable = ""
		_, err := w.merger(calm).Apply(t.Context(), m, &m.Tables[0])
		require.NoError(t, err)
		require.NotContains(t, w.tables, "tidemark_status")
	})
}

// Versions before the fence table conflict on the row of the status table. While they may still run, merges and seeds
// update that row, too: for a day from when the fence table was made, if the side tables are older.
func TestMerger_ExcludesOlderVersionsForADayAfterAnUpgrade(t *testing.T) {
	for name, c := range map[string]struct {
		sides    time.Duration // the age of the side tables when the fence is made; 0: there are none
		after    time.Duration
		together bool
	}{
		"all is new":                 {0, time.Second, false},
		"the side tables are older":  {time.Hour, time.Second, true},
		"a restart in the same day":  {time.Hour, 23 * time.Hour, true},
		"the upgrade is a day ago":   {time.Hour, alongside, false},
		"the fence table came first": {-time.Second, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				m := w.persons()
				w.tables["tidemark_status"] = &table{created: time.Now().Add(-time.Hour), rows: []string{"row"}}
				if c.sides != 0 {
					w.tables["persons_person_state"] = &table{created: time.Now().Add(-c.sides)}
				}
				_, err := w.merger(calm).Apply(t.Context(), m, &m.Tables[0])
				require.NoError(t, err)
				require.Equal(t, c.sides > 0, strings.Contains(w.sent["seed"], "UPDATE `acme-prod.posthog.tidemark_status`"), w.sent["seed"])
				wait(c.after)
				m.ID[15]++
				_, err = w.merger(calm).Apply(t.Context(), m, &m.Tables[0])
				require.NoError(t, err)
				require.Equal(t, c.together, strings.Contains(w.sent["apply"], "UPDATE `acme-prod.posthog.tidemark_status`"), w.sent["apply"])
				require.Contains(t, w.sent["apply"], "UPDATE `acme-prod.posthog.persons_fence`")
				m.ID[15]++
				merger := w.merger(calm)
				_, err = merger.Apply(t.Context(), m, &m.Tables[0])
				require.NoError(t, err)
				m.ID[15]++
				m.Tables[0].Target.StatusTable = "" // the configuration was changed meanwhile
				_, err = merger.Apply(t.Context(), m, &m.Tables[0])
				require.NoError(t, err)
			})
		})
	}
}

func TestMerger_EvidenceTellsTheScriptFromTheStage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.persons()
		refuse := func(call string, effect func() error) error {
			if call == "query" {
				return errFault
			}
			return effect()
		}
		_, err := w.merger(refuse).Apply(t.Context(), m, &m.Tables[0])
		require.ErrorIs(t, err, errFault)
		evidence, err := w.merger(calm).Evidence(t.Context(), m, &m.Tables[0])
		require.NoError(t, err)
		require.Equal(t, batch.Staged, evidence.State, "a loaded stage is not in the table, and proves the decision")
		_, err = w.merger(calm).Apply(t.Context(), m, &m.Tables[0])
		require.NoError(t, err)
		evidence, err = w.merger(calm).Evidence(t.Context(), m, &m.Tables[0])
		require.NoError(t, err)
		require.Equal(t, batch.Succeeded, evidence.State)
	})
}

func TestStatus_PublishMakesItsRowFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.persons()
		s := NewStatusTable(&view{w, calm}, "g")
		require.NoError(t, s.Publish(t.Context(), m.Tables[0].Target, time.Time{}, time.Now(), m))
		require.NoError(t, s.Publish(t.Context(), m.Tables[0].Target, time.Time{}, time.Now(), nil))
		require.Len(t, w.effects, 4, "%v", w.effects)

		refused := errors.New("refused")
		s = NewStatusTable(&view{w, func(string, func() error) error { return refused }}, "g")
		require.ErrorIs(t, s.Publish(t.Context(), m.Tables[0].Target, time.Time{}, time.Now(), m), refused)
	})
}
