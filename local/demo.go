package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tidemark/local/emulate/stack"
	"tidemark/local/generator"
)

// maxRecord is the demo's TIDEMARK_MAX_RECORD_SIZE: the generator makes a few messages that are larger.
const maxRecord = 256 << 10

// demo is one run of the command.
type demo struct {
	opts     options
	out      *console
	stack    *stack.Stack
	env      map[string]string
	admin    *kadm.Client
	replicas []replica
	produced atomic.Uint64
	did      incidents // of chaos
	clock    phases
}

// run starts everything, produces, waits, and on the way out shows and checks what is in BigQuery.
func run(ctx context.Context, opts options, out *console) (err error) {
	d := &demo{opts: opts, out: out}
	d.clock.begin = time.Now()
	// What was produced by the time of Ctrl-C is still exported and shown.
	whole, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	cfg := stack.Config{Partitions: int32(opts.partitions), Dir: opts.data, JSON: opts.json}
	if opts.chaos {
		cfg.MinSessionTimeout = chaosSession
	}
	if d.stack, err = stack.Start(whole, cfg); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stack.Close()) }()
	client, err := kgo.NewClient(kgo.SeedBrokers(d.stack.Kafka.Addrs()...))
	if err != nil {
		return err
	}
	defer client.Close()
	d.admin = kadm.NewClient(client)
	d.env = d.stack.Env(opts.period)
	d.env["TIDEMARK_MAX_RECORD_SIZE"] = fmt.Sprint(maxRecord)
	if opts.chaos {
		maps.Copy(d.env, chaosEnv())
	}
	d.introduce()
	if err := d.export(ctx, whole); err != nil {
		return err
	}
	d.clock.exported = time.Now()
	out.progress("")
	return d.finish(whole)
}

func (d *demo) introduce() {
	d.out.say("seed       %d (repeat with --seed %d)", d.opts.seed, d.opts.seed)
	d.out.say("Kafka      %s, topics %s, group tidemark", d.stack.Kafka.Addrs()[0], strings.Join(topics(), ", "))
	d.out.say("Storage    %s, bucket %s", d.stack.GCS.Endpoint(), stack.Bucket)
	d.out.say("BigQuery   %s, tables %s and %s", d.stack.BigQuery.Endpoint(), stack.EventsTable(), stack.PersonsTable)
	d.out.say("periods    of %s, %d replicas; metrics and /status at the addresses logged below", d.opts.period, d.opts.replicas)
}

// export runs replicas and producer until everything wanted is visible or ctx ends, then lets the replicas hand over.
func (d *demo) export(ctx, whole context.Context) error {
	for range d.opts.replicas {
		r, err := d.startReplica()
		if err != nil {
			return err
		}
		d.replicas = append(d.replicas, r)
	}
	work, cancel := context.WithCancel(whole)
	defer cancel()
	g, work := errgroup.WithContext(work)
	if d.opts.chaos {
		c := &chaos{random: rand.New(rand.NewPCG(d.opts.seed, 1)), replicas: d.replicas, start: d.startReplica, visible: d.visibleNow, say: d.out.say}
		g.Go(func() error {
			defer func() { d.did = c.did }()
			return c.run(work)
		})
	} else {
		g.Go(func() error { return d.watch(work) })
	}
	g.Go(func() error {
		defer cancel() // ends chaos and watching
		if err := d.produce(ctx, work); err != nil {
			return err
		}
		return d.waitVisible(work)
	})
	err := g.Wait()
	return errors.Join(err, d.stopReplicas())
}

func (d *demo) startReplica() (replica, error) {
	if d.opts.chaos {
		return startProcess(d.env, d.out)
	}
	return startGoroutine(context.Background(), d.env, d.out)
}

// watch reports a replica that ends by itself.
func (d *demo) watch(ctx context.Context) error {
	ended := make(chan error, len(d.replicas))
	for i, r := range d.replicas {
		go func() {
			<-r.done()
			ended <- fmt.Errorf("replica %d ended by itself: %w", i, r.err())
		}()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

func (d *demo) stopReplicas() error {
	var errs []error
	for _, r := range d.replicas {
		errs = append(errs, r.signal(syscall.SIGTERM))
	}
	for i, r := range d.replicas {
		<-r.done()
		if err := r.err(); err != nil {
			errs = append(errs, fmt.Errorf("replica %d: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

func (d *demo) produce(ctx, whole context.Context) error {
	cfg := generator.Config{Seed: d.opts.seed, Teams: d.opts.teams, Start: time.Now(), MaxBytes: maxRecord, Oversized: 0.00005}
	if d.opts.large {
		cfg.Profile = generator.ProfileLarge
	}
	if d.opts.rate > 0 {
		cfg.Interval = time.Duration(float64(time.Second) / d.opts.rate)
	}
	gen, err := generator.New(cfg)
	if err != nil {
		return err
	}
	stopped, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(whole, cancel)
	defer stop()
	stats, err := generator.Produce(stopped, gen, generator.ProduceOptions{Brokers: d.stack.Kafka.Addrs(), Topic: stack.Topic,
		PersonTopic: stack.PersonsTopic, MappingTopic: stack.DistinctIDsTopic, Records: d.opts.records, Rate: d.opts.rate}, d.report)
	d.clock.produced = time.Now()
	d.out.say("produced   %d events, %d MB, %d of them not exportable on purpose", stats.Records, stats.Bytes>>20, stats.Rejected())
	d.out.say("           %d messages of persons and %d of distinct ids, in any order, %d not exportable on purpose",
		stats.Persons.Persons, stats.Persons.Mappings, stats.Persons.Rejected)
	d.out.say("waiting    until all of it is in BigQuery, at most a period of %s; Ctrl-C leaves at once", d.opts.period)
	return err
}

// report shows progress: what is produced and what is committed, which means visible in BigQuery.
func (d *demo) report(acknowledged uint64) {
	d.produced.Store(acknowledged)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	visible, _, err := d.committed(ctx)
	if err == nil {
		d.out.progress("%s  produced %d  exported %d", time.Now().Format(time.TimeOnly), acknowledged, visible)
	}
}

// visibleNow is what is committed, 0 while Kafka does not say.
func (d *demo) visibleNow() int64 {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	visible, _, _ := d.committed(ctx) // 0 with an error
	return visible
}

// waitVisible waits until every partition is committed to its end.
func (d *demo) waitVisible(ctx context.Context) error {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		visible, behind, err := d.committed(ctx)
		if err == nil && behind == 0 {
			return nil
		}
		d.out.progress("%s  produced %d  exported %d  to go %d", time.Now().Format(time.TimeOnly), d.produced.Load(), visible, behind)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// committed sums up the group's committed offsets and how far they are behind the end.
func (d *demo) committed(ctx context.Context) (visible, behind int64, err error) {
	ends, err := d.admin.ListEndOffsets(ctx, topics()...)
	if err != nil {
		return 0, 0, err
	}
	offsets, err := d.admin.FetchOffsets(ctx, d.group())
	if err != nil {
		return 0, 0, err
	}
	ends.Each(func(e kadm.ListedOffset) {
		at := int64(0)
		if o, ok := offsets.Lookup(e.Topic, e.Partition); ok {
			at = max(o.At, 0)
		}
		visible += at
		behind += e.Offset - at
	})
	return visible, behind, nil
}

func topics() []string { return []string{stack.Topic, stack.PersonsTopic, stack.DistinctIDsTopic} }

// group is the consumer group: a variable of the caller's environment applies here as well.
func (d *demo) group() string {
	if g := os.Getenv("TIDEMARK_GROUP"); g != "" {
		return g
	}
	return "tidemark"
}
