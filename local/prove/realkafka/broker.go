package realkafka

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

//go:embed jars.sha256
var jars string

// ErrMissing means that Kafka cannot be run here: the jars have not been fetched, or there is no Java.
var ErrMissing = errors.New("run `make kafka` to fetch Apache Kafka 4; needs Java 17")

const (
	// startLimit bounds how long a node takes until it answers; 4 seconds when it has two processors.
	startLimit = 90 * time.Second
	script     = "kafka.sh"
	server     = "kafka_2.13-" // begins the name of the jar that is the broker
)

// Version returns the version of Apache Kafka that runs: the one that jars.sha256 pins, unless TIDEMARK_KAFKA_DIR holds
// another.
func Version() string {
	names, _ := filepath.Glob(filepath.Join(os.Getenv("TIDEMARK_KAFKA_DIR"), server+"*.jar")) // the pattern is sound
	text := jars
	if len(names) > 0 {
		text = names[0]
	}
	_, rest, _ := strings.Cut(text, "/"+server)
	version, _, _ := strings.Cut(rest, ".jar")
	return version
}

// Broker is one node of Apache Kafka, in KRaft mode, with data in a directory of its own. It survives being killed.
type Broker struct {
	script  string
	dir     string
	ports   [2]int // of clients and of the controller
	log     io.Writer
	process *exec.Cmd
	ended   chan struct{}
}

// Start starts a node with its data in dir and waits until it answers. scriptDir is where kafka.sh lies; log gets
// Kafka's warnings. The error is [ErrMissing] when Kafka is not installed. The caller must Close it.
func Start(ctx context.Context, scriptDir, dir string, log io.Writer) (*Broker, error) {
	if err := installed(); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(filepath.Join(scriptDir, script))
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", script, err)
	}
	b := &Broker{script: path, dir: dir, log: log}
	for i := range b.ports {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		b.ports[i] = port
	}
	if err := b.Run(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// Addr returns host:port for clients. It stays the same when the node is started again.
func (b *Broker) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.ports[0])) }

// Run starts the node again on the same data and ports after Kill, and waits until it answers.
func (b *Broker) Run(ctx context.Context) error {
	b.process = exec.Command(b.script, "start", b.dir, strconv.Itoa(b.ports[0]), strconv.Itoa(b.ports[1]))
	b.process.Stdout, b.process.Stderr = b.log, b.log
	b.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the tests, which stop it
	b.process.Env = append(os.Environ(), "KAFKA_DIES_WITH_STDIN=1")
	_, err := b.process.StdinPipe() // closed when this process ends, however it does
	if err == nil {
		err = b.process.Start()
	}
	if err != nil {
		return fmt.Errorf("start Apache Kafka: %w", err)
	}
	b.ended = make(chan struct{})
	go func() {
		defer close(b.ended)
		_ = b.process.Wait() // it was killed, or says why in its log
	}()
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := b.wait(ctx); err != nil {
		b.Kill()
		return fmt.Errorf("start Apache Kafka %s on %s: %w", Version(), b.Addr(), err)
	}
	return nil
}

// wait returns once the node is unfenced: it names itself in its metadata.
func (b *Broker) wait(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RetryTimeout(time.Second))
	if err != nil {
		return err
	}
	defer client.Close()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
		if err == nil && len(resp.Brokers) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-b.ended:
			return errors.New("it ended by itself; see its log")
		case <-tick.C:
		}
	}
}

// Kill ends the node with SIGKILL and waits for its end. Its data stay.
func (b *Broker) Kill() {
	_ = b.process.Process.Kill() // it may have ended
	<-b.ended
}

// Close ends the node. What is in its directory is the caller's to remove, so there is nothing to be gentle about.
func (b *Broker) Close() { b.Kill() }

// installed looks for Java and every jar.
func installed() error {
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	if _, err := exec.LookPath(java); err != nil {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if os.Getenv("TIDEMARK_KAFKA_DIR") != "" {
		return nil // whatever version lies there
	}
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMissing, err)
		}
		base = filepath.Join(home, ".cache")
	}
	for line := range strings.Lines(jars) {
		name := path.Base(strings.TrimSpace(line))
		if _, err := os.Stat(filepath.Join(base, "tidemark", "kafka-"+Version(), name)); err != nil {
			return fmt.Errorf("%w: %w", ErrMissing, err)
		}
	}
	return nil
}

// freePort finds a port that nobody listens on now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
