package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/local/emulate/kafka"
	"tidemark/local/generator"
)

const topic = "clickhouse_events_json"

// serveBroker is the broker's process. Its log is on disk: in memory it would take more than the topic is large.
func serveBroker(t task) (err error) {
	b, err := kafka.Start(kafka.Config{Topics: []string{topic}, Partitions: int32(t.Partitions), Brokers: t.Nodes, DataDir: t.Dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := json.NewEncoder(os.Stdout).Encode(b.Addrs()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin) // ends with the parent, however that ends
	return err
}

// fill produces the task's records, from the first-th message on.
func fill(ctx context.Context, t task, first uint64) (generator.Stats, error) {
	gen, err := t.Variant.generator()
	if err != nil {
		return generator.Stats{}, err
	}
	if t.Records == 0 {
		return generator.Stats{}, nil
	}
	stats, err := generator.Produce(ctx, gen, generator.ProduceOptions{Brokers: t.Brokers, Topic: topic, First: first, Records: t.Records,
		Client: []kgo.Opt{kgo.ProducerBatchCompression(t.Variant.codec())}}, nil)
	if err == nil && stats.Records != t.Records {
		err = fmt.Errorf("produced %d records; want %d", stats.Records, t.Records)
	}
	return stats, err
}
