package consumer

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
)

// taking is a batch's rows, and the buffers that open them: records are taken and forgotten.
type taking struct{ records int }

func (t *taking) Open(context.Context, string, batch.ID, time.Time) (Rows, error) {
	return &taking{}, nil
}
func (t *taking) Wait(context.Context) error                     { return nil }
func (t *taking) Full() bool                                     { return false }
func (t *taking) Discard()                                       {}
func (t *taking) Finish(context.Context) (batch.Contents, error) { return batch.Contents{}, nil }
func (t *taking) Append(_ context.Context, work [][]*kgo.Record) error {
	for _, records := range work {
		t.records += len(records)
	}
	return nil
}

// A marker that comes alone behind a boundary is in the next batch, which therefore has to be there: without one nothing would
// commit the offset, and the partition would wait for its next record.
func TestSession_AMarkerBehindTheBoundaryOpensTheNextBatch(t *testing.T) {
	p := begunAt(10)
	s := &Session{buffers: &taking{}, pacer: steady{}, log: slog.New(slog.DiscardHandler), metrics: NewMetrics(prometheus.NewRegistry()),
		partitions: map[batch.TopicPartition]*partition{first: p}}
	st := p.stream
	st.Stream = Stream{Name: "events", Topics: []string{first.Topic}, Period: time.Hour}
	poll := func(records ...*kgo.Record) {
		fetched := kgo.FetchPartition{Partition: first.Partition, Records: records}
		fetches := kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: first.Topic, Partitions: []kgo.FetchPartition{fetched}}}}}
		require.NoError(t, s.consumeStream(t.Context(), st, fetches, at(0)))
	}
	poll(records(10, 13)...)
	require.Nil(t, st.next)
	p.cutAt(end{at(1), 13})
	poll(marker(13))
	require.NotNil(t, st.next)
	require.Zero(t, st.next.rows.(*taking).records, "a marker is no record")
	r := p.seal(first)
	require.EqualValues(t, 13, r.End)
	require.EqualValues(t, 3, r.Records)
	require.True(t, p.open(), "the marker is in what is sealed next")
	require.Equal(t, batch.Range{TopicPartition: first, Start: 13, End: 14, Clock: p.clock.UTC(), Epoch: 4}, p.seal(first))
}
