package buffer

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
)

// noParts drops what it gets, so that only decoding, appending and cutting are measured.
type noParts struct{}

func (noParts) Encode(*arrow.Schema, []arrow.Record) ([]byte, error) { return nil, nil }
func (noParts) Store(_ context.Context, object string, team, rows int64, _ []byte) (batch.Part, error) {
	return batch.Part{Object: object, Team: team, Rows: rows}, nil
}

// production returns n messages of about 2.6 KB of teams with Zipf-distributed sizes.
func production(n, teams int) (work [][]*kgo.Record, bytes int64) {
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.1, 1, uint64(teams-1))
	work = make([][]*kgo.Record, 8)
	for i := range n {
		e := event{team: int64(1 + zipf.Uint64()), name: "$pageview", distinctID: fmt.Sprintf("%032x", r.Uint64()), at: makeEvent(0, i, 0).at}
		for k := range e.uuid {
			e.uuid[k] = byte(r.Uint32())
		}
		var props strings.Builder
		fmt.Fprintf(&props, `{"$ip":"10.1.2.%d","$set":{"plan":"p%d"},"$set_once":{"$initial_os":"Linux"}`, r.IntN(256), r.IntN(5))
		for k := range 45 {
			fmt.Fprintf(&props, `,"$some_property_%d":"value \"%d\" of it"`, k, r.IntN(1000))
		}
		props.WriteByte('}')
		e.properties = props.String()
		p := &work[i%len(work)]
		rec := record(len(*p), e.value())
		*p = append(*p, rec)
		bytes += int64(len(rec.Value))
	}
	return work, bytes
}

func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		teams int
		dedup string
	}{{100, DeduplicateOff}, {100, DeduplicateBatch}, {1000, DeduplicateBatch}} {
		b.Run(fmt.Sprintf("teams=%d/dedup=%s", c.teams, c.dedup), func(b *testing.B) {
			const records = 10_000
			work, bytes := production(records, c.teams)
			cfg := Config{Memory: 1 << 30, PartSize: 32 << 20, MaxRecordSize: 16 << 20, Deduplicate: c.dedup}
			buffer := New(cfg, noParts{}, NewMetrics(prometheus.NewRegistry()), 2)
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error)
			go func() { ended <- buffer.Run(ctx) }()
			f := &fixture{Buffer: buffer}
			cols := columns()[:12]
			open := f.batch(cols)
			b.SetBytes(bytes)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				require.NoError(b, buffer.Wait(b.Context()))
				require.NoError(b, open.Append(b.Context(), work))
				if n++; n%20 == 0 { // the uuids repeat, so rows are only kept of the first round
					_, err := open.Finish(b.Context())
					require.NoError(b, err)
					open = f.batch(cols)
				} else if c.dedup == DeduplicateBatch {
					freshen(work)
				}
			}
			b.ReportMetric(records*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			cancel()
			require.ErrorIs(b, <-ended, context.Canceled)
		})
	}
}

// freshen changes the uuids in place, so that no event is a duplicate.
func freshen(work [][]*kgo.Record) {
	const at = len(`{"uuid":"`)
	for _, s := range work {
		for _, r := range s {
			for i := at; i < at+8; i++ { // the first 8 hexadecimal digits, as a counter
				if c := &r.Value[i]; *c == '9' {
					*c = 'a'
				} else if *c == 'f' {
					*c = '0'
					continue
				} else {
					*c++
				}
				break
			}
		}
	}
}

func BenchmarkIdentitySet(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	ids := make([]identity, 1<<20)
	for i := range ids {
		ids[i] = randomUUID(r)
	}
	var s identitySet
	i := 0
	for b.Loop() {
		if i%len(ids) == 0 {
			s = identitySet{}
		}
		s.add(&ids[i%len(ids)])
		i++
	}
}

func TestProduction_IsValid(t *testing.T) {
	work, _ := production(10, 3)
	for _, s := range work {
		for _, r := range s {
			require.True(t, json.Valid(r.Value))
			require.InDelta(t, 2600, len(r.Value), 400)
		}
	}
}
