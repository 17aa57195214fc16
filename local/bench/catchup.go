package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"tidemark/buffer"
)

const (
	// fullBatch is how many bytes go to one partition before the next: the uncompressed size that librdkafka and Kafka's
	// own producer let a batch have. The fuller a batch, the better it compresses, and the more memory a fetch becomes.
	fullBatch = 1 << 20
	// lookEvery is how often the process is looked at. Its peak is the system's, so none is missed.
	lookEvery = 50 * time.Millisecond
)

// backlog is what a run of tidemark's command over a backlog has taken.
type backlog struct {
	peak    uint64        // largest resident set, in bytes
	fetched float64       // largest tidemark_fetched_bytes seen
	wall    time.Duration // until everything was in batches
	cpu     time.Duration // of the whole process
}

// measureCatchUp measures the memory that tidemark takes while it reads a backlog as fast as it can, with many brokers
// that answer at once and batches that decompress to many times their size. More than documented is an error. It runs the
// command itself: this program's own file, with all the emulators, takes 40 MiB more of memory.
func measureCatchUp(ctx context.Context, opts options) (err error) {
	bound, err := memoryBound(opts.memory)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tidemark-command-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", dir, "tidemark/cmd/tidemark").CombinedOutput(); err != nil {
		return fmt.Errorf("build tidemark: %w: %s", err, out)
	}
	return withTopic(ctx, opts, opts.variants[0], func(t task) error {
		for n := range opts.count {
			b, err := catchUp(ctx, opts, t, filepath.Join(dir, "tidemark"), fmt.Sprintf("catchup-%d", n))
			if err != nil {
				return err
			}
			if err := b.report(opts, t, bound); err != nil {
				return err
			}
		}
		return nil
	})
}

// report prints what was measured next to the bound.
func (b backlog) report(opts options, t task, bound uint64) error {
	fmt.Fprintf(os.Stdout, "%s, %d records, %d partitions, %d brokers, %s: peak RSS %d MiB of at most %d; fetched ahead at most %d MiB; %.0f records/s, %.1f µs of CPU time a record\n",
		t.Variant, t.Records, t.Partitions, t.Nodes, opts.memory, b.peak>>20, bound>>20, int64(b.fetched)>>20,
		float64(t.Records)/b.wall.Seconds(), float64(b.cpu.Microseconds())/float64(t.Records))
	if b.peak > bound {
		return fmt.Errorf("peak RSS is %d MiB; want at most 1.25 times the budget of %s and 128 MiB, which is %d MiB", b.peak>>20, opts.memory, bound>>20)
	}
	return nil
}

// memoryBound is what the documentation of TIDEMARK_BUFFER_MEMORY promises.
func memoryBound(memory string) (uint64, error) {
	var budget buffer.Size
	if err := budget.Decode(memory); err != nil {
		return 0, fmt.Errorf("--memory: %w", err)
	}
	return uint64(budget+budget/4) + 128<<20, nil
}

// catchUp runs the command until every record is in a batch, and then until it has handed over.
func catchUp(ctx context.Context, opts options, t task, program, group string) (b backlog, err error) {
	e, err := startEmulators(ctx, time.Hour)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	env := e.environment(opts, t, group)
	env["TIDEMARK_LOG_LEVEL"] = "info" // it tells the address of the metrics
	s, err := serveCommand(ctx, program, env)
	if err != nil {
		return b, err
	}
	begun := time.Now()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-s.ended:
			if b.wall == 0 {
				err = errors.Join(errors.New("tidemark ended by itself"), err)
			}
			b.cpu = s.cmd.ProcessState.UserTime() + s.cmd.ProcessState.SystemTime()
			return b, err
		case <-tick.C:
		}
		b.peak = max(b.peak, peakBytesOf(strconv.Itoa(s.cmd.Process.Pid)))
		if b.wall > 0 {
			continue
		}
		m, err := s.metrics(ctx, "tidemark_records_consumed_total", "tidemark_fetched_bytes")
		if err != nil {
			return b, errors.Join(err, s.kill())
		}
		b.fetched = max(b.fetched, m["tidemark_fetched_bytes"])
		if m["tidemark_records_consumed_total"] >= float64(t.Records) {
			b.wall = time.Since(begun)
			if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				return b, errors.Join(err, s.kill())
			}
		}
	}
}
