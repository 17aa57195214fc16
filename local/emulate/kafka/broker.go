package kafka

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Broker is a running fake cluster. Its methods are safe for concurrent use.
type Broker struct {
	cluster *kfake.Cluster
	tempDir string // removed on Close; empty when the caller named the directory

	stop   context.CancelFunc
	done   chan struct{} // closed when the retention loop has ended
	closed sync.Once
	err    error // of the removal; read after closed
}

// Start starts the brokers and creates the topics that do not exist yet. The
// caller must Close it. On an error nothing is left behind.
func Start(cfg Config) (*Broker, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	b := &Broker{done: make(chan struct{})}
	if cfg.DataDir == "" && !cfg.Memory {
		dir, err := os.MkdirTemp("", "tidemark-kafka-")
		if err != nil {
			return nil, fmt.Errorf("kafka: create data directory: %w", err)
		}
		cfg.DataDir, b.tempDir = dir, dir
	}
	if err := b.start(cfg); err != nil {
		if b.tempDir != "" {
			_ = os.RemoveAll(b.tempDir) // the first error is the one to tell
		}
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	go b.retain(ctx, cfg)
	return b, nil
}

// start opens the cluster and its topics, and leaves no cluster behind on an error.
func (b *Broker) start(cfg Config) error {
	cluster, err := kfake.NewCluster(options(cfg)...)
	if err != nil {
		return fmt.Errorf("kafka: start broker in %q: %w", cfg.DataDir, err)
	}
	for _, topic := range cfg.Topics {
		if cluster.TopicInfo(topic) != nil {
			continue // from an earlier run on the same directory
		}
		if err := cluster.CreateTopic(topic, cfg.Partitions, topicConfigs(cfg)); err != nil {
			cluster.Close()
			return fmt.Errorf("kafka: create topic %q: %w", topic, err)
		}
	}
	b.cluster = cluster
	cluster.ControlKey(kmsg.OffsetCommit.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := refuseCommit(req.(*kmsg.OffsetCommitRequest), cfg.MaxCommitBytes)
		return resp, nil, resp != nil
	})
	return nil
}

// Addrs returns the host:port of every broker, for a client's seeds.
func (b *Broker) Addrs() []string { return b.cluster.ListenAddrs() }

// Cluster returns the fake itself, through which tests inject faults, move
// leaders and look at groups. A control function that blocks stops the whole
// cluster: use kfake's SleepControl.
func (b *Broker) Cluster() *kfake.Cluster { return b.cluster }

// Close stops the cluster, after what was produced is on disk, and removes the
// data directory if Start made it. It may be called more than once.
func (b *Broker) Close() error {
	b.closed.Do(func() {
		b.stop()
		<-b.done
		b.cluster.Close()
		if b.tempDir != "" {
			b.err = os.RemoveAll(b.tempDir)
		}
	})
	return b.err
}

// retain drops old segments until ctx ends. kfake has a ticker of its own, but
// it runs neither for limits set on the broker nor after a reload from disk.
func (b *Broker) retain(ctx context.Context, cfg Config) {
	defer close(b.done)
	if cfg.RetentionBytes == 0 {
		return
	}
	tick := time.NewTicker(cfg.RetentionInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.cluster.ApplyRetention()
		}
	}
}

// options translates the configuration into kfake's.
func options(cfg Config) []kfake.Opt {
	opts := []kfake.Opt{
		kfake.NumBrokers(cfg.Brokers),
		kfake.DefaultNumPartitions(int(cfg.Partitions)),
		kfake.GroupMinSessionTimeout(cfg.MinSessionTimeout),
		kfake.BrokerConfigs(map[string]string{
			"group.consumer.heartbeat.interval.ms": strconv.FormatInt(cfg.Heartbeat.Milliseconds(), 10),
			"message.max.bytes":                    strconv.Itoa(cfg.MaxMessageBytes),
		}),
	}
	if len(cfg.Ports) > 0 {
		opts = append(opts, kfake.Ports(cfg.Ports...))
	}
	if !cfg.Memory {
		opts = append(opts, kfake.DataDir(cfg.DataDir))
	}
	return opts
}

// topicConfigs sets retention on the topic, where kfake honours it.
func topicConfigs(cfg Config) map[string]string {
	if cfg.RetentionBytes == 0 {
		return nil
	}
	return map[string]string{
		"retention.bytes": strconv.FormatInt(cfg.RetentionBytes, 10),
		"segment.bytes":   strconv.FormatInt(max(cfg.RetentionBytes/4, 1), 10),
	}
}
