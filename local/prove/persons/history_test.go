package persons

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"

	"tidemark/local/emulate/stack"
	"tidemark/local/generator"
)

// fact is what a message says, apart from the team: a version has one content, as in PostHog.
type fact struct {
	id      string // of the person
	mapped  string // the distinct id of a mapping; empty if the fact is about the person
	version int64
	deleted bool
	empty   bool // no properties
}

func person(id string, version int64) fact { return fact{id: id, version: version} }
func mapping(distinctID, id string, v int64) fact {
	return fact{mapped: distinctID, id: id, version: v}
}
func (f fact) gone() fact       { f.deleted = true; return f }
func (f fact) bare() fact       { f.empty = true; return f }
func uuidOf(id string) string   { return fmt.Sprintf("0198f0a2-9d00-7c31-8f7e-%012x", id) }
func (f fact) key() string      { return f.mapped + "/" + map[bool]string{true: f.id}[f.mapped == ""] }
func (f fact) document() string { return fmt.Sprintf(`{"is":"%s %d"}`, f.id, f.version) }
func messages(team int64, facts ...fact) (m []message) {
	for _, f := range facts {
		m = append(m, f.message(team))
	}
	return m
}

// message writes a fact as PostHog does. All content follows from key and version.
func (f fact) message(team int64) message {
	deleted := map[bool]int{true: 1}[f.deleted]
	if f.mapped != "" {
		return message{Topic: stack.DistinctIDsTopic, Value: fmt.Appendf(nil, `{"team_id":%d,"distinct_id":%q,"person_id":%q,"version":%d,"is_deleted":%d}`,
			team, f.mapped, uuidOf(f.id), f.version, deleted)}
	}
	properties := strconv.Quote(f.document())
	if f.empty {
		properties = `"{}"`
	}
	return message{Topic: stack.PersonsTopic, Value: fmt.Appendf(nil, `{"id":%q,"created_at":"2026-08-30 09:10:%02d","properties":%s,"team_id":%d,"is_identified":%d,"is_deleted":%d,"version":%d}`,
		uuidOf(f.id), f.version%60, properties, team, f.version%2, deleted, f.version)}
}

// tinySets are the histories that are tried in every order and every division into batches.
func tinySets() map[string][]fact {
	return map[string][]fact{
		"merge":                  {mapping("d", "S", 0), mapping("d", "T", 1), person("S", 0), person("S", 100).gone(), person("T", 1)},
		"split":                  {mapping("d", "P", 0), mapping("d", "Q", 101), person("P", 0), person("Q", 0), person("P", 1)},
		"delete and return":      {mapping("d", "P", 0), mapping("d", "P", 100).gone(), person("P", 0), person("P", 100).gone().bare(), person("P", 101)},
		"mapping returns":        {mapping("d", "P", 0), mapping("d", "P", 100).gone(), mapping("d", "P", 101), person("P", 7)},
		"by nobody and back":     {mapping("d", "P", 0), mapping("d", "N", 1), mapping("d", "P", 2), person("P", 0)},
		"two of one":             {mapping("d", "P", 0), mapping("e", "P", 1), person("P", 0), person("P", 1)},
		"halves":                 {person("P", 0), person("Q", 1), mapping("d", "P", 0), mapping("e", "N", 0)},
		"deleted before mapping": {person("P", 100).gone(), person("P", 3), mapping("d", "P", 0), mapping("d", "Q", 1), person("Q", 100).gone().bare()},
		"version repeated":       {person("P", 0), person("P", 0), mapping("d", "P", 1), mapping("d", "P", 1), person("P", 1)},
	}
}

// lane is one history in one order and division. It has its teams to itself.
type lane struct {
	name    string
	team    int64 // the first of them
	batches [][]message
}

