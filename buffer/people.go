package buffer

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/model"
)

func (b *Batch) takePerson(w *worker, r *kgo.Record) {
	if err := w.decoder.DecodePerson(r.Value, &w.change); err != nil {
		b.undecoded(&w.tally, r, err)
		return
	}
	b.takeChange(w, r)
}

func (b *Batch) takeMapping(w *worker, r *kgo.Record) {
	if err := w.decoder.DecodeMapping(r.Value, &w.change); err != nil {
		b.undecoded(&w.tally, r, err)
		return
	}
	b.takeChange(w, r)
}

// takeChange keeps a change of a person or a mapping, or drops and counts it. A record that supersedes another one is a
// row in its place, and the other one is counted.
func (b *Batch) takeChange(w *worker, r *kgo.Record) {
	c := &w.tally
	t := b.team(w.change.TeamID)
	if t == nil {
		c.Skipped++
		return
	}
	if size := w.change.Size(b.persons.json); size > maxRowBytes {
		b.reject(c, r, model.ReasonTooLarge, fmt.Sprintf("row has %d bytes; want at most %d", size, maxRowBytes))
		return
	}
	switch t.people.add(&w.change) {
	case kept:
		c.rows++
	case nulled:
		c.rows++
		c.Nulled++
		b.unloadable(r)
	case superseded, supersedes:
		c.Superseded++
	case supersedesNulled:
		c.Superseded++
		c.Nulled++
		b.unloadable(r)
	case duplicate, tooManyPartitions, dropped: // the first two are of events; nobody asks for a discarded batch
	}
}

// unloadable keeps the message of a row that has NULL instead of a document.
func (b *Batch) unloadable(r *kgo.Record) {
	b.rejects.append(r, ReasonUnloadable, "a JSON column is NULL: BigQuery could not hold the document")
}
