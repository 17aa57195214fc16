package consumer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
)

var boundary = time.Date(2026, 9, 1, 13, 0, 0, 0, time.UTC)

// records makes records at consecutive offsets, timestamped relative to the boundary.
func records(first int64, after ...time.Duration) (list []*kgo.Record) {
	for i, d := range after {
		list = append(list, &kgo.Record{Offset: first + int64(i), Timestamp: boundary.Add(d)})
	}
	return list
}

func TestPartition_IsCutWhereItsClockPassesTheBoundary(t *testing.T) {
	now := boundary.Add(5 * time.Second)
	for _, c := range []struct {
		name  string
		after []time.Duration
		cut   int
	}{
		{"all before", []time.Duration{-3 * time.Second, -time.Millisecond}, 2},
		{"exactly at the boundary belongs to the next", []time.Duration{-time.Second, 0}, 1},
		{"a late record after the cut joins the next period", []time.Duration{-time.Second, time.Second, -time.Hour}, 1},
		{"all after", []time.Duration{time.Second, 2 * time.Second}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &partition{cut: -1}
			require.Equal(t, c.cut, p.cutAt(records(0, c.after...), boundary, now))
		})
	}
}

func TestPartition_ClockIsNeverAheadOfNow(t *testing.T) {
	p := &partition{cut: -1}
	now := boundary.Add(-10 * time.Minute)
	require.Equal(t, 1, p.cutAt(records(0, 4*365*24*time.Hour), boundary, now), "a record from 2030 does not cut the partition")
	require.Equal(t, now, p.clock)
}

func TestPartition_ClockNeverGoesBack(t *testing.T) {
	p := &partition{cut: -1, clock: boundary}
	before := boundary.Add(-time.Hour) // now was set back
	require.Equal(t, 1, p.cutAt(records(0, time.Minute), boundary.Add(time.Hour), before))
	require.Equal(t, boundary, p.clock)
}

// steady is a pacer without a limit.
type steady struct{}

func (steady) Spacing() time.Duration { return 0 }

// Clock jumps: forward, a batch is due at once; back, it is sealed after the length of a period all the same.
func TestSession_ABatchIsDueWhateverTheWallClockDoes(t *testing.T) {
	s := &Session{cfg: Config{Period: time.Hour, FlushDelay: 10 * time.Second}, pacer: steady{}, partitions: map[batch.TopicPartition]*partition{}}
	opened := time.Now() // with a monotonic reading
	s.current = &open{period: batch.PeriodAt(opened, time.Hour), opened: opened}
	due := s.dueAt()
	require.WithinDuration(t, s.current.period.End, due, 10*time.Second)
	require.False(t, s.overstays(opened))
	require.True(t, !opened.Add(26*time.Hour).Before(due), "forward")

	// Back: the period's end moves out of reach for the wall clock, as if it had been opened in the future.
	s.current.period = batch.PeriodAt(opened.Add(24*time.Hour), time.Hour)
	require.True(t, opened.Add(time.Hour).Before(s.dueAt()))
	require.False(t, s.overstays(opened.Add(time.Hour)))
	require.True(t, s.overstays(opened.Add(time.Hour+11*time.Second)))
}

func TestPartition_RangesOfConsecutiveBatchesAreContiguous(t *testing.T) {
	tp := batch.TopicPartition{Topic: "events", Partition: 3}
	p := &partition{start: 100, pos: 100, cut: -1}
	now := boundary.Add(time.Second)
	first := records(100, -2*time.Second, -time.Second, time.Millisecond, -time.Hour)
	n := p.cutAt(first, boundary, now)
	p.take(first, n)
	gap := records(110, time.Millisecond) // Kafka skips offsets 104 to 109
	p.take(gap, 0)

	a := p.seal(tp, boundary)
	require.Equal(t, batch.Range{TopicPartition: tp, Start: 100, End: 102, Records: 2, Clock: boundary}, a)
	b := p.seal(tp, boundary.Add(time.Hour))
	require.Equal(t, batch.Range{TopicPartition: tp, Start: 102, End: 111, Records: 3, Clock: boundary.Add(time.Millisecond)}, b)
	c := p.seal(tp, boundary.Add(2*time.Hour))
	require.Equal(t, batch.Range{TopicPartition: tp, Start: 111, End: 111, Clock: b.Clock}, c, "an idle partition takes part")
}
