package batch

import (
	"cmp"
	"slices"
)

// Keys bound the keys among the rows of a table, so that a MERGE need not read what cannot match. They are values of records
// and must not be logged. A model without such a key leaves its bounds empty.
type Keys struct {
	FirstTeam       int64  `json:"first_team"`
	LastTeam        int64  `json:"last_team"`
	FirstPerson     string `json:"first_person,omitempty"`
	LastPerson      string `json:"last_person,omitempty"`
	FirstDistinctID string `json:"first_distinct_id,omitempty"`
	LastDistinctID  string `json:"last_distinct_id,omitempty"`
	// Persons and DistinctIDs are ranges that together hold every key, at most [MaxKeyRanges] of each. Manifests of before have
	// none, and then the bounds above are the one range.
	Persons     []KeyRange `json:"persons,omitempty"`
	DistinctIDs []KeyRange `json:"distinct_ids,omitempty"`
}

// MaxKeyRanges bounds the ranges of one kind of keys: each is a condition of the statement with four parameters.
const MaxKeyRanges = 16

// KeyRange holds the keys from First to Last of the teams from FirstTeam to LastTeam, bounds included. Ranges may overlap.
type KeyRange struct {
	FirstTeam int64  `json:"first_team"`
	LastTeam  int64  `json:"last_team"`
	First     string `json:"first"`
	Last      string `json:"last"`
}

// PersonRanges returns the ranges of the persons' ids; nothing if there are none among the rows.
func (k *Keys) PersonRanges() []KeyRange {
	return k.ranges(k.Persons, k.FirstPerson, k.LastPerson)
}

// DistinctIDRanges returns the ranges of the distinct ids; nothing if there are none among the rows.
func (k *Keys) DistinctIDRanges() []KeyRange {
	return k.ranges(k.DistinctIDs, k.FirstDistinctID, k.LastDistinctID)
}

func (k *Keys) ranges(known []KeyRange, first, last string) []KeyRange {
	if len(known) == 0 && last != "" {
		return []KeyRange{{k.FirstTeam, k.LastTeam, first, last}}
	}
	return known
}

// Teams returns the ranges of all teams, in order and apart from each other; only FirstTeam and LastTeam are set.
func (k *Keys) Teams() (teams []KeyRange) {
	all := slices.Concat(k.PersonRanges(), k.DistinctIDRanges())
	slices.SortFunc(all, func(a, b KeyRange) int { return cmp.Compare(a.FirstTeam, b.FirstTeam) })
	for _, r := range all {
		if n := len(teams) - 1; n >= 0 && r.FirstTeam <= teams[n].LastTeam+1 {
			teams[n].LastTeam = max(teams[n].LastTeam, r.LastTeam)
			continue
		}
		teams = append(teams, KeyRange{FirstTeam: r.FirstTeam, LastTeam: r.LastTeam})
	}
	return teams
}