// everyLane returns all orders of all sets, each in all divisions into batches.
func everyLane() (lanes []lane) {
	team, sets := int64(0), tinySets()
	for _, name := range sorted(sets) {
		for order := range permutations(len(sets[name])) {
			for cuts := range 1 << (len(order) - 1) {
				team++
				var facts []fact
				for _, i := range order {
					facts = append(facts, sets[name][i])
				}
				lanes = append(lanes, lane{fmt.Sprintf("%s %v %b", name, order, cuts), team, cutAt(messages(team, facts...), cuts)})
			}
		}
	}
	return lanes
}

// permutations yields every order of n.
func permutations(n int) func(yield func([]int) bool) {
	return func(yield func([]int) bool) {
		order := make([]int, 0, n)
		var extend func() bool
		extend = func() bool {
			if len(order) == n {
				return yield(slices.Clone(order))
			}
			for i := range n {
				if slices.Contains(order, i) {
					continue
				}
				order = append(order, i)
				if !extend() {
					return false
				}
				order = order[:len(order)-1]
			}
			return true
		}
		extend()
	}
}

// cutAt divides messages: bit i of cuts says that a batch ends behind message i.
func cutAt(all []message, cuts int) (batches [][]message) {
	from := 0
	for i := range all {
		if cuts>>i&1 == 1 || i == len(all)-1 {
			batches, from = append(batches, all[from:i+1]), i+1
		}
	}
	return batches
}

// denseHistory invents facts about few keys with few versions, so that nearly everything collides. What it tells need
// not make sense to PostHog: the latest of each key counts in any case.
func denseHistory(r *rand.Rand, n int) (facts []fact) {
	ids, distinct, versions := 1+r.IntN(3), 1+r.IntN(3), 1+r.Int64N(5)
	known := map[string]fact{} // what a version says
	for range n {
		f := person("PQR"[r.IntN(ids):][:1], r.Int64N(versions))
		if r.IntN(2) == 0 {
			f = mapping("def"[r.IntN(distinct):][:1], "PQRN"[r.IntN(ids+1):][:1], r.Int64N(versions))
		}
		if r.IntN(4) == 0 {
			f.version += 100
		}
		f.deleted, f.empty = r.IntN(4) == 0, r.IntN(6) == 0
		key := fmt.Sprint(f.key(), f.version)
		if said, ok := known[key]; ok {
			f = said // a repeat
		}
		known[key] = f
		facts = append(facts, f)
	}
	return facts
}

// realHistory returns what PostHog would send about a few users of two teams, malformed messages among them.
func realHistory(r *rand.Rand, team int64, n int) []message {
	all := generator.PersonHistory(r.Uint64(), n)
	for i := range all {
		all[i].Value = inTeam.ReplaceAllFunc(all[i].Value, func(found []byte) []byte {
			digits := bytes.Trim(found[len(`"team_id":`):], ` "`)
			n, _ := strconv.ParseInt(string(digits), 10, 64) // the expression admits digits only
			return bytes.Replace(found, digits, strconv.AppendInt(nil, team+n-1, 10), 1)
		})
	}
	return all
}

var inTeam = regexp.MustCompile(`"team_id": ?"?[0-9]+"?`)

// randomBatches is how many batches a random history has: as many as others, so that all batches have many teams, whose
// rows then share a few parts.
const randomBatches = 8

// randomLane shuffles messages, repeats some of them, divides them, and repeats whole batches at the end.
func randomLane(r *rand.Rand, name string, team int64, all []message) lane {
	for range r.IntN(1 + len(all)/3) {
		all = append(all, all[r.IntN(len(all))])
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	l := lane{name: name, team: team}
	most := 1 + r.IntN(len(all))
	for len(all) > 0 {
		n := min(len(all), 1+r.IntN(most))
		if len(l.batches) == randomBatches-1 {
			n = len(all)
		}
		l.batches, all = append(l.batches, all[:n]), all[n:]
	}
	for len(l.batches) < randomBatches {
		l.batches = append(l.batches, l.batches[r.IntN(len(l.batches))])
	}
	return l
}
