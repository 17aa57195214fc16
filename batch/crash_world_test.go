package batch

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// crashWorld is Kafka, the bucket and BigQuery for replicas that crash, are expelled and hand partitions over at any
// port call. All its randomness comes from the seed and from the names of the calls, so that it does not depend on which
// of two goroutines the scheduler runs first.
type crashWorld struct {
	seed    uint64
	plan    crashPlan
	streams map[string]uint64 // draws so far, per name

	mu        sync.Mutex
	offsets   map[TopicPartition]GroupOffset
	manifests map[ID][]byte
	decided   map[ID]*Manifest // every partition named it at one instant
	jobs      map[ID]*crashJob
	visible   map[ID]int
	members   []*crashMember
	owner     map[TopicPartition]*crashMember
	wish      map[TopicPartition]*crashMember // who is to have it next
	joined    int
	faults    int                     // left to happen
	touched   map[TopicPartition]bool // a person, or a deleted topic, has changed its offset
	stopped   map[TopicPartition]bool // a person has to decide
	wrong     error
}

// crashPlan is what a seed decides beforehand.
type crashPlan struct {
	Partitions, Replicas, Records, MaxBatches, Faults int
	Rate                                              float64 // of faults, per opportunity
	Seal                                              float64 // of seals, per turn of the poll loop
	Job, Call, Turn                                   time.Duration
	Meddle                                            bool // somebody changes offsets by other means than tidemark's
}

func newCrashWorld(seed uint64) *crashWorld {
	w := &crashWorld{
		seed: seed, streams: map[string]uint64{}, offsets: map[TopicPartition]GroupOffset{}, manifests: map[ID][]byte{},
		decided: map[ID]*Manifest{}, jobs: map[ID]*crashJob{}, visible: map[ID]int{},
		owner: map[TopicPartition]*crashMember{}, wish: map[TopicPartition]*crashMember{},
		touched: map[TopicPartition]bool{}, stopped: map[TopicPartition]bool{},
	}
	r := w.rand("plan")
	w.plan = crashPlan{
		Partitions: 1 + r.IntN(4), Replicas: 1 + r.IntN(3), Records: 1 + r.IntN(30), MaxBatches: 1 + r.IntN(4), Faults: r.IntN(24),
		Rate: 0.3 * r.Float64(), Seal: 0.05 + 0.6*r.Float64(),
		Job: time.Duration(r.IntN(2000)) * time.Millisecond, Call: time.Duration(1+r.IntN(100)) * time.Millisecond,
		Turn: time.Duration(1+r.IntN(200)) * time.Millisecond, Meddle: r.IntN(3) == 0,
	}
	w.faults = w.plan.Faults
	for p := range w.plan.Partitions {
		w.offsets[tp(int32(p))] = begun
	}
	return w
}

