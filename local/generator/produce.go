package generator

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// paceInterval is how often a paced producer sends what is due.
	paceInterval = 10 * time.Millisecond
	// progressInterval is the shortest time between two calls of progress.
	progressInterval = 100 * time.Millisecond
	// drainTimeout is how long the producer waits, once its context has ended,
	// for acknowledgements of what it has sent.
	drainTimeout = 10 * time.Second
	// chunkBytes is the size of the buffers that hold messages on their way.
	chunkBytes = 256 << 10
)

// ProduceOptions says what Produce sends where.
type ProduceOptions struct {
	// Brokers are host:port seeds.
	Brokers []string

	// Topic must exist.
	Topic string

	// PersonTopic and MappingTopic get the messages of Persons that belong among
	// these events, Config.Persons for each. Both empty, there are none.
	PersonTopic, MappingTopic string

	// First is the index of the first event.
	First uint64

	// Records is the number of events; 0 means until the context ends.
	Records uint64

	// Rate is in events per second; 0 means as fast as possible.
	Rate float64

	// Client holds further options of the client, which win over Produce's own.
	Client []kgo.Opt
}

// Stats counts acknowledged messages: events, and apart from them those about
// persons.
type Stats struct {
	Records    uint64
	Bytes      uint64           // of keys and values, uncompressed
	Kinds      [numKinds]uint64 // by Kind
	Partitions map[int32]uint64
	Persons    PersonStats
}

// Rejected returns how many messages a consumer must refuse.
func (s Stats) Rejected() uint64 {
	var n uint64
	for _, kind := range Kinds() {
		if kind.Rejected() {
			n += s.Kinds[kind]
		}
	}
	return n
}

// producer is a run of Produce.
type producer struct {
	gen      *Generator
	client   *kgo.Client
	topic    string
	persons  *personProducer // nil if there are none
	progress func(uint64)
	buf      []byte
	reported time.Time

	mu    sync.Mutex // the client calls back from goroutines of its own
	stats Stats
	err   error // the first
}

// Produce sends messages like PostHog's ingestion (keyed by UUID, snappy,
// idempotent, 20ms of linger, header productTrack, timestamped now), and returns
// when all of them are acknowledged. The end of ctx is not an error: messages
// sent by then are waited for, for 10 seconds, and counted. progress, if not nil,
// is called from the calling goroutine with the number of events acknowledged so
// far, a few times a second and once at the end. Stats is valid also with an error.
func Produce(ctx context.Context, gen *Generator, opts ProduceOptions, progress func(acknowledged uint64)) (Stats, error) {
	if opts.Rate < 0 {
		return Stats{}, fmt.Errorf("generator: rate is %g per second; want at least 0 (0 means unlimited)", opts.Rate)
	}
	persons, err := newPersonProducer(gen, opts)
	if err != nil {
		return Stats{}, err
	}
	client, err := kgo.NewClient(clientOptions(gen, opts)...)
	if err != nil {
		return Stats{}, fmt.Errorf("generator: %w", err)
	}
	defer client.Close()
	p := &producer{gen: gen, client: client, topic: opts.Topic, persons: persons, progress: progress}
	p.stats.Partitions = map[int32]uint64{}

	// Cancelling what the client has buffered would leave unknown which of it
	// arrived, so sending outlives ctx for a while.
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(drainTimeout, cancel)
		context.AfterFunc(sending, func() { timer.Stop() })
	})
	defer stop()
	p.send(ctx, sending, opts)
	if err := client.Flush(sending); err != nil {
		p.fail(fmt.Errorf("flush: %w", err))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.progress != nil {
		p.progress(p.stats.Records)
	}
	if p.err != nil {
		return p.stats, fmt.Errorf("generator: produce to %q: %w", p.topic, p.err)
	}
	return p.stats, nil
}

func clientOptions(gen *Generator, opts ProduceOptions) []kgo.Opt {
	return slices.Concat([]kgo.Opt{
		kgo.SeedBrokers(opts.Brokers...),
		kgo.ClientID("tidemark-generator"),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.SnappyCompression()),
		kgo.ProducerLinger(20 * time.Millisecond),
		// An oversized message must get through, or nobody can refuse it.
		kgo.ProducerBatchMaxBytes(int32(max(1<<20, 2*gen.cfg.MaxBytes+minMaxBytes))),
		kgo.MaxBufferedBytes(64 << 20),
		kgo.RecordDeliveryTimeout(time.Minute),
	}, personOptions(gen, opts), opts.Client)
}

// send sends until all messages are sent, ctx ends or one has failed.
func (p *producer) send(ctx, sending context.Context, opts ProduceOptions) {
	var tick <-chan time.Time
	if opts.Rate > 0 {
		ticker := time.NewTicker(paceInterval)
		defer ticker.Stop()
		tick = ticker.C
	}
	begin := time.Now()
	for sent := uint64(0); opts.Records == 0 || sent < opts.Records; {
		for opts.Rate > 0 && float64(sent) >= time.Since(begin).Seconds()*opts.Rate {
			select {
			case <-ctx.Done():
				return
			case <-tick:
				p.report()
			}
		}
		if ctx.Err() != nil || sent%256 == 0 && p.failed() {
			return
		}
		p.produce(sending, opts.First+sent)
		p.producePersons(sending, opts.First+sent)
		sent++
		if sent%1024 == 0 {
			p.report()
		}
	}
}

// produce hands one message to the client, and blocks while its buffer is full.
func (p *producer) produce(ctx context.Context, i uint64) {
	if cap(p.buf)-len(p.buf) < minMaxBytes {
		p.buf = make([]byte, 0, chunkBytes) // the old one belongs to its records
	}
	start := len(p.buf)
	buf, m := p.gen.Append(p.buf, i)
	if cap(buf) != cap(p.buf) { // grown for an oversized message
		buf = p.buf[:start]
	}
	p.buf = buf
	track := "general"
	if m.AI {
		track = "llma"
	}
	record := &kgo.Record{
		Topic: p.topic, Key: m.Key, Value: m.Value,
		Headers: []kgo.RecordHeader{{Key: "productTrack", Value: []byte(track)}},
	}
	p.client.Produce(ctx, record, func(r *kgo.Record, err error) { p.acknowledge(r, m.Kind, err) })
}

func (p *producer) acknowledge(r *kgo.Record, kind Kind, err error) {
	if err != nil {
		p.fail(err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Records++
	p.stats.Bytes += uint64(len(r.Key) + len(r.Value))
	p.stats.Kinds[kind]++
	p.stats.Partitions[r.Partition]++
}

// report calls progress unless it was called just now.
func (p *producer) report() {
	if p.progress == nil || time.Since(p.reported) < progressInterval {
		return
	}
	p.reported = time.Now()
	p.mu.Lock()
	n := p.stats.Records
	p.mu.Unlock()
	p.progress(n)
}

// fail keeps the first error; those that follow are its consequences.
func (p *producer) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

func (p *producer) failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err != nil
}
