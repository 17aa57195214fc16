package persons

import (
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/buffer"
	"tidemark/local/emulate/stack"
	"tidemark/local/generator"
)

// message is one about a person or a distinct id.
type message = generator.PersonMessage

// seal makes a batch of the messages. Those of different pours become rows apart, as if memory had been short between
// them: so a stage has several versions of one key, which the buffer otherwise never lets through.
func (p *people) seal(pours ...[]message) *batch.Manifest {
	p.Helper()
	p.clock = p.clock.Add(time.Second)
	m := &batch.Manifest{Version: batch.ManifestVersion, ID: batch.NewID(p.clock), IngestedAt: p.clock,
		Ranges: []batch.Range{{}, {}}}
	m.Ranges[0].Topic, m.Ranges[1].Topic = stack.PersonsTopic, stack.DistinctIDsTopic
	for _, pour := range pours {
		p.pour(m, pour)
	}
	require.NoError(p, m.Check())
	return m
}

// pour adds messages to a batch.
func (p *people) pour(m *batch.Manifest, messages []message) {
	p.Helper()
	b := p.buffer.Open(buffer.Opening{ID: batch.NewID(p.clock), Prefix: "tidemark", IngestedAt: p.clock,
		Persons: buffer.Table{Target: p.resolved.Target, Columns: p.resolved.Columns},
		Topics:  map[string]buffer.Kind{stack.PersonsTopic: buffer.Persons, stack.DistinctIDsTopic: buffer.DistinctIDs},
		Wants:   func(int64) bool { return true }})
	runs := make([][]*kgo.Record, 2)
	for _, message := range messages {
		topic := 0
		if message.Topic == stack.DistinctIDsTopic {
			topic = 1
		}
		r := &m.Ranges[topic]
		runs[topic] = append(runs[topic], &kgo.Record{Topic: message.Topic, Offset: r.End, Value: message.Value, Timestamp: p.clock})
		r.End, r.Records = r.End+1, r.Records+1
	}
	require.NoError(p, b.Append(p.Context(), runs))
	contents, err := b.Finish(p.Context())
	require.NoError(p, err)
	join(&m.Contents, contents)
}

// join adds what further messages of the batch have become.
func join(to *batch.Contents, c batch.Contents) {
	to.Rejects = append(to.Rejects, c.Rejects...)
	to.Counts.Consumed += c.Counts.Consumed
	to.Counts.Superseded += c.Counts.Superseded
	to.Counts.Skipped += c.Counts.Skipped
	to.Counts.Rejected += c.Counts.Rejected
	to.Counts.Nulled += c.Counts.Nulled
	if len(to.Tables) == 0 || len(c.Tables) == 0 {
		to.Tables = append(to.Tables, c.Tables...)
		return
	}
	t, more := &to.Tables[0], c.Tables[0]
	t.Parts = append(t.Parts, more.Parts...)
	t.Keys.FirstTeam, t.Keys.LastTeam = min(t.Keys.FirstTeam, more.Keys.FirstTeam), max(t.Keys.LastTeam, more.Keys.LastTeam)
	widen(&t.Keys.FirstPerson, &t.Keys.LastPerson, more.Keys.FirstPerson, more.Keys.LastPerson)
	t.Keys.Persons, t.Keys.DistinctIDs = append(t.Keys.Persons, more.Keys.Persons...), append(t.Keys.DistinctIDs, more.Keys.DistinctIDs...)
	widen(&t.Keys.FirstDistinctID, &t.Keys.LastDistinctID, more.Keys.FirstDistinctID, more.Keys.LastDistinctID)
}

// widen joins bounds; a model without keys has empty ones.
func widen(first, last *string, from, to string) {
	if *first == "" || from != "" && from < *first {
		*first = from
	}
	*last = max(*last, to)
}
