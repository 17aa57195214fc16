package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/buffer"
	"tidemark/destination"
	"tidemark/loader"
	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/merge"
	"tidemark/warehouse"
)

const (
	// mergeTeams is how many teams the persons belong to.
	mergeTeams = 20
	// seedBatch is how many distinct ids a batch brings while the tables are filled.
	seedBatch = 1_000_000
	// mergePoll is how many messages are appended at a time.
	mergePoll = 10_000
	// mergeMemory is what the embedded BigQuery may take: it keeps what a transaction changes in memory.
	mergeMemory = "12GB"
)

// merging is tidemark's way from messages to the persons table, without Kafka.
type merging struct {
	stack  *stack.Stack
	buffer *buffer.Buffer
	merger *merge.Merger
	table  destination.ResolvedTable
	at     time.Time // of the last batch
}

// measureMerge fills the persons table with opts.rows distinct ids, of half as many persons, then changes opts.changes of
// both together, spread evenly, and measures that merge: the time it takes here, and the bytes that BigQuery would bill.
func measureMerge(ctx context.Context, opts options) (err error) {
	dir, err := os.MkdirTemp("", "tidemark-merge-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := stack.Start(ctx, stack.Config{Models: destination.PersonsModel, Brokers: []string{"none"}, Dir: dir, NoTable: true,
		BigQuery: bigquery.Config{MemoryLimit: mergeMemory}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	m, err := newMerging(ctx, s, opts)
	if err != nil {
		return err
	}
	if err := m.fill(ctx, opts.rows); err != nil {
		return err
	}
	r, err := m.change(ctx, opts)
	if err != nil {
		return err
	}
	sizes, err := readSizes(ctx, s.Client)
	if err != nil {
		return err
	}
	return r.print(os.Stdout, billOf(sizes, false), billOf(sizes, true))
}

func newMerging(ctx context.Context, s *stack.Stack, opts options) (*merging, error) {
	log, reg := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	lc := loader.Config{Bucket: stack.Bucket, Prefix: "tidemark", Compression: "zstd", GCSEndpoint: s.GCS.Endpoint()}
	store, err := loader.NewGCS(ctx, lc, loader.NewMetrics(reg), log)
	if err != nil {
		return nil, err
	}
	parts, err := loader.NewParts(lc, store)
	if err != nil {
		return nil, err
	}
	bc := buffer.Config{PartSize: 32 << 20, MaxRecordSize: 1 << 20, Deduplicate: buffer.DeduplicateBatch}
	if err := bc.Memory.Decode(opts.memory); err != nil {
		return nil, err
	}
	wc := warehouse.Config{Project: stack.Project, BigQueryEndpoint: s.BigQuery.Endpoint(), BigQueryCallTimeout: time.Minute, BigQueryPollMax: time.Second}
	house, err := warehouse.New(ctx, wc, log, warehouse.NewMetrics(reg))
	if err != nil {
		return nil, err
	}
	dc := destination.Config{Models: []string{destination.PersonsModel}, Dataset: stack.Dataset, EventsTable: stack.Table, PersonsTable: stack.PersonsTable,
		StatusTable: stack.StatusTable, PersonDeletes: "mark"}
	dest, err := destination.New(dc, stack.Project, house, nil)
	if err != nil {
		return nil, err
	}
	resolved, err := dest.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	m := &merging{stack: s, buffer: buffer.New(bc, parts, buffer.NewMetrics(reg), 2), table: resolved.Tables[0], at: time.Now(),
		merger: merge.NewMerger(stack.Bucket, house, nil, log)}
	go func() { _ = m.buffer.Run(ctx) }() // what it fails with is the error of the batch that waits for it
	return m, nil
}

// fill brings all distinct ids and their persons, a batch after the other.
func (m *merging) fill(ctx context.Context, rows int) error {
	start := time.Now()
	for from := 0; from < rows; from += seedBatch {
		to := min(from+seedBatch, rows)
		mf, err := m.seal(ctx, to-from, func(i int, add func(string, []byte)) {
			n := from + i
			add(stack.DistinctIDsTopic, mappingMessage(n, n/2, 0))
			if n%2 == 0 {
				add(stack.PersonsTopic, personMessage(n/2, 0))
			}
		})
		if err != nil {
			return err
		}
		if _, err := m.merger.Apply(ctx, mf, &mf.Tables[0]); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "filled %d of %d rows in %s\n", to, rows, time.Since(start).Round(time.Second))
	}
	return nil
}

