package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/kafka"
	"tidemark/local/emulate/stack"
	"tidemark/local/generator"
)

// topic is called as the table, for the connector writes a topic into the table of the same name.
const topic = stack.Table

// stage is what all peers have in common: the broker with the topic, and the programs.
type stage struct {
	opts   options
	dir    string // temporary
	broker *kafka.Broker
	client *kgo.Client
	admin  *kadm.Client
	events map[uuid.UUID]struct{} // of the topic
}

func openStage(ctx context.Context, opts options) (s *stage, err error) {
	s = &stage{opts: opts}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "tidemark-peers-"); err != nil {
		return s, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", s.dir, "./cmd/tidemark", "./local/measure/peers/baseline")
	if out, err := build.CombinedOutput(); err != nil {
		return s, fmt.Errorf("build tidemark and the baseline (run from the root of the repository): %w: %s", err, out)
	}
	if s.broker, err = kafka.Start(kafka.Config{Topics: []string{topic}, Partitions: int32(opts.partitions)}); err != nil {
		return s, err
	}
	if s.client, err = kgo.NewClient(kgo.SeedBrokers(s.broker.Addrs()...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())); err != nil {
		return s, err
	}
	s.admin = kadm.NewClient(s.client)
	if err = s.fill(ctx); err != nil {
		return s, err
	}
	return s, s.readEvents(ctx)
}

// fill produces the topic. Every message is an event and has a UUID of its own: a row whose UUID is there twice was made by
// a peer, and a peer that knows no rejects is not at a disadvantage.
func (s *stage) fill(ctx context.Context) error {
	gen, err := generator.New(generator.Config{Seed: 1, Teams: 100, Profile: generator.ProfileLarge, Duplicate: -1, Oversized: -1, Malformed: -1})
	if err != nil {
		return err
	}
	stats, err := generator.Produce(ctx, gen, generator.ProduceOptions{Brokers: s.broker.Addrs(), Topic: topic, Records: s.opts.records,
		Client: []kgo.Opt{kgo.ProducerBatchCompression(kgo.Lz4Compression())}}, nil)
	if err == nil && stats.Records != s.opts.records {
		err = fmt.Errorf("produced %d records; want %d", stats.Records, s.opts.records)
	}
	return err
}

// readEvents reads the UUIDs of the topic.
func (s *stage) readEvents(ctx context.Context) error {
	s.events = make(map[uuid.UUID]struct{}, s.opts.records)
	for read := uint64(0); read < s.opts.records; {
		fetches := s.client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read the topic: %w", err)
		}
		var err error
		fetches.EachRecord(func(r *kgo.Record) {
			var event struct {
				UUID uuid.UUID `json:"uuid"`
			}
			err = errors.Join(err, json.Unmarshal(r.Value, &event))
			s.events[event.UUID] = struct{}{}
			read++
		})
		if err != nil {
			return fmt.Errorf("read the topic: %w", err)
		}
	}
	s.client.PauseFetchTopics(topic) // what remains to be done is asking about groups
	if uint64(len(s.events)) != s.opts.records {
		return fmt.Errorf("topic has %d distinct UUIDs in %d records; want one each", len(s.events), s.opts.records)
	}
	return nil
}

func (s *stage) close() error {
	var errs []error
	if s.client != nil {
		s.client.Close()
	}
	if s.broker != nil {
		errs = append(errs, s.broker.Close())
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// scene is one run of one peer: a new table and bucket, and a group of its own.
type scene struct {
	*stage
	stack *stack.Stack
	name  string // of group, files and log
	dir   string
	log   io.WriteCloser
}

// openScene starts an empty BigQuery and object store. DuckDB has one thread, to leave the cores to the peer.
func (s *stage) openScene(ctx context.Context, name string) (c *scene, err error) {
	c = &scene{stage: s, name: name, dir: filepath.Join(s.dir, name), log: nopCloser{io.Discard}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if err = os.MkdirAll(c.dir, 0o755); err != nil {
		return c, err
	}
	if s.opts.logs != "" {
		if c.log, err = os.Create(filepath.Join(s.opts.logs, name+".log")); err != nil {
			return c, err
		}
	}
	// insertAll is no load job, but served as one: their number per day is not to be limited.
	c.stack, err = stack.Start(ctx, stack.Config{Brokers: s.broker.Addrs(), BigQuery: bigquery.Config{Threads: 1, LoadsPerTable: 1 << 30}})
	return c, err
}

func (c *scene) close() error {
	var err error
	if c.stack != nil {
		err = c.stack.Close()
	}
	return errors.Join(err, c.log.Close(), os.RemoveAll(c.dir))
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
