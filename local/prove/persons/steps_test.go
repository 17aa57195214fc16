package persons

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// step returns the pours of the k-th batch of all lanes. Each lane's messages go to the two pours by turns, and those of
// all lanes are interleaved.
func step(lanes []lane, k int) (pours [][]message) {
	pours = make([][]message, 2)
	for i, more := 0, true; more; i++ {
		more = false
		for _, l := range lanes {
			if k < len(l.batches) && i < len(l.batches[k]) {
				pours[i%2] = append(pours[i%2], l.batches[k][i])
				more = true
			}
		}
	}
	return pours
}

func steps(lanes []lane) (n int) {
	for _, l := range lanes {
		n = max(n, len(l.batches))
	}
	return n
}

// run merges all lanes, one batch after the other, and returns the first difference from the fold.
func (p *people) run(lanes []lane) error {
	p.Helper()
	for k := range steps(lanes) {
		pours := step(lanes, k)
		if err := p.merge(p.seal(pours...), pours...); err != nil {
			return fmt.Errorf("batch %d of %d: %w\n%s", k+1, steps(lanes), err, culprit(lanes, err))
		}
	}
	return nil
}

// culprit describes the history that an error of compare is about.
func culprit(lanes []lane, err error) string {
	var d *difference
	if !errors.As(err, &d) {
		return ""
	}
	i := slices.IndexFunc(lanes, func(l lane) bool { return l.team == d.Team })
	if i < 0 {
		return "no history of the test"
	}
	text := lanes[i].name
	for _, b := range lanes[i].batches {
		text += "\n--"
		for _, m := range b {
			text += "\n" + string(m.Value)
		}
	}
	return text
}