// rand returns the next source of randomness of a name; w.mu is held, or nothing runs yet.
func (w *crashWorld) rand(name string) *rand.Rand {
	w.streams[name]++
	h := fnv.New64a()
	fmt.Fprint(h, name, w.streams[name])
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// draw returns the next source of randomness of a name.
func (w *crashWorld) draw(name string) *rand.Rand {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rand(name)
}

// crashMember is one membership in the group, and the ports of its session's driver.
type crashMember struct {
	*crashWorld
	name    string
	cancel  context.CancelFunc // kills the process
	dead    bool               // nothing it does has an effect any more
	lost    time.Time          // when it learns that it was expelled
	stop    bool               // it is asked to hand over everything and leave
	delayed []Commit           // a request that the client gave up and the broker has not seen yet
}

var (
	errDead  = errors.New("process is dead")
	errCrash = errors.New("injected")
)

func (w *crashWorld) join(cancel context.CancelFunc) *crashMember {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.joined++
	m := &crashMember{crashWorld: w, name: fmt.Sprintf("m%d", w.joined), cancel: cancel}
	w.members = append(w.members, m)
	for _, t := range sortedKeys(w.offsets) {
		if w.rand(m.name+"join").IntN(w.plan.Replicas) == 0 {
			w.wish[t] = m
		}
	}
	w.rebalance()
	return m
}

// leave ends a membership: the group goes on without it. w.mu is held.
func (w *crashWorld) leave(m *crashMember) {
	w.members = slices.DeleteFunc(w.members, func(o *crashMember) bool { return o == m })
	for t, o := range w.owner {
		if o == m {
			w.owner[t] = nil
		}
		if w.wish[t] == m {
			w.wish[t] = nil
		}
	}
	w.rebalance()
}

// rebalance gives away the partitions that nobody has; w.mu is held. Requests of the generation before are refused.
func (w *crashWorld) rebalance() {
	for _, m := range w.members {
		m.delayed = nil
	}
	for _, t := range sortedKeys(w.offsets) {
		if w.owner[t] == nil && len(w.members) > 0 {
			w.owner[t] = w.members[w.rand("rebalance").IntN(len(w.members))]
			if wish := w.wish[t]; wish != nil && slices.Contains(w.members, wish) {
				w.owner[t] = wish
			}
			w.wish[t] = nil
		}
	}
}

// meddle does to a partition's offset what Kafka's own tools do while the group is empty, or what deleting a topic does at any
// time: it is gone, or somewhere else, and what named the batches is wiped out. w.mu is held.
func (w *crashWorld) meddle(r *rand.Rand) {
	t := tp(int32(r.IntN(w.plan.Partitions)))
	if !w.plan.Meddle {
		return
	}
	switch {
	case r.IntN(2) == 0:
		w.offsets[t] = GroupOffset{Offset: -1}
	case len(w.members) == 0:
		w.offsets[t] = GroupOffset{Offset: r.Int64N(int64(w.plan.Records) + 1)}
	default:
		return
	}
	w.touched[t] = true
}

// due decides whether one of the faults that are left happens now. w.mu is held.
func (w *crashWorld) due(r *rand.Rand) bool {
	if w.faults == 0 || r.Float64() > w.plan.Rate {
		return false
	}
	w.faults--
	return true
}

// mishap lets something happen at a call of m; w.mu is held. Its error is the call's.
func (w *crashWorld) mishap(m *crashMember, r *rand.Rand) error {
	if !w.due(r) {
		return nil
	}
	switch r.IntN(7) {
	case 0, 1:
		return errCrash
	case 6:
		w.meddle(r)
	case 2: // the group notices later
		m.dead = true
		m.cancel()
		time.AfterFunc(time.Duration(r.IntN(3000))*time.Millisecond, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.leave(m)
		})
		return errDead
	case 3:
		w.leave(m)
		m.lost = time.Now().Add(time.Duration(r.IntN(5000)) * time.Millisecond)
	case 4:
		t := tp(int32(r.IntN(w.plan.Partitions)))
		if len(w.members) > 0 {
			w.wish[t] = w.members[r.IntN(len(w.members))]
		}
	default:
		m.stop = true
	}
	return nil
}

// call runs an effect with mishaps before and after it.
func (m *crashMember) call(name string, effect func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rand(m.name + name)
	if m.dead {
		return errDead
	}
	if err := m.mishap(m, r); err != nil {
		return err
	}
	if err := effect(); err != nil {
		return err
	}
	if m.dead {
		return errDead
	}
	return m.mishap(m, r)
}

// slowCall is a call that takes time. It must not be made under the ownership lock: a goroutine that waits for a mutex
// holds up virtual time.
func (m *crashMember) slowCall(ctx context.Context, name string, effect func() error) error {
	if !Pause(ctx, 1+time.Duration(m.draw(m.name+name+"time").Int64N(int64(m.plan.Call)))) {
		return ctx.Err()
	}
	return m.call(name, effect)
}
