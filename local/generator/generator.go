package generator

import (
	"math"
	"time"
)

// What a random sequence is for, so that two sequences of one index differ.
const (
	purposeKind uint64 = iota
	purposeEvent
	purposePerson
	purposeSession
	purposeDuplicate
	purposeMalformed
)

// duplicateWindow is how many messages back a repeated one may lie: half of them
// within 1,000, as when a producer retries a request, and the rest within this.
const duplicateWindow = 50_000

// Generator makes messages. It is immutable, and safe for concurrent use.
type Generator struct {
	cfg   Config
	words words
	teams alias
	// limits are the upper bounds of the kinds' shares of a random word.
	malformed, oversized, duplicate, late uint64
}

// Message is one Kafka message. Key and Value lie in the buffer that Append
// returned.
type Message struct {
	Key   []byte // the event's UUID as text, also for malformed messages
	Value []byte
	Kind  Kind
	AI    bool // the name starts with $ai_, for the header productTrack
}

// New returns a generator, or all faults of the configuration.
func New(cfg Config) (*Generator, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	g := &Generator{cfg: cfg, words: newWords(), teams: newZipf(cfg.Teams, 1.1)}
	sum := 0.0
	limit := func(fraction float64) uint64 {
		sum = min(sum+fraction, 1)
		if sum == 1 {
			return math.MaxUint64
		}
		return uint64(math.Ldexp(sum, 64))
	}
	g.malformed, g.oversized = limit(cfg.Malformed), limit(cfg.Oversized)
	g.duplicate, g.late = limit(cfg.Duplicate), limit(cfg.Late)
	return g, nil
}

// Config returns the configuration with its defaults filled in.
func (g *Generator) Config() Config { return g.cfg }

// Kind returns the kind of message i without making it.
func (g *Generator) Kind(i uint64) Kind {
	kind := g.rawKind(i)
	if kind == Duplicate {
		if _, ok := g.original(i); !ok {
			return Normal
		}
	}
	return kind
}

// Append appends message i to dst and returns the extended buffer. It allocates
// only what the buffer needs to grow.
func (g *Generator) Append(dst []byte, i uint64) ([]byte, Message) {
	kind, index := g.Kind(i), i
	if kind == Duplicate {
		index, _ = g.original(i)
	}
	e := g.event(index)
	switch kind {
	case Duplicate:
		e.late = g.rawKind(index) == Late
	case Late:
		e.late = true
	case Normal, Oversized, Malformed:
	}
	start := len(dst)
	w := writer{buf: e.id.appendTo(dst)}
	value := len(w.buf)
	switch kind {
	case Malformed:
		g.appendMalformed(&w, &e, i)
	case Oversized:
		e.padding = g.cfg.MaxBytes
		g.appendEvent(&w, &e)
	default:
		g.appendEvent(&w, &e)
	}
	return w.buf, Message{
		Key:   w.buf[start:value:value],
		Value: w.buf[value:len(w.buf):len(w.buf)],
		Kind:  kind,
		AI:    e.name == "$ai_generation",
	}
}

// CapturedAt returns when message i is captured, jitter left out.
func (g *Generator) CapturedAt(i uint64) time.Time {
	return g.cfg.Start.Add(time.Duration(i) * g.cfg.Interval)
}

// rawKind is the kind drawn, of which a duplicate may find nothing to repeat.
func (g *Generator) rawKind(i uint64) Kind {
	r := newRandom(g.cfg.Seed, purposeKind, i)
	switch n := r.next(); {
	case n < g.malformed:
		return Malformed
	case n < g.oversized:
		return Oversized
	case n < g.duplicate:
		return Duplicate
	case n < g.late:
		return Late
	}
	return Normal
}

// original finds the message that duplicate i repeats; with few messages before
// it, or few that can be repeated, there may be none.
func (g *Generator) original(i uint64) (uint64, bool) {
	r := newRandom(g.cfg.Seed, purposeDuplicate, i)
	window := duplicateWindow
	if r.oneIn(2) {
		window = 1000
	}
	for range 8 {
		back := 1 + uint64(r.below(int(min(i+1, uint64(window)))))
		if back > i {
			continue
		}
		if kind := g.rawKind(i - back); kind == Normal || kind == Late {
			return i - back, true
		}
	}
	return 0, false
}
