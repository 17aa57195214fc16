package generator

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// PersonStats counts acknowledged messages about persons and distinct IDs.
type PersonStats struct {
	Persons, Mappings uint64
	Rejected          uint64 // of both, that a consumer must refuse
	Bytes             uint64 // of values, uncompressed
}

// personProducer is where messages about persons come from and go.
type personProducer struct {
	stream *Persons
	topics map[string]string // by PostHog's names
	buf    []byte
}

// newPersonProducer returns nil if there are no topics.
func newPersonProducer(gen *Generator, opts ProduceOptions) (*personProducer, error) {
	if opts.PersonTopic == "" && opts.MappingTopic == "" {
		return nil, nil
	}
	if opts.PersonTopic == "" || opts.MappingTopic == "" {
		return nil, fmt.Errorf("generator: topics of persons and distinct IDs are %q and %q; want both or neither", opts.PersonTopic, opts.MappingTopic)
	}
	return &personProducer{stream: gen.Persons(), topics: map[string]string{PersonTopic: opts.PersonTopic, MappingTopic: opts.MappingTopic}}, nil
}

// producePersons sends what is due with event i. What that is depends on i alone,
// so that a later call goes on where an earlier one has stopped.
func (p *producer) producePersons(ctx context.Context, i uint64) {
	if p.persons == nil {
		return
	}
	for n := p.gen.personsBefore(i); n < p.gen.personsBefore(i+1); n++ {
		p.producePerson(ctx, n)
	}
}

func (p *producer) producePerson(ctx context.Context, n uint64) {
	s := p.persons
	if cap(s.buf)-len(s.buf) < minMaxBytes {
		s.buf = make([]byte, 0, chunkBytes) // the old one belongs to its records
	}
	var m PersonMessage
	s.buf, m = s.stream.Append(s.buf, n)
	record := &kgo.Record{Topic: s.topics[m.Topic], Value: m.Value}
	p.client.Produce(ctx, record, func(r *kgo.Record, err error) { p.acknowledgePerson(m, err) })
}

func (p *producer) acknowledgePerson(m PersonMessage, err error) {
	if err != nil {
		p.fail(err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	stats := &p.stats.Persons
	stats.Bytes += uint64(len(m.Value))
	if m.Topic == PersonTopic {
		stats.Persons++
	} else {
		stats.Mappings++
	}
	if m.Rejected {
		stats.Rejected++
	}
}

// personOptions are the client's additional options for topics of persons.
func personOptions(gen *Generator, opts ProduceOptions) []kgo.Opt {
	if opts.PersonTopic == "" {
		return nil
	}
	return []kgo.Opt{kgo.RecordPartitioner(scatterer{Partitioner: kgo.StickyKeyPartitioner(nil), seed: gen.cfg.Seed, events: opts.Topic})}
}

// scatterer sends each message about persons to any partition, as librdkafka does
// without a key. The client's own choice, one partition for a batch, would leave
// most versions of a person in order. Events stay with their keys.
type scatterer struct {
	kgo.Partitioner
	seed   uint64
	events string
}

func (s scatterer) ForTopic(topic string) kgo.TopicPartitioner {
	if topic == s.events {
		return s.Partitioner.ForTopic(topic)
	}
	return &scattered{random: newRandom(s.seed, purposePartition)}
}

type scattered struct{ random random }

func (*scattered) RequiresConsistency(*kgo.Record) bool { return false }

func (s *scattered) Partition(_ *kgo.Record, n int) int { return s.random.below(n) }
