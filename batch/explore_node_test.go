package batch

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Array sizes of a node; the bounds of a run stay below them.
const (
	maxPartitions = 3
	maxReplicas   = 3
	maxBatches    = 4
)

// node is one state of the whole system as plain, comparable data: what Kafka, the bucket and BigQuery hold, and what
// every replica has in memory. Drivers are built from it and read back into it around each step.
type node struct {
	kafka   [maxPartitions]place
	owner   [maxPartitions]int8 // replica + 1; 0 while unassigned
	batches int8                // sealed so far
	ranges  [maxBatches][maxPartitions]span
	stored  [maxBatches]bool // its manifest is in the bucket
	applied [maxBatches]bool
	replica [maxReplicas]memory

	lost [maxPartitions]bool // its offset was deleted once

	crashes, kicks, moves, interrupts, losses int8 // that have happened
}

// place is a partition's committed offset and chain: batch number + 1, 0 ends it.
type place struct {
	gone      bool // Kafka has no offset
	committed int8
	chain     [maxBatches]int8
}

type span struct {
	in         bool
	start, end int8
}

// memory is a replica's: its ledger, its entries, and the consumer's side of it.
type memory struct {
	member bool // false: the group has gone on without it and it does not know
	held   [maxPartitions]struct {
		yes bool
		place
	}
	cursor [maxPartitions]struct {
		taken      bool // consumed, from Position.Offset on
		start, pos int8
	}
	entries [maxBatches]struct {
		batch             int8 // number + 1
		state             State
		driven, committed bool
		pending           bool // its goroutine has not ended
	}
}

// swap exchanges the numbers of two replicas.
func (n *node) swap(i, j int) {
	n.replica[i], n.replica[j] = n.replica[j], n.replica[i]
	for p, o := range n.owner {
		switch o {
		case int8(i + 1):
			n.owner[p] = int8(j + 1)
		case int8(j + 1):
			n.owner[p] = int8(i + 1)
		}
	}
}

func initial(b bounds) (n node) {
	for r := range b.replicas {
		n.replica[r].member = true
	}
	return n
}

// visible counts how often every record is in BigQuery.
func (n *node) visible() (count [maxPartitions][8]int8) {
	for i := range n.batches {
		if !n.applied[i] {
			continue
		}
		for p, r := range n.ranges[i] {
			for o := r.start; o < r.end; o++ {
				count[p][o]++
			}
		}
	}
	return count
}

// check says what is wrong with a state.
func (n *node) check(b bounds) error {
	visible := n.visible()
	for p := range b.partitions {
		for o, count := range visible[p] {
			switch {
			case count > 1:
				return fmt.Errorf("record %d of partition %d is visible %d times", o, p, count)
			case count == 0 && o < int(n.kafka[p].committed):
				return fmt.Errorf("record %d of partition %d is committed and not visible", o, p)
			}
		}
		for r := range b.replicas {
			m := n.replica[r]
			if m.member && m.held[p].yes && n.owner[p] == int8(r+1) && !n.kafka[p].gone && m.held[p].place != n.kafka[p] {
				return fmt.Errorf("r%d believes %v of partition %d and Kafka has %v", r, m.held[p].place, p, n.kafka[p])
			}
		}
	}
	return nil
}

// checkEnd says what is missing from a state in which nothing is left to do.
func (n *node) checkEnd(b bounds) error {
	visible := n.visible()
	for r := range b.replicas {
		if e := n.replica[r].entries[0]; n.replica[r].member && e.batch != 0 {
			return fmt.Errorf("stuck: r%d still has batch %d, %s", r, e.batch-1, e.state)
		}
	}
	for p := range b.partitions {
		if n.waits(p) {
			continue
		}
		if n.kafka[p].chain != ([maxBatches]int8{}) {
			return fmt.Errorf("stuck: partition %d has %v", p, n.kafka[p])
		}
		for o := range b.records {
			committed := int(n.kafka[p].committed) > o
			if committed != (visible[p][o] == 1) {
				return fmt.Errorf("stuck: record %d of partition %d is visible %d times, partition at %d", o, p, visible[p][o], n.kafka[p].committed)
			}
			if !committed && int(n.batches) < b.batches {
				return fmt.Errorf("stuck: record %d of partition %d was never consumed", o, p)
			}
		}
	}
	return nil
}

// waits says that a person may have to decide before the partition goes on: its offset was deleted once, or that of a
// partition with which it shares a batch that it names.
func (n *node) waits(p int) bool {
	for q, lost := range n.lost {
		if !lost {
			continue
		}
		if p == q {
			return true
		}
		for _, c := range n.kafka[p].chain {
			if c != 0 && n.ranges[c-1][q].in {
				return true
			}
		}
	}
	return false
}

