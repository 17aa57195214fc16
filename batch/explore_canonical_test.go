package batch

import (
	"cmp"
	"slices"
)

// canonical is what two states have in common if what can follow them is the same: drivers compare batch IDs, and know
// neither their own number nor a batch that nothing names any more.
type canonical struct {
	node
	visible [maxPartitions]uint8 // records of the batches that are forgotten
}

// canonical forgets the batches that nothing names and numbers the others by their ranges. Nothing else of a forgotten
// batch can matter: only a chain leads to a manifest.
func (n *node) canonical() (c canonical) {
	c.node = *n
	var named [maxBatches + 1]bool
	c.eachNumber(func(b *int8) { named[*b] = true })
	var order []int8
	for i := range int8(maxBatches) {
		if named[i+1] {
			order = append(order, i)
			continue
		}
		for p, r := range n.ranges[i] {
			for o := r.start; n.applied[i] && o < r.end; o++ {
				c.visible[p] |= 1 << o
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int8) int { return compareRanges(n.ranges[a], n.ranges[b]) })
	var number [maxBatches + 1]int8
	c.ranges, c.stored, c.applied = [maxBatches][maxPartitions]span{}, [maxBatches]bool{}, [maxBatches]bool{}
	for to, from := range order {
		number[from+1] = int8(to + 1)
		c.ranges[to], c.stored[to], c.applied[to] = n.ranges[from], n.stored[from], n.applied[from]
	}
	c.eachNumber(func(b *int8) { *b = number[*b] })
	return c
}

func compareRanges(a, b [maxPartitions]span) int {
	for p := range a {
		if d := cmp.Or(cmp.Compare(a[p].start, b[p].start), cmp.Compare(a[p].end, b[p].end)); d != 0 {
			return d
		}
		if a[p].in != b[p].in {
			if a[p].in {
				return 1
			}
			return -1
		}
	}
	return 0
}

// eachNumber visits every place that names a batch.
func (n *node) eachNumber(visit func(*int8)) {
	chain := func(at *place) {
		for i := range at.chain {
			visit(&at.chain[i])
		}
	}
	for p := range n.kafka {
		chain(&n.kafka[p])
	}
	for r := range n.replica {
		m := &n.replica[r]
		for p := range m.held {
			chain(&m.held[p].place)
		}
		for i := range m.entries {
			visit(&m.entries[i].batch)
		}
	}
}