// change merges the changes: of every ten, six new properties of a person and four distinct ids moved to another person.
func (m *merging) change(ctx context.Context, opts options) (r mergeResult, err error) {
	step := opts.rows / opts.changes
	mf, err := m.seal(ctx, opts.changes, func(i int, add func(string, []byte)) {
		n := i * step
		if i%10 < 6 {
			add(stack.PersonsTopic, personMessage(n/2, 1))
		} else {
			add(stack.DistinctIDsTopic, mappingMessage(n, (n/2+mergeTeams)%(opts.rows/2), 1)) // of the same team
		}
	})
	if err != nil {
		return r, err
	}
	t := &mf.Tables[0]
	fmt.Fprintf(os.Stderr, "merging %d changes of %d rows\n", t.Rows(), opts.rows)
	meter := begin()
	if _, err := m.merger.Apply(ctx, mf, t); err != nil {
		return r, err
	}
	r = mergeResult{rows: opts.rows, changes: t.Rows(), measurement: meter.end(uint64(t.Rows()), 0)}
	r.load, r.merge, err = m.jobs(ctx, batch.JobOf(mf.ID, t.Target, "").Base)
	return r, err
}

// seal makes a batch of n steps, each of which adds messages.
func (m *merging) seal(ctx context.Context, n int, each func(i int, add func(topic string, value []byte))) (*batch.Manifest, error) {
	m.at = m.at.Add(time.Millisecond)
	mf := &batch.Manifest{Version: batch.ManifestVersion, ID: batch.NewID(m.at), IngestedAt: m.at}
	open := m.buffer.Open(buffer.Opening{ID: mf.ID, Prefix: "tidemark", IngestedAt: m.at, Wants: func(int64) bool { return true },
		Persons: buffer.Table{Target: m.table.Target, Columns: m.table.Columns},
		Topics:  map[string]buffer.Kind{stack.PersonsTopic: buffer.Persons, stack.DistinctIDsTopic: buffer.DistinctIDs}})
	runs := make(map[string][]*kgo.Record)
	flush := func() error {
		work := [][]*kgo.Record{runs[stack.PersonsTopic], runs[stack.DistinctIDsTopic]}
		clear(runs)
		return errors.Join(m.buffer.Wait(ctx), open.Append(ctx, work))
	}
	for i := range n {
		each(i, func(topic string, value []byte) {
			runs[topic] = append(runs[topic], &kgo.Record{Topic: topic, Value: value, Timestamp: m.at})
		})
		if (i+1)%mergePoll == 0 || i+1 == n {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	var err error
	mf.Contents, err = open.Finish(ctx)
	return mf, err
}

// jobs returns how long the load of the stage and the script took.
func (m *merging) jobs(ctx context.Context, base string) (load, script time.Duration, err error) {
	for kind, took := range map[string]*time.Duration{"stage": &load, "apply": &script} {
		job, err := m.stack.Client.JobFromID(ctx, base+kind+"-g1")
		if err != nil {
			return 0, 0, err
		}
		s := job.LastStatus().Statistics
		*took = s.EndTime.Sub(s.StartTime)
	}
	return load, script, nil
}

func personID(n int) string { return fmt.Sprintf("0198f0a3-7c1e-7000-8000-%012x", n) }

// personMessage is of a person with some 300 bytes of properties.
func personMessage(n, version int) []byte {
	return fmt.Appendf(nil, `{"id":%q,"team_id":%d,"version":%d,"is_deleted":0,"is_identified":1,"created_at":"2026-08-30 09:10:11","properties":`+
		`"{\"email\":\"user-%[4]d@example.com\",\"plan\":\"%[3]d\",\"$initial_current_url\":\"https://shop.example.com/products/%[4]d?utm_source=newsletter&utm_campaign=%[4]x\",`+
		`\"$initial_referring_domain\":\"www.google.com\",\"$browser\":\"Chrome\",\"$os\":\"Mac OS X\",\"$geoip_city_name\":\"Berlin\",\"company\":\"Company %[4]d\"}"}`,
		personID(n), 1+n%mergeTeams, version, n)
}

func mappingMessage(n, person, version int) []byte {
	return fmt.Appendf(nil, `{"team_id":%d,"distinct_id":"0198f0a2-7c1e-7aaa-bbbb-%012x","person_id":%q,"version":%d,"is_deleted":0}`,
		1+n/2%mergeTeams, n, personID(person), version)
}
