package main

import "github.com/google/uuid"

// counts is how a table differs from its topic.
type counts struct {
	rows    int
	missing int // events without a row
	extra   int // rows beyond the first of an event
	foreign int // rows of no event
}

// tally counts the rows of each event.
type tally struct {
	seen    map[uuid.UUID]int
	events  map[uuid.UUID]struct{}
	rows    int
	foreign int
}

func newTally(events map[uuid.UUID]struct{}) *tally {
	return &tally{seen: make(map[uuid.UUID]int, len(events)), events: events}
}

func (t *tally) row(id uuid.UUID) {
	t.rows++
	if _, ok := t.events[id]; !ok {
		t.foreign++
		return
	}
	t.seen[id]++
}

func (t *tally) counts() counts {
	return counts{rows: t.rows, missing: len(t.events) - len(t.seen), extra: t.rows - t.foreign - len(t.seen), foreign: t.foreign}
}
