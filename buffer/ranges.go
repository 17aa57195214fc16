package buffer

import (
	"math"
	"sort"

	"tidemark/batch"
)

// ranges covers keys by a bounded number of ranges, one key at a time and without keeping the keys: a new key is a range of its
// own, and when there are too many, the two that are nearest to each other become one. Keys that are near each other, like those
// of persons created in one week, and single old ones far away are then told apart, where the lowest and the highest alone
// would span the whole table.
type ranges struct {
	list []span // in the order of team and key, apart from each other
}

// span is the keys of one range: from the first team's first key to the last team's last one, in the order in which BigQuery
// clusters. low and high bound the keys of all of its teams.
type span struct {
	firstTeam, lastTeam int64
	first, last         string
	low, high           string
}

// openRanges is how many there are while keys come, so that early keys do not decide alone which become one.
const openRanges = 4 * batch.MaxKeyRanges

// add covers a key. It allocates only if the key is in no range yet.
func (r *ranges) add(team int64, key []byte) {
	i := sort.Search(len(r.list), func(i int) bool {
		s := &r.list[i]
		return s.lastTeam > team || s.lastTeam == team && s.last >= string(key)
	})
	if i < len(r.list) {
		s := &r.list[i]
		if s.firstTeam < team || s.firstTeam == team && s.first <= string(key) {
			s.widen(key)
			return
		}
	}
	id := string(key)
	r.list = append(r.list, span{})
	copy(r.list[i+1:], r.list[i:])
	r.list[i] = span{team, team, id, id, id, id}
	r.reduce(openRanges)
}

func (s *span) widen(key []byte) {
	if string(key) < s.low {
		s.low = string(key)
	}
	if string(key) > s.high {
		s.high = string(key)
	}
}

// reduce joins neighbours until there are no more than most.
func (r *ranges) reduce(most int) {
	for len(r.list) > most {
		nearest, least := 0, math.Inf(1)
		for i := range len(r.list) - 1 {
			if d := distance(&r.list[i], &r.list[i+1]); d < least {
				nearest, least = i, d
			}
		}
		a, b := &r.list[nearest], r.list[nearest+1]
		a.lastTeam, a.last, a.low, a.high = b.lastTeam, b.last, min(a.low, b.low), max(a.high, b.high)
		r.list = append(r.list[:nearest+1], r.list[nearest+2:]...)
	}
}

// distance says how far apart two neighbours are, as a logarithm to base 2: of the difference of their keys as fractions in base
// 256. Teams are farther from each other than any keys.
func distance(a, b *span) float64 {
	if a.lastTeam != b.firstTeam {
		return 1 + math.Log2(float64(b.firstTeam-a.lastTeam))
	}
	same := 0
	for same < len(a.last) && same < len(b.first) && a.last[same] == b.first[same] {
		same++
	}
	return math.Log2(fraction(b.first[same:])-fraction(a.last[same:])) - 8*float64(same)
}

// fraction reads the first bytes of a text as a number from 0 to 1.
func fraction(text string) (f float64) {
	scale := 1.0
	for i := 0; i < len(text) && i < 6; i++ {
		scale /= 256
		f += float64(text[i]) * scale
	}
	return f
}

// covering returns what covers all keys.
func (r *ranges) covering() (all []batch.KeyRange) {
	r.reduce(batch.MaxKeyRanges)
	for _, s := range r.list {
		all = append(all, batch.KeyRange{FirstTeam: s.firstTeam, LastTeam: s.lastTeam, First: s.low, Last: s.high})
	}
	return all
}
