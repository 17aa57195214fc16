package kafka

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A commit that Apache Kafka with default limits refuses is refused here, too, and nothing of it is stored.
func TestCommit_LargerThanKafkaTakesIsRefusedWhole(t *testing.T) {
	b, err := Start(Config{Topics: []string{"events"}, Partitions: 600, Memory: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	admin := kadm.NewClient(client)
	commit := func(metadata int) error {
		var offsets kadm.Offsets
		for p := range int32(600) {
			offsets.Add(kadm.Offset{Topic: "events", Partition: p, At: 7, LeaderEpoch: -1, Metadata: strings.Repeat("x", metadata)})
		}
		return admin.CommitAllOffsets(t.Context(), "group", offsets)
	}
	require.ErrorIs(t, commit(2000), kerr.UnknownServerError)
	require.ErrorIs(t, commit(4097), kerr.OffsetMetadataTooLarge)
	got, err := admin.FetchOffsets(t.Context(), "group")
	require.True(t, err != nil || len(got) == 0, "nothing is stored")
	require.NoError(t, commit(1500))
}
