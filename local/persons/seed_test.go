package persons

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/local/verify"
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
