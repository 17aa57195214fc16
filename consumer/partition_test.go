package consumer

import (
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
)

var (
	boundary = time.Date(2026, 9, 1, 13, 0, 0, 0, time.UTC)
	first    = batch.TopicPartition{Topic: "events", Partition: 3}
)

// records makes records at the offsets from start to end, of one leader epoch.
func records(start, end int64) (list []*kgo.Record) {
	for o := start; o < end; o++ {
		list = append(list, &kgo.Record{Offset: o, LeaderEpoch: 4})
	}
	return list
}

// marker makes a transaction's marker. The client lets nobody else make one, so its attributes are written as Kafka's bits.
func marker(offset int64) *kgo.Record {
	r := &kgo.Record{Offset: offset, LeaderEpoch: 4}
	*(*uint8)(unsafe.Pointer(&r.Attrs)) = 0b0010_0000
	if !r.Attrs.IsControl() {
		panic("the client keeps attributes in another way now")
	}
	return r
}

// at is an instant some seconds after the boundary.
func at(seconds int) time.Time { return boundary.Add(time.Duration(seconds) * time.Second) }

// begun is a partition that is consumed from an offset on.
func begunAt(offset int64) *partition {
	p := &partition{stream: &stream{}}
	p.begin(batch.Position{Offset: offset, Epoch: 4, Clock: at(-60)})
	p.phase = consuming
	return p
}

// consume takes records as the poll loop does and returns how many belong to the current batch.
func (p *partition) consume(records []*kgo.Record) int {
	n := p.split(records)
	p.take(records, n)
	return n
}

func TestPartition_IsCompleteUpToWhenItsEndWasRead(t *testing.T) {
	p := begunAt(100)
	p.observe(end{at(-10), 105})
	require.Equal(t, at(-60), p.clock, "five records are still to be read")
	p.consume(records(100, 104))
	require.Equal(t, at(-60), p.clock)
	p.observe(end{at(-5), 120})
	p.consume(records(104, 110))
	require.Equal(t, at(-10), p.clock, "the first end is reached, the second is not")
	p.observe(end{at(-4), 121})
	p.consume(records(110, 121))
	require.Equal(t, at(-4), p.clock)
	p.observe(end{at(-8), 121})
	require.Equal(t, at(-4), p.clock, "the wall clock was set back")
}

func TestPartition_ABoundaryCutsWhereThePartitionEndedThen(t *testing.T) {
	for _, c := range []struct {
		name        string
		before, end int64 // consumed before the boundary, high watermark at the boundary
		after       int64 // consumed afterwards
		want        batch.Range
		left        int64 // records of the next batch
	}{
		{"nothing came after", 10, 10, 10, batch.Range{End: 10, Records: 10, Clock: at(0)}, 0},
		{"some came after", 10, 12, 20, batch.Range{End: 12, Records: 12, Clock: at(0)}, 8},
		{"consumed beyond before the end was known", 15, 12, 20, batch.Range{End: 15, Records: 15, Clock: at(0)}, 5},
		{"not consumed up to the boundary in time", 10, 30, 20, batch.Range{End: 20, Records: 20, Clock: at(-60)}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := begunAt(0)
			p.consume(records(0, c.before))
			p.cutAt(end{at(0), c.end})
			p.consume(records(c.before, c.after))
			c.want.TopicPartition, c.want.Epoch = first, 4
			require.True(t, p.open())
			require.Equal(t, c.want, p.seal(first))
			require.Equal(t, c.left, p.records)
			require.Equal(t, c.want.End, p.start)
			require.Equal(t, c.left > 0, p.open())
		})
	}
}

func TestPartition_ThatOnlyTheNextBatchHasIsInNoRange(t *testing.T) {
	p := begunAt(7)
	p.cutAt(end{at(0), 7})
	require.Equal(t, 0, p.consume(records(7, 9)))
	require.False(t, p.open(), "of the current batch")
	p.cut = nil // as sealing does
	require.True(t, p.open(), "of the next")
	require.Equal(t, int64(2), p.seal(first).Records)
}

