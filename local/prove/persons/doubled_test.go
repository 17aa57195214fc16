package persons

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/local/prove/verify"
)

// A8: should the fence not hold, or somebody copy a row, a key is in a table twice. A merge that touches the key has no effect
// and says which table it is and what to do; merges of other keys go on. What the runbook says mends it.
func TestMerge_AKeyThatIsThereTwiceIsNotMergedOver(t *testing.T) {
	for suffix, c := range map[string]struct {
		insert, key, version string
		touches              []fact
	}{
		"_person_state":      {"team_id, person_id, version", "person_id", "version", []fact{person("P", 1)}},
		"_distinct_id_state": {"team_id, distinct_id, version, person_id", "distinct_id", "version", []fact{mapping("d", "P", 1)}},
		"":                   {"team_id, distinct_id, person_id, person_distinct_id_version, person_version", "distinct_id", "person_version", []fact{person("P", 1)}},
	} {
		t.Run("persons"+suffix, func(t *testing.T) {
			t.Parallel()
			p := newWorld(t).people(variant{deletes: verify.DeletesMark})
			merge := func(team int64, facts ...fact) error {
				m := p.seal(messages(team, facts...))
				_, err := p.merger.Apply(p.Context(), m, &m.Tables[0])
				return err
			}
			require.NoError(t, merge(1, person("P", 0), mapping("d", "P", 0), person("Q", 0), mapping("e", "Q", 0)))
			table := strings.Replace(p.sql(), p.name, p.name+suffix, 1)
			// The copy is as new as what comes, so that the MERGE changes neither row and would not fail by itself.
			values := strings.NewReplacer("person_distinct_id_version", "1", "person_version", "1", "version", "1").Replace(c.insert)
			id := map[string]string{"person_id": "person_id = '" + uuidOf("P") + "'", "distinct_id": "distinct_id = 'd'"}[c.key]
			p.exec("INSERT INTO " + table + " (" + c.insert + ") SELECT " + values + " FROM " + table + " WHERE team_id = 1 AND " + id)
			p.exec("UPDATE " + table + " SET " + c.version + " = 1 WHERE team_id = 1 AND " + id)

			before := p.scalar("SELECT COUNT(*) FROM " + p.sql() + " WHERE person_version = 1")
			err := merge(1, c.touches...)
			require.ErrorContains(t, err, p.name+suffix+"` has a key of this batch twice; stop all replicas")
			require.Equal(t, before, p.scalar("SELECT COUNT(*) FROM "+p.sql()+" WHERE person_version = 1"), "nothing of the batch is there")
			require.NoError(t, merge(1, person("Q", 1)), "other keys")
		})
	}
}
