package generator

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/local/emulate/kafka"
)

func startPersonBroker(t *testing.T) *kafka.Broker {
	b, err := kafka.Start(kafka.Config{Topics: []string{topic, PersonTopic, MappingTopic}, Partitions: 3, Memory: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func TestProduce_SendsPersonsAmongEvents(t *testing.T) {
	ctx, b := testContext(t), startPersonBroker(t)
	g := newGenerator(t, Config{Malformed: 0.02, Oversized: -1, Persons: 0.35})
	var total PersonStats
	for first := uint64(0); first < 3000; first += 1000 {
		stats, err := Produce(ctx, g, ProduceOptions{Brokers: b.Addrs(), Topic: topic, PersonTopic: PersonTopic, MappingTopic: MappingTopic, First: first, Records: 1000}, nil)
		require.NoError(t, err)
		require.Equal(t, uint64(1000), stats.Records, "persons are counted apart")
		total.Persons += stats.Persons.Persons
		total.Mappings += stats.Persons.Mappings
		total.Rejected += stats.Persons.Rejected
		total.Bytes += stats.Persons.Bytes
	}
	var want PersonStats
	wanted := map[string]int{}
	s := g.Persons()
	for i := range uint64(1050) {
		_, m := s.Append(nil, i)
		wanted[m.Topic+string(m.Value)]++
		want.Bytes += uint64(len(m.Value))
		if m.Rejected {
			want.Rejected++
		}
		if m.Topic == PersonTopic {
			want.Persons++
		} else {
			want.Mappings++
		}
	}
	require.Equal(t, want, total)
	partitions := map[int32]int{}
	for _, r := range consumeFrom(ctx, t, b, 1050, PersonTopic, MappingTopic) {
		require.Nil(t, r.Key)
		wanted[r.Topic+string(r.Value)]--
		partitions[r.Partition]++
	}
	for _, left := range wanted {
		require.Zero(t, left)
	}
	for p := range int32(3) {
		require.InEpsilon(t, 350, partitions[p], 0.5)
	}
}

func TestProduce_EventsAreWhereTheyAreWithoutPersons(t *testing.T) {
	ctx, b, c := testContext(t), startPersonBroker(t), startBroker(t)
	g := newGenerator(t, Config{})
	_, err := Produce(ctx, g, ProduceOptions{Brokers: b.Addrs(), Topic: topic, PersonTopic: PersonTopic, MappingTopic: MappingTopic, Records: 500}, nil)
	require.NoError(t, err)
	stats, err := Produce(ctx, g, ProduceOptions{Brokers: c.Addrs(), Topic: topic, Records: 500}, nil)
	require.NoError(t, err)
	require.Zero(t, stats.Persons)
	type place struct {
		partition int32
		key       string
	}
	places := func(b *kafka.Broker) map[place]int {
		found := map[place]int{}
		for _, r := range consume(ctx, t, b, 500) {
			found[place{r.Partition, string(r.Key)}]++
		}
		return found
	}
	require.Equal(t, places(c), places(b))
}

func TestProduce_WantsBothTopicsOfPersonsOrNeither(t *testing.T) {
	_, err := Produce(testContext(t), newGenerator(t, Config{}), ProduceOptions{Topic: topic, PersonTopic: PersonTopic}, nil)
	require.ErrorContains(t, err, "want both or neither")
}

func TestProduce_NegativeShareMeansNoPersons(t *testing.T) {
	ctx, b := testContext(t), startPersonBroker(t)
	stats, err := Produce(ctx, newGenerator(t, Config{Persons: -1}),
		ProduceOptions{Brokers: b.Addrs(), Topic: topic, PersonTopic: PersonTopic, MappingTopic: MappingTopic, Records: 100}, nil)
	require.NoError(t, err)
	require.Zero(t, stats.Persons)
}

var _ kgo.TopicPartitioner = (*scattered)(nil)