func TestPartition_GapsAndRangesAreContiguous(t *testing.T) {
	p := begunAt(100)
	p.consume(records(100, 104))
	p.consume(records(110, 112)) // Kafka skips offsets 104 to 109
	a := p.seal(first)
	require.Equal(t, batch.Range{TopicPartition: first, Start: 100, End: 112, Records: 6, Clock: at(-60), Epoch: 4}, a)
	p.consume(records(112, 113))
	require.Equal(t, a.End, p.seal(first).Start)
}

// A partition as Kafka has it: when every offset came, and from where on an open transaction holds readers up.
type log struct {
	arrived []time.Time
	blocked int64 // -1: nothing is open
}

func (l *log) readable() int64 {
	if l.blocked >= 0 {
		return l.blocked
	}
	return int64(len(l.arrived))
}

// Whatever producers, transactions, looks, boundaries and throttled polls do: what came before a committed clock has a lower
// offset than the commit. The clocks of producers have no part in it.
func TestPartition_NoClockPassesARecordThatIsNotCommitted(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		l, now := &log{blocked: -1}, at(0)
		p := begunAt(0)
		p.clock = time.Time{}
		for range 1 + r.IntN(60) {
			now = now.Add(time.Duration(r.IntN(2000)) * time.Millisecond)
			switch r.IntN(7) {
			case 0, 1: // records come
				for range 1 + r.IntN(5) {
					l.arrived = append(l.arrived, now)
				}
			case 2: // a transaction begins, or ends
				if l.blocked < 0 {
					l.blocked = int64(len(l.arrived))
				} else {
					l.blocked = -1
				}
			case 3: // a poll, perhaps a short one
				if n := l.readable() - p.pos; n > 0 {
					p.consume(records(p.pos, p.pos+1+r.Int64N(n)))
				}
			case 4, 5: // a look, whose answer is of some time ago, and perhaps a boundary
				asked := now
				offset := int64(len(l.arrived))
				now = now.Add(time.Duration(r.IntN(500)) * time.Millisecond)
				p.observe(end{asked, offset})
				if p.cut == nil && r.IntN(3) == 0 {
					p.cutAt(end{asked, offset})
				}
			default:
				if p.open() {
					l.check(t, p.seal(first))
				} else {
					p.cut = nil
				}
				l.check(t, batch.Range{End: p.pos, Clock: p.clock})
			}
		}
	}
}

func (l *log) check(t *testing.T, r batch.Range) {
	for o, at := range l.arrived {
		require.True(t, int64(o) < r.End || !at.Before(r.Clock), "offset %d came at %s, and %d is complete up to %s", o, at, r.End, r.Clock)
	}
}

// steady is a pacer without a limit.
type steady struct{}

func (steady) Spacing() time.Duration { return 0 }

// Clock jumps: forward, a batch is due at once; back, it is sealed after the length of a period all the same.
func TestSession_ABatchIsDueWhateverTheWallClockDoes(t *testing.T) {
	s := &Session{cfg: Config{FlushDelay: 10 * time.Second}, pacer: steady{}}
	opened := time.Now() // with a monotonic reading
	st := &stream{Stream: Stream{Period: time.Hour}, current: &open{period: batch.PeriodAt(opened, time.Hour), opened: opened}}
	require.Equal(t, st.current.period.End, s.boundary(st))
	require.False(t, s.overstays(st, opened))
	require.True(t, !opened.Add(26*time.Hour).Before(s.boundary(st)), "forward")

	// Back: the period's end moves out of reach for the wall clock, as if it had been opened in the future.
	st.current.period = batch.PeriodAt(opened.Add(24*time.Hour), time.Hour)
	require.True(t, opened.Add(time.Hour).Before(s.boundary(st)))
	require.False(t, s.overstays(st, opened.Add(time.Hour)))
	require.True(t, s.overstays(st, opened.Add(time.Hour+11*time.Second)))
}
