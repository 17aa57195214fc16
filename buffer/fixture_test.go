package buffer

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/model"
)

// fakeParts is a PartWriter that keeps what is stored. The funcs may hold a call up or make it fail.
type fakeParts struct {
	onEncode func()
	onStore  func(ctx context.Context, object string) error

	mu      sync.Mutex
	objects map[string][]byte
}

func (f *fakeParts) Encode(schema *arrow.Schema, recs []arrow.Record) ([]byte, error) {
	if f.onEncode != nil {
		f.onEncode()
	}
	table := array.NewTableFromRecords(schema, recs)
	defer table.Release()
	var out bytes.Buffer
	props := parquet.NewWriterProperties(parquet.WithRootRepetition(parquet.Repetitions.Required))
	err := pqarrow.WriteTable(table, &out, table.NumRows(), props, pqarrow.DefaultWriterProps())
	return out.Bytes(), err
}

func (f *fakeParts) Store(ctx context.Context, object string, team, rows int64, data []byte) (batch.Part, error) {
	if f.onStore != nil {
		if err := f.onStore(ctx, object); err != nil {
			return batch.Part{}, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.objects == nil {
		f.objects = map[string][]byte{}
	}
	if _, ok := f.objects[object]; ok {
		return batch.Part{}, fmt.Errorf("object %s is stored twice", object)
	}
	f.objects[object] = data
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return batch.Part{Object: object, Team: team, Rows: rows, Bytes: int64(len(data)), CRC32C: sum}, nil
}

// read returns the rows of a part, each as text by column; a NULL has no entry.
func (f *fakeParts) read(t testing.TB, p batch.Part) (rows []map[string]string) {
	f.mu.Lock()
	data := f.objects[p.Object]
	f.mu.Unlock()
	require.Len(t, data, int(p.Bytes))
	table, err := pqarrow.ReadTable(t.Context(), bytes.NewReader(data), nil, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	require.NoError(t, err)
	defer table.Release()
	reader := array.NewTableReader(table, table.NumRows())
	defer reader.Release()
	for reader.Next() {
		rec := reader.Record()
		for i := range int(rec.NumRows()) {
			row := map[string]string{}
			for c, col := range rec.Columns() {
				if !col.IsNull(i) {
					row[rec.ColumnName(c)] = text(col, i)
				}
			}
			rows = append(rows, row)
		}
	}
	require.Len(t, rows, int(p.Rows), p.Object)
	return rows
}

func text(col arrow.Array, i int) string {
	if b, ok := col.(*array.Binary); ok {
		return string(b.Value(i))
	}
	return col.ValueStr(i)
}

// fixture is a buffer that runs.
type fixture struct {
	*Buffer
	parts *fakeParts
	reg   *prometheus.Registry
	ended chan error
	stop  context.CancelFunc
}

func testConfig() Config {
	return Config{Memory: 64 << 20, PartSize: 32 << 20, MaxRecordSize: 1 << 20, Deduplicate: DeduplicateBatch}
}

func start(t testing.TB, cfg Config, parts *fakeParts) *fixture {
	require.NoError(t, cfg.Validate())
	reg := prometheus.NewRegistry()
	f := &fixture{Buffer: New(cfg, parts, NewMetrics(reg), 2), parts: parts, reg: reg, ended: make(chan error, 1)}
	var ctx context.Context
	ctx, f.stop = context.WithCancel(t.Context())
	go func() { f.ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		f.stop()
		<-f.stopped
	})
	return f
}

func columns() (cols []model.Selected) {
	for _, c := range model.EventColumns() {
		cols = append(cols, model.Selected{Column: c})
	}
	return cols
}

// changeColumns are the columns of persons; json says that their table has the properties as JSON.
func changeColumns(json bool) (cols []model.Selected) {
	for _, c := range model.ChangeColumns() {
		cols = append(cols, model.Selected{Column: c, Loadable: json && c.JSON})
	}
	return cols
}

// batch opens a batch that wants teams below 1,000.
func (f *fixture) batch(cols []model.Selected) *Batch {
	return f.partitioned(cols, &batch.Partitioning{Unit: batch.Day, Column: "timestamp"})
}

// partitioned opens a batch for a table of events with partitions.
func (f *fixture) partitioned(cols []model.Selected, p *batch.Partitioning) *Batch {
	now := time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)
	return f.Open(Opening{
		ID: batch.NewID(now), Prefix: "tm", IngestedAt: now,
		Events:  Table{Target: batch.Target{Model: "events", Project: "p", Location: "EU", Dataset: "d", Table: "events", Partitions: p}, Columns: cols, StageAbove: 100},
		Persons: Table{Target: batch.Target{Model: "persons", Project: "p", Location: "EU", Dataset: "d", Table: "persons"}, Columns: changeColumns(true)},
		Topics:  map[string]Kind{"events": Events, "persons": Persons, "mappings": DistinctIDs},
		Wants:   func(team int64) bool { return team < 1_000 },
	})
}

// requireEmpty waits until nothing is held any more: after Discard an encoder may still be at the job it has begun, and
// frees it when it is done.
func (f *fixture) requireEmpty(t testing.TB) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Zero(c, f.budget.held.Load(), "held")
		require.Zero(c, f.budget.live.Load(), "live")
		require.Zero(c, f.budget.fixed.Load(), "fixed")
		require.Zero(c, f.jobs.Load(), "jobs")
	}, 10*time.Second, time.Millisecond)
}

// event is a message and the row it should become.
type event struct {
	team       int64
	uuid       [16]byte
	name       string
	distinctID string
	properties string
	at         time.Time
}

func (e event) value() []byte {
	properties, err := json.Marshal(e.properties)
	if err != nil {
		panic(err)
	}
	return fmt.Appendf(nil, `{"uuid":%q,"event":%q,"properties":%s,"timestamp":%q,"team_id":%d,"distinct_id":%q,"elements_chain":"","created_at":%[4]q}`,
		uuidText(e.uuid), e.name, properties, e.at.Format("2006-01-02 15:04:05.000000"), e.team, e.distinctID)
}

func uuidText(u [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

func numbered(n int) (u [16]byte) {
	binary.BigEndian.PutUint64(u[8:], uint64(n)+1)
	return u
}

// makeEvent returns an event with properties of about size bytes.
func makeEvent(team int64, n, size int) event {
	return event{
		team: team, uuid: numbered(n), name: "pageview", distinctID: "d",
		properties: fmt.Sprintf(`{"n":%d,"pad":%q}`, n, strings.Repeat("x", size)),
		at:         time.Date(2026, 9, 30, 11, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Millisecond),
	}
}

func record(offset int, value []byte) *kgo.Record {
	return &kgo.Record{
		Topic: "events", Partition: 1, Offset: int64(offset), Value: value,
		Timestamp: time.Date(2026, 9, 30, 11, 59, 0, 0, time.UTC),
	}
}

// poll makes one run of events, at consecutive offsets of one partition.
func poll(events ...event) [][]*kgo.Record {
	var run []*kgo.Record
	for i, e := range events {
		run = append(run, record(i, e.value()))
	}
	return [][]*kgo.Record{run}
}

// check puts contents into a manifest and takes its count.
func check(t testing.TB, c batch.Contents) {
	t.Helper()
	m := batch.Manifest{Contents: c, Ranges: []batch.Range{{End: c.Counts.Consumed, Records: c.Counts.Consumed}}}
	require.NoError(t, m.Check())
}

func seeded(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
