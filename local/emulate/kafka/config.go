package kafka

import (
	"errors"
	"fmt"
	"time"
)

// Config describes a broker. The zero value is a usable broker without topics.
type Config struct {
	// Topics are created at the start, with Partitions each, unless DataDir
	// already holds them.
	Topics []string

	// Partitions of every topic; 0 means 6.
	Partitions int32

	// Brokers is the number of listeners that pose as broker nodes; 0 means 1.
	Brokers int

	// Ports are the loopback ports to listen on, one per broker; empty means
	// free ones. A fixed port lets a client reconnect after a restart on DataDir.
	Ports []int

	// DataDir keeps the log and the groups' offsets; it is created when missing
	// and survives Close. Empty means a temporary directory that Close removes.
	DataDir string

	// Memory keeps everything in memory instead of DataDir. The process then
	// grows by more than what is produced: for short tests only.
	Memory bool

	// MaxMessageBytes is the largest record batch the broker takes; 0 means
	// 8 MiB. Kafka's own default (1 MiB) would refuse the oversized messages that
	// local mode produces on purpose.
	MaxMessageBytes int

	// MaxCommitBytes is how many bytes the entries of one offset commit may take together; 0 means Kafka's default for the
	// topic that coordinators keep offsets in, 1,048,588.
	MaxCommitBytes int

	// Heartbeat is the interval at which members of KIP-848 groups hear about a
	// rebalance; 0 means 100ms. kfake's default of 5s makes every rebalance take
	// that long. Members of classic groups choose their own interval.
	Heartbeat time.Duration

	// MinSessionTimeout is the shortest session timeout that members of classic groups
	// may ask for, below which they are refused with INVALID_SESSION_TIMEOUT; 0 means
	// Kafka's default, 6s (group.min.session.timeout.ms). Tests that want dead members
	// to be noticed sooner set it.
	MinSessionTimeout time.Duration

	// RetentionBytes is how much of a partition is kept; 0 means everything.
	// Only whole segments are dropped, of a quarter of it each.
	RetentionBytes int64

	// RetentionInterval is how often retention is applied; 0 means 5s.
	RetentionInterval time.Duration
}

// validate reports all faults of the configuration together.
func (c Config) validate() error {
	var errs []error
	if c.Partitions < 0 {
		errs = append(errs, fmt.Errorf("kafka: partitions is %d; want at least 0 (0 means 6)", c.Partitions))
	}
	if len(c.Ports) > 0 && len(c.Ports) != max(c.Brokers, 1) {
		errs = append(errs, fmt.Errorf("kafka: %d ports for %d brokers; want one each", len(c.Ports), max(c.Brokers, 1)))
	}
	if c.Memory && c.DataDir != "" {
		errs = append(errs, fmt.Errorf("kafka: memory and data directory %q exclude each other", c.DataDir))
	}
	if c.MinSessionTimeout < 0 {
		errs = append(errs, fmt.Errorf("kafka: minimum session timeout is %s; want at least 0 (0 means 6s)", c.MinSessionTimeout))
	}
	if c.RetentionBytes < 0 {
		errs = append(errs, fmt.Errorf("kafka: retention is %d bytes; want at least 0 (0 means everything)", c.RetentionBytes))
	}
	return errors.Join(errs...)
}

// withDefaults fills in what the zero value leaves open.
func (c Config) withDefaults() Config {
	if c.Partitions == 0 {
		c.Partitions = 6
	}
	if c.Brokers == 0 {
		c.Brokers = 1
	}
	if c.MaxMessageBytes == 0 {
		c.MaxMessageBytes = 8 << 20
	}
	if c.MaxCommitBytes == 0 {
		c.MaxCommitBytes = 1_048_588
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 100 * time.Millisecond
	}
	if c.MinSessionTimeout == 0 {
		c.MinSessionTimeout = 6 * time.Second
	}
	if c.RetentionInterval == 0 {
		c.RetentionInterval = 5 * time.Second
	}
	return c
}
