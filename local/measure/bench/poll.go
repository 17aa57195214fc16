package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// pollRecords and fetchBytes are what tidemark's consumer uses with the default of --memory.
	pollRecords = 10_000
	fetchBytes  = 16 << 20
)

// firstRead calls begin when the client has read its first batch.
type firstRead struct {
	begin func()
	begun bool
}

// OnFetchBatchRead implements kgo.HookFetchBatchRead; one goroutine per broker calls it, and there is one broker.
func (f *firstRead) OnFetchBatchRead(kgo.BrokerMetadata, string, int32, kgo.FetchBatchMetrics) {
	if !f.begun {
		f.begun = true
		f.begin()
	}
}

// poll is ceiling A: it reads the topic once and looks at no record. polled is called with the number of records of each
// poll, and its time counts.
func poll(ctx context.Context, t task, polled func(records int)) (measurement, error) {
	var m *meter
	client, err := kgo.NewClient(kgo.SeedBrokers(t.Brokers...), kgo.ConsumeTopics(topic), kgo.FetchMaxBytes(fetchBytes),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.WithHooks(&firstRead{begin: func() { m = begin() }}))
	if err != nil {
		return measurement{}, err
	}
	defer client.Close()
	var records, valueBytes uint64
	for records < t.Records {
		fetches := client.PollRecords(ctx, pollRecords)
		if err := fetches.Err(); err != nil {
			return measurement{}, fmt.Errorf("poll: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) { valueBytes += uint64(len(r.Value)) })
		n := fetches.NumRecords()
		records += uint64(n)
		polled(n)
	}
	return m.end(records, valueBytes), nil
}
