package batch

import (
	"flag"
	"fmt"
	"hash/maphash"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bounds of an exploration.
type bounds struct {
	partitions, records, replicas, batches int
	crashes, kicks, moves, interrupts      int
	losses                                 int  // of a partition's offset: a deleted topic, or a person with Kafka's tools
	torn                                   bool // commits may be taken in part
}

var exploreBounds = flag.String("explore", "2,1,2,2,1,0,1,1,0,true 2,1,2,2,1,1,0,0,0,true 2,2,2,2,0,0,1,0,0,false 2,1,2,2,1,0,1,0,1,true 2,1,2,2,0,1,0,0,2,false",
	"bounds of TestExplore's runs: partitions,records,replicas,batches,crashes,expulsions,hand-overs,interrupted take-overs,lost offsets,torn commits")

func parseBounds(s string) (b bounds, err error) {
	_, err = fmt.Sscanf(strings.ReplaceAll(s, ",", " "), "%d %d %d %d %d %d %d %d %d %t", &b.partitions, &b.records, &b.replicas,
		&b.batches, &b.crashes, &b.kicks, &b.moves, &b.interrupts, &b.losses, &b.torn)
	if err == nil && (b.partitions > maxPartitions || b.replicas > maxReplicas || b.batches > maxBatches || b.records > 7) {
		err = fmt.Errorf("at most %d partitions, %d replicas, %d batches", maxPartitions, maxReplicas, maxBatches)
	}
	return b, err
}

// TestExplore visits every state that the real Driver and Ledger can reach within the bounds, whatever the order in
// which replicas read, seal, prepare, apply, commit, crash, are expelled without knowing, and hand partitions over, and
// whenever the offset of a partition is deleted.
// In each: no record is visible twice, every committed record is visible, and a member believes of its partitions what
// Kafka has. Where nothing is left to do everything is visible once and committed.
func TestExplore(t *testing.T) {
	for text := range strings.FieldsSeq(*exploreBounds) {
		b, err := parseBounds(text)
		require.NoError(t, err)
		explore(t, b)
	}
}

func explore(t *testing.T, b bounds) {
	start := time.Now()
	x := &explorer{bounds: b, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, seen: make(map[[2]uint64]struct{})}
	x.run(t)
	if x.violation != nil {
		require.Fail(t, x.violation.Error(), "shortest path:\n  %s", strings.Join(x.path(), "\n  "))
	}
	t.Logf("holds: %d states, %d of them the end, %d transitions, %s; %+v", len(x.edges), x.ends, x.transitions, time.Since(start).Round(time.Millisecond), b)
}

// explorer searches breadth first, so that the path to a violation is the shortest.
type explorer struct {
	bounds      bounds
	seeds       [2]maphash.Seed // states are told apart by 128 bits of hash
	seen        map[[2]uint64]struct{}
	edges       []edge // how each state was first reached
	ends        int
	transitions int
	violation   error
	broken      edge // reaches the violation
}

type edge struct {
	parent  uint32
	ordinal uint16 // of the transition among the parent's successors
}

// reached is a state of the next level.
type reached struct {
	node node
	hash [2]uint64
	edge edge
	err  error
}

// hash is the same for two states that differ only in the numbers of replicas and batches: what follows differs in
// nothing else either.
func (x *explorer) hash(n node) [2]uint64 {
	c := n.canonical()
	least := x.hashOne(&c)
	for i := range x.bounds.replicas { // swapping pairs is every permutation of two, and half of those of three: enough to be sound
		for j := range i {
			swapped := c
			swapped.swap(i, j)
			if h := x.hashOne(&swapped); h[0] < least[0] {
				least = h
			}
		}
	}
	return least
}

func (x *explorer) hashOne(n *canonical) [2]uint64 {
	return [2]uint64{maphash.Comparable(x.seeds[0], *n), maphash.Comparable(x.seeds[1], *n)}
}

// chunk is how many states are expanded between two merges: it bounds the memory of successors that are not new.
const chunk = 20_000

func (x *explorer) run(t *testing.T) {
	root := initial(x.bounds)
	level := []reached{{node: root, hash: x.hash(root)}}
	x.seen[level[0].hash] = struct{}{}
	x.edges = append(x.edges, edge{})
	for first, depth := 0, 1; len(level) > 0 && x.violation == nil; depth++ {
		var next []reached
		for rest := level; len(rest) > 0 && x.violation == nil; {
			n := min(chunk, len(rest))
			next = x.merge(next, x.expand(rest[:n], first))
			first, rest = first+n, rest[n:]
		}
		if level = next; len(level) > 50*chunk {
			t.Logf("%d states after %d actions", len(x.edges), depth)
		}
	}
}

// expand finds the successors of one level, on all cores. Nothing it reads is written meanwhile.
func (x *explorer) expand(level []reached, first int) [][]reached {
	workers := runtime.GOMAXPROCS(0)
	found := make([][]reached, workers)
	counts := make([][2]int, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(level); i += workers {
				found[w] = x.successors(found[w], &level[i].node, first+i, &counts[w])
			}
		})
	}
	wg.Wait()
	for _, c := range counts {
		x.transitions, x.ends = x.transitions+c[0], x.ends+c[1]
	}
	return found
}

func (x *explorer) successors(found []reached, n *node, index int, counts *[2]int) []reached {
	ordinal, end := uint16(0), true
	n.successors(x.bounds, func(a action, next node, err error) {
		e := edge{uint32(index), ordinal}
		ordinal++
		counts[0]++
		if err == nil {
			err = next.check(x.bounds)
		}
		if err == nil && next == *n {
			return
		}
		end = end && !a.progress()
		h := x.hash(next)
		if _, ok := x.seen[h]; !ok || err != nil {
			found = append(found, reached{next, h, e, err})
		}
	})
	if end {
		counts[1]++
		if err := n.checkEnd(x.bounds); err != nil {
			found = append(found, reached{edge: edge{uint32(index), ordinal}, err: err})
		}
	}
	return found
}

func (x *explorer) merge(level []reached, found [][]reached) []reached {
	for _, rs := range found {
		for _, r := range rs {
			if r.err != nil {
				x.violation, x.broken = r.err, r.edge
				return level
			}
			if _, ok := x.seen[r.hash]; !ok {
				x.seen[r.hash] = struct{}{}
				x.edges = append(x.edges, r.edge)
				level = append(level, r)
			}
		}
	}
	return level
}

// path names the actions that lead to the violation.
func (x *explorer) path() (actions []string) {
	var ordinals []uint16
	for e := x.broken; ; e = x.edges[e.parent] {
		ordinals = append(ordinals, e.ordinal)
		if e.parent == 0 {
			break
		}
	}
	n := initial(x.bounds)
	for i := len(ordinals) - 1; i >= 0; i-- {
		from, ordinal := n, uint16(0)
		from.successors(x.bounds, func(a action, next node, _ error) {
			if ordinal == ordinals[i] {
				n = next
				actions = append(actions, a.String())
			}
			ordinal++
		})
	}
	return actions
}
