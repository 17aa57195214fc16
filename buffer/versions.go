package buffer

import (
	"bytes"

	"tidemark/model"
)

// versions collects the changes of one team's persons and distinct ids: of every key the latest version only, however
// often it changes. Once they are handed over, later changes of the same keys become further rows, of which the merge
// takes the latest; so memory is bounded by the budget and not by the number of keys.
//
// They are rows only when they are handed over: a builder cannot take back what is superseded.
type versions struct {
	bin
	index   map[changeKey]int // into changes
	changes []heldChange
	bytes   int64 // counted against the budget
}

// changeKey is what there is one row of.
type changeKey struct {
	mapping bool
	id      string // the distinct id of a mapping, the person's otherwise
}

// heldChange is a change with the memory that its texts point to.
type heldChange struct {
	model.Change
	text []byte
}

// changeBytes is what a change takes beside its texts: the struct, its place in the index, and the slack of both.
const changeBytes = 500

// add keeps a change if it is newer than what is held of its key. Of equal versions the first stays.
func (v *versions) add(c *model.Change) outcome {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.batch.discarded.Load() {
		return dropped
	}
	id, mapping := c.PersonID, c.DistinctID != nil
	if mapping {
		id = c.DistinctID
	}
	i, known := v.index[changeKey{mapping, string(id)}] // does not allocate
	switch {
	case known && v.changes[i].Version >= c.Version:
		return superseded
	case known:
		v.replace(&v.changes[i], c)
	default:
		v.insert(changeKey{mapping, string(id)}, c)
	}
	if v.size.Load() >= int64(v.batch.buffer.cfg.PartSize) {
		v.flush(causeSize)
	}
	switch {
	case c.Unloadable && v.sheet.json && known:
		return supersedesNulled
	case c.Unloadable && v.sheet.json:
		return nulled
	case known:
		return supersedes
	}
	return kept
}

func (v *versions) insert(key changeKey, c *model.Change) {
	if v.index == nil {
		v.index = make(map[changeKey]int)
	}
	v.index[key] = len(v.changes)
	v.changes = append(v.changes, heldChange{})
	v.count(changeBytes+int64(len(key.id)), 0)
	v.replace(&v.changes[len(v.changes)-1], c)
}

// replace copies a change into a place, and its texts into the place's memory if that is large enough.
func (v *versions) replace(h *heldChange, c *model.Change) {
	before, room := 0, cap(h.text)
	if h.TeamID != 0 {
		before = h.Size(v.sheet.json)
	}
	h.keep(c)
	v.count(int64(cap(h.text)-room), int64(h.Size(v.sheet.json)-before))
}

// keep copies c and its texts.
func (h *heldChange) keep(c *model.Change) {
	h.Change = *c
	h.text = h.text[:0]
	if need := len(c.PersonID) + len(c.DistinctID) + len(c.Properties); cap(h.text) < need {
		h.text = make([]byte, 0, need)
	}
	for _, field := range []*[]byte{&h.PersonID, &h.DistinctID, &h.Properties} {
		if *field == nil {
			continue // NULL
		}
		start := len(h.text)
		h.text = append(h.text, *field...)
		*field = h.text[start:len(h.text):len(h.text)]
	}
}

// count counts bytes of memory, and of column values.
func (v *versions) count(memory, size int64) {
	v.bytes += memory
	v.batch.buffer.budget.held.Add(memory)
	v.batch.buffer.budget.live.Add(memory)
	v.size.Add(size)
}

// pour makes rows of the changes, and frees these. v.mu is held.
func (v *versions) pour() {
	if len(v.changes) == 0 {
		return
	}
	var appender *model.ChangeAppender
	for i := range v.changes {
		c := &v.changes[i].Change
		if v.ready() {
			appender = model.NewChangeAppender(v.rows.builder, v.sheet.json)
		}
		appender.Append(c)
		v.rows.appended()
	}
	v.sheet.keys.span(v.changes)
	v.forget()
}

// discard frees the changes of a batch that was discarded.
func (v *versions) discard() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget()
	v.size.Store(0)
}

// forget frees the changes. v.mu is held.
func (v *versions) forget() {
	v.count(-v.bytes, 0)
	v.index, v.changes = nil, nil
}

// span widens the keys' bounds by those of the changes.
func (k *keys) span(changes []heldChange) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range changes {
		c := &changes[i]
		k.team(c.TeamID)
		if c.DistinctID == nil {
			widen(&k.bounds.FirstPerson, &k.bounds.LastPerson, c.PersonID)
			k.persons.add(c.TeamID, c.PersonID)
		} else {
			widen(&k.bounds.FirstDistinctID, &k.bounds.LastDistinctID, c.DistinctID)
			k.distinctIDs.add(c.TeamID, c.DistinctID)
		}
	}
}

func (k *keys) team(id int64) {
	if !k.any {
		k.any, k.bounds.FirstTeam, k.bounds.LastTeam = true, id, id
	}
	k.bounds.FirstTeam, k.bounds.LastTeam = min(k.bounds.FirstTeam, id), max(k.bounds.LastTeam, id)
}

// widen moves bounds in the order of bytes, which is how BigQuery compares text. Ids are not empty.
func widen(first, last *string, id []byte) {
	if *first == "" || bytes.Compare(id, []byte(*first)) < 0 {
		*first = string(id)
	}
	if string(id) > *last {
		*last = string(id)
	}
}