// number is the inverse of batchID.
func number(id ID) int8 { return int8(id[15]) - 1 }

func batchID(n int8) ID { return ID{6: 0x70, 15: byte(n + 1)} }

// clock of a partition whose records before offset are known.
func clock(offset int8) time.Time {
	if offset == 0 {
		return time.Time{}
	}
	return time.UnixMilli(1000 + int64(offset)).UTC()
}

// manifest builds batch i's manifest.
func (n *node) manifest(i int8) *Manifest {
	m := &Manifest{Version: ManifestVersion, ID: batchID(i), Group: "g", Reason: "boundary"}
	for p, r := range n.ranges[i] {
		if r.in {
			m.Ranges = append(m.Ranges, Range{TopicPartition: tp(int32(p)), Start: int64(r.start), End: int64(r.end),
				Records: int64(r.end - r.start), Clock: clock(r.end)})
		}
	}
	if n.stored[i] {
		m.Contents, _ = (&rows{manifest: m}).Finish(context.Background())
	}
	return m
}

// metadata is the parsed form of a place.
func (n *node) metadata(p int, at place) Metadata {
	meta := Metadata{Clock: clock(at.committed)}
	for _, c := range at.chain {
		if c != 0 {
			meta.Chain = append(meta.Chain, Link{batchID(c - 1), int64(n.ranges[c-1][p].end)})
		}
	}
	return meta
}

// place is the inverse of metadata.
func (n *node) place(p int, committed int64, meta Metadata) place {
	at := place{committed: int8(committed)}
	for i, l := range meta.Chain {
		b := number(l.Batch)
		if r := n.ranges[b][p]; !r.in || int64(r.end) != l.End {
			panic(fmt.Sprintf("chain of partition %d ends batch %d at %d, its range is %v", p, b, l.End, r))
		}
		at.chain[i] = b + 1
	}
	return at
}

// driver builds replica r's driver around the ports.
func (n *node) driver(r int, ports Ports) (*Driver, map[*entry]bool) {
	d := NewDriver(exploreConfig, ports, discard)
	pending := make(map[*entry]bool)
	m := &n.replica[r]
	for p, h := range m.held {
		if h.yes {
			d.ledger.Hold(tp(int32(p)), GroupOffset{Offset: int64(h.committed)}, n.metadata(p, h.place))
		}
	}
	for _, k := range m.entries {
		if k.batch == 0 {
			break
		}
		b := n.manifest(k.batch - 1)
		e := &entry{manifest: b, unfinished: &rows{manifest: b}, prepared: make(chan struct{}), state: k.state, driven: k.driven, committed: k.committed}
		if k.state != Sealed {
			close(e.prepared)
		}
		d.batches = append(d.batches, e)
		pending[e] = k.pending
	}
	return d, pending
}

// remember reads replica r's driver back. Batches that Run was asked to finish have a goroutine from now on.
func (n *node) remember(r int, d *Driver, pending map[*entry]bool) {
	select {
	case <-d.decided:
		for _, e := range d.takeDecided() {
			pending[e] = true
		}
	default:
	}
	m := &n.replica[r]
	for p := range m.held {
		m.held[p].yes, m.held[p].place = false, place{}
		if h := d.ledger.held[tp(int32(p))]; h != nil {
			m.held[p].yes, m.held[p].place = true, n.place(p, h.committed, h.meta)
		}
	}
	clear(m.entries[:])
	for i, e := range d.batches {
		k := &m.entries[i]
		k.batch, k.state, k.driven, k.committed, k.pending = number(e.manifest.ID)+1, e.state, e.driven, e.committed, pending[e]
	}
}

// A field that a node does not know would be lost between two steps. healed is about time only, and leader epochs go along with
// offsets.
func TestExplore_KnowsEveryFieldOfADriver(t *testing.T) {
	for _, c := range []struct {
		of   any
		want []string
	}{
		{Driver{}, []string{"cfg", "ports", "log", "sealed", "decided", "idle", "dead", "why", "mu", "ledger", "batches", "healed", "view"}},
		{entry{}, []string{"manifest", "unfinished", "prepared", "state", "since", "driven", "attempts", "err", "committed"}},
		{Ledger{}, []string{"held"}},
		{holding{}, []string{"committed", "epoch", "meta"}},
		{Metadata{}, []string{"Clock", "Chain", "Foreign"}},
	} {
		var got []string
		for i := range reflect.TypeOf(c.of).NumField() {
			got = append(got, reflect.TypeOf(c.of).Field(i).Name)
		}
		require.Equal(t, c.want, got, "%T: teach explore_node_test.go about it", c.of)
	}
}
