package persons

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/local/prove/verify"
)

// A table that another exporter has filled is taken over: what its rows say counts like messages that have come already.
func TestMerge_TakesOverATableThatAnotherExporterFilled(t *testing.T) {
	for _, seed := range seeds(t) {
		for _, v := range variantsOf(seed) {
			t.Run(fmt.Sprintf("%d/%s", seed, v), func(t *testing.T) {
				t.Parallel()
				t.Logf("seed %d", seed)
				r := rand.New(rand.NewPCG(seed, 3))
				p := newWorld(t).people(v)
				var told []message
				var lanes []lane
				for team := int64(1); team <= 1000; team++ {
					all := denseHistory(r, 4+r.IntN(12))
					rows := exported(all[:len(all)/2], v.deletes)
					told = append(told, messages(team, rows...)...)
					lanes = append(lanes, randomLane(r, fmt.Sprintf("there: %+v", rows), team, messages(team, unsaid(all, rows)...)))
				}
				p.expect(earlier(), told)
				p.insert(p.rows)
				n := len(p.rows)
				require.NoError(t, p.run(lanes))
				t.Logf("%d rows there, %d rows at the end", n, len(p.rows))
			})
		}
	}
}

// A16: somebody's table may have columns of the names that the seeding uses for its own.
func TestMerge_TakesOverATableWithColumnsCalledDeletedAndLatest(t *testing.T) {
	p := newWorld(t).peopleWith(variant{deletes: verify.DeletesMark}, fmt.Sprintf(allColumns, "STRING")+", deleted STRING, latest INT64, known BOOL, t INT64")
	p.insert(map[verify.PersonKey]verify.PersonRow{{Team: 1, DistinctID: "d"}: {PersonID: uuidOf("P"), MappingVersion: 3, PersonVersion: 3}})
	m := p.seal(messages(1, person("P", comes)))
	_, err := p.merger.Apply(t.Context(), m, &m.Tables[0])
	require.NoError(t, err)
	require.EqualValues(t, 1, p.scalar(fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE person_version = %d AND distinct_id = 'd'", p.sql(), comes)))
}

// Another exporter may have written a person's rows at different versions. Only the latest says whether the person is
// deleted.
func TestMerge_TakesOverRowsOfDifferentVersions(t *testing.T) {
	p := newWorld(t).people(variant{deletes: verify.DeletesMark})
	there := func(team int64, distinctID string, mapping, version int64, deleted bool) {
		p.insert(map[verify.PersonKey]verify.PersonRow{{Team: team, DistinctID: distinctID}: {
			PersonID: uuidOf("P"), MappingVersion: mapping, PersonVersion: version, IsDeleted: deleted,
		}})
	}
	there(1, "a", 0, 5, false) // the person was deleted later
	there(1, "b", 0, 107, true)
	there(2, "a", 0, 107, true) // the person has come back
	there(2, "b", 1, 108, false)
	all := append(messages(1, person("P", 107).gone()), messages(2, person("P", 109))...)
	m := p.seal(all)
	_, err := p.merger.Apply(t.Context(), m, &m.Tables[0])
	require.NoError(t, err)
	require.EqualValues(t, 2, p.scalar("SELECT COUNTIF(person_version = 107 AND is_deleted) FROM "+p.sql()+" WHERE team_id = 1"))
	require.EqualValues(t, 2, p.scalar("SELECT COUNTIF(person_version = 109 AND NOT is_deleted) FROM "+p.sql()+" WHERE team_id = 2"))
}

// A side table that another replica has just made again does not know the rows yet: nothing is merged before it does.
func TestMerge_WaitsForTheSeed(t *testing.T) {
	p := newWorld(t).people(variant{deletes: verify.DeletesMark})
	require.NoError(t, p.run([]lane{{"first", 1, [][]message{messages(1, mapping("d", "P", 0), person("P", 0))}}}))
	p.exec("DELETE FROM " + strings.Replace(p.sql(), p.name, p.name+"_person_state", 1) + " WHERE TRUE") // as if it were made again
	m := p.seal(messages(1, person("P", 1)))
	_, err := p.merger.Apply(t.Context(), m, &m.Tables[0])
	require.ErrorContains(t, err, "does not know the rows of the persons table yet")
	require.NoError(t, p.compare())
}

// exported are the facts that rows of PostHog's own export hold: the latest mappings with the latest versions of their
// persons. It does not look at whether a mapping is deleted. If deleted rows are to be removed, it has left out deleted
// persons, for nothing removes rows that no change touches.
func exported(all []fact, deletes verify.Deletes) (facts []fact) {
	latest := make(map[string]fact)
	for _, f := range all {
		if l, ok := latest[f.key()]; !ok || l.version < f.version {
			latest[f.key()] = f
		}
	}
	for _, key := range sorted(latest) {
		m := latest[key]
		p, known := latest[person(m.id, 0).key()]
		if m.mapped == "" || !known || p.deleted && deletes == verify.DeletesRemove {
			continue
		}
		m.deleted = false
		facts = append(facts, m, p)
	}
	return facts
}

// unsaid leaves out what contradicts the rows: that a mapping is deleted which they have in the same version.
func unsaid(all, rows []fact) (facts []fact) {
	said := make(map[string]bool)
	for _, f := range rows {
		said[fmt.Sprint(f.key(), f.version)] = true
	}
	for _, f := range all {
		if !(f.mapped != "" && f.deleted && said[fmt.Sprint(f.key(), f.version)]) {
			facts = append(facts, f)
		}
	}
	if facts == nil {
		facts = rows
	}
	if facts == nil {
		facts = []fact{person("P", 0)}
	}
	return facts
}
