package buffer

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/model"
)

// script is a random sequence of records and what they should become.
type script struct {
	polls    [][][]*kgo.Record
	rows     map[string]bool   // by team, uuid, event, distinct id and day
	rejected map[string]string // partition/offset -> value
	counts   batch.Counts
}

func randomScript(r *rand.Rand) *script {
	s := &script{rows: map[string]bool{}, rejected: map[string]string{}}
	offsets := make([]int, 4)
	for range 4 + r.IntN(6) {
		var poll [][]*kgo.Record
		for p := range offsets {
			var run []*kgo.Record
			for range r.IntN(600) {
				rec := record(offsets[p], s.value(r, p, offsets[p]))
				rec.Partition = int32(p)
				run = append(run, rec)
				offsets[p]++
			}
			poll = append(poll, run)
		}
		s.polls = append(s.polls, poll)
	}
	return s
}

// value makes one message and notes what it becomes.
func (s *script) value(r *rand.Rand, partition, offset int) []byte {
	s.counts.Consumed++
	e := makeEvent(1+int64(r.ExpFloat64()*20), r.IntN(5_000), r.IntN(2_000))
	switch r.IntN(20) {
	case 0:
		s.counts.Skipped++
		e.team = 1_000
		return e.value()
	case 1:
		s.counts.Rejected++
		value := fmt.Appendf(nil, "{not json \x00\xff %d", r.Uint64())
		s.rejected[fmt.Sprintf("%d/%d", partition, offset)] = string(value)
		return value
	}
	e.name, e.distinctID = fmt.Sprintf("event-%d", r.IntN(4)/3), fmt.Sprintf("person-%d", r.IntN(4)/3)
	e.at = e.at.AddDate(0, 0, r.IntN(4)/3)
	key := fmt.Sprintf("%d/%s/%s/%s/%s", e.team, uuidText(e.uuid), e.name, e.distinctID, e.at.Format(time.DateOnly))
	if s.rows[key] {
		s.counts.Duplicates++
	}
	s.rows[key] = true
	return e.value()
}

func TestBatch_EverythingAppendedIsInExactlyOnePart(t *testing.T) {
	for range 3 {
		s := randomScript(seeded(t))
		cfg := testConfig()
		cfg.Memory, cfg.PartSize = 8<<20, 1<<20
		f := start(t, cfg, &fakeParts{})
		b := f.batch(columns())
		for _, poll := range s.polls {
			require.NoError(t, f.Wait(t.Context()))
			require.NoError(t, b.Append(t.Context(), poll))
		}
		contents, err := b.Finish(t.Context())
		require.NoError(t, err)
		check(t, contents)
		require.Empty(t, cmp.Diff(s.counts, contents.Counts))

		rows := map[string]bool{}
		for _, p := range contents.Tables[0].Parts {
			for _, row := range f.parts.read(t, p) {
				key := strings.Join([]string{row["team_id"], row["uuid"], row["event"], row["distinct_id"], row["timestamp"][:len(time.DateOnly)]}, "/")
				require.False(t, rows[key], "twice")
				if p.Team != 0 { // several teams
					require.Equal(t, fmt.Sprint(p.Team), row["team_id"])
				}
				rows[key] = true
			}
		}
		require.Empty(t, cmp.Diff(s.rows, rows))
		rejected := map[string]string{}
		for _, p := range contents.Rejects {
			for _, row := range f.parts.read(t, p) {
				rejected[row["partition"]+"/"+row["offset"]] = row["value"]
			}
		}
		require.Empty(t, cmp.Diff(s.rejected, rejected))
		f.requireEmpty(t)
		require.Len(t, f.parts.objects, len(contents.Tables[0].Parts)+len(contents.Rejects), "no object is unreferenced")
	}
}

func TestBatch_ConcurrentAppendsLoseNothing(t *testing.T) {
	f := start(t, testConfig(), &fakeParts{})
	current, next := f.batch(columns()), f.batch(columns())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			b := []*Batch{current, next}[i%2]
			for n := range 20 {
				var events []event
				for k := range 50 {
					events = append(events, makeEvent(int64(1+k%7), (i*20+n)*50+k, 100))
				}
				if err := b.Append(t.Context(), poll(events...)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, b := range []*Batch{current, next} {
		contents, err := b.Finish(t.Context())
		require.NoError(t, err)
		check(t, contents)
		require.EqualValues(t, 4*20*50, contents.Tables[0].Rows())
	}
	f.requireEmpty(t)
}

func TestBatch_DuplicatesOfATeamAreDropped(t *testing.T) {
	other := makeEvent(2, 1, 10)
	for name, c := range map[string]struct {
		mode string
		want batch.Counts
		rows int64
	}{
		"batch": {DeduplicateBatch, batch.Counts{Consumed: 4, Duplicates: 2}, 2},
		"off":   {DeduplicateOff, batch.Counts{Consumed: 4}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Deduplicate = c.mode
			f := start(t, cfg, &fakeParts{})
			b := f.batch(columns())
			require.NoError(t, b.Append(t.Context(), poll(makeEvent(1, 1, 10), makeEvent(1, 1, 20), other)))
			require.NoError(t, b.Append(t.Context(), poll(makeEvent(1, 1, 10))))
			contents, err := b.Finish(t.Context())
			require.NoError(t, err)
			check(t, contents)
			require.Equal(t, c.want, contents.Counts)
			require.Equal(t, c.rows, contents.Tables[0].Rows())
			require.Equal(t, float64(c.want.Duplicates), testutil.ToFloat64(f.metrics.duplicates))
			require.Zero(t, testutil.ToFloat64(f.metrics.superseded))
		})
	}
}

func TestBatch_NothingConsumedIsNoTable(t *testing.T) {
	f := start(t, testConfig(), &fakeParts{})
	contents, err := f.batch(columns()).Finish(t.Context())
	require.NoError(t, err)
	check(t, contents)
	require.Empty(t, contents.Tables)
	require.Empty(t, contents.Rejects)
	require.Empty(t, f.parts.objects)
}

func TestBatch_RejectsAreKeptByteForByte(t *testing.T) {
	cfg := testConfig()
	cfg.MaxRecordSize = 1000
	f := start(t, cfg, &fakeParts{})
	b := f.batch(columns())
	broken := record(7, []byte("\x00\xffnot json\n"))
	broken.Key = []byte("\xfekey")
	large := record(8, makeEvent(1, 1, 2000).value())
	tombstone := record(9, nil)
	require.NoError(t, b.Append(t.Context(), [][]*kgo.Record{append(poll(makeEvent(1, 0, 1))[0], broken, large, tombstone)}))
	contents, err := b.Finish(t.Context())
	require.NoError(t, err)
	check(t, contents)
	require.EqualValues(t, 3, contents.Counts.Rejected)
	require.Len(t, contents.Rejects, 1)
	require.Equal(t, batch.RejectsObject("tm", b.id, 0), contents.Rejects[0].Object)
	rows := f.parts.read(t, contents.Rejects[0])
	for i := range rows {
		require.NotEmpty(t, rows[i]["detail"])
		delete(rows[i], "detail")
	}
	at := "2026-09-30 11:59:00Z"
	require.Empty(t, cmp.Diff([]map[string]string{
		{"reason": "not_json", "topic": "events", "partition": "1", "offset": "7", "timestamp": at, "key": "\xfekey", "value": "\x00\xffnot json\n"},
		{"reason": "too_large", "topic": "events", "partition": "1", "offset": "8", "timestamp": at, "value": string(large.Value)},
		{"reason": "empty", "topic": "events", "partition": "1", "offset": "9", "timestamp": at},
	}, rows))
	require.Equal(t, 1.0, testutil.ToFloat64(f.metrics.rejected.WithLabelValues("too_large")))
}

func TestBatch_UnloadableDocumentIsNulledAndKept(t *testing.T) {
	e := makeEvent(1, 1, 1)
	e.properties = `{"n": 1e999}`
	for name, c := range map[string]struct {
		loadable bool
		nulled   int64
	}{"json column": {true, 1}, "string column": {false, 0}} {
		t.Run(name, func(t *testing.T) {
			cols := columns()
			for i := range cols {
				cols[i].Loadable = cols[i].JSON && c.loadable
			}
			f := start(t, testConfig(), &fakeParts{})
			b := f.batch(cols)
			require.NoError(t, b.Append(t.Context(), poll(e, makeEvent(1, 2, 1))))
			contents, err := b.Finish(t.Context())
			require.NoError(t, err)
			check(t, contents)
			require.Equal(t, batch.Counts{Consumed: 2, Nulled: c.nulled}, contents.Counts)
			require.EqualValues(t, 2, contents.Tables[0].Rows())
			require.Len(t, contents.Rejects, int(c.nulled))
			if c.nulled > 0 {
				row := f.parts.read(t, contents.Rejects[0])[0]
				require.Equal(t, string(ReasonUnloadable), row["reason"])
				require.Equal(t, string(e.value()), row["value"])
			}
		})
	}
}

func TestBatch_AppendAfterFinishIsRefused(t *testing.T) {
	f := start(t, testConfig(), &fakeParts{})
	b := f.batch(columns())
	_, err := b.Finish(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, b.Append(t.Context(), poll(makeEvent(1, 1, 1))), ErrSealed)
}

func TestMetrics_KnownReasonsStartAtZero(t *testing.T) {
	f := start(t, testConfig(), &fakeParts{})
	require.Equal(t, len(model.Reasons())+2, testutil.CollectAndCount(f.metrics.rejected))
	require.Equal(t, 3, testutil.CollectAndCount(f.metrics.parts))
}
