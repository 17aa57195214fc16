package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/service"
)

// settling is how long after the first fetch the measurement of idling begins: what starting has left is done by then.
const settling = 2 * time.Second

// measureIdle measures what tidemark uses while nothing is produced.
func measureIdle(ctx context.Context, opts options) error {
	opts.records = 0
	return withTopic(ctx, opts, opts.variants[0], func(t task) (err error) {
		t.Idle = opts.idle
		e, err := startEmulators(ctx, time.Hour)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.close()) }()
		m, err := play(ctx, roleIdle, t, e.environment(opts, t, "idle"))
		if err != nil {
			return err
		}
		seconds := m.Wall.Seconds()
		_, err = fmt.Fprintf(os.Stdout, "idle with %d empty partitions for %.0f s: %.2f ms of CPU time, %.0f allocations, %.1f KB a second; peak RSS %d MiB\n",
			t.Partitions, seconds, 1000*m.CPU.Seconds()/seconds, float64(m.Allocs)/seconds, float64(m.AllocBytes)/seconds/1e3, m.PeakBytes>>20)
		return err
	})
}

// idle is tidemark's process: it is measured from a while after it has begun to fetch.
func idle(ctx context.Context, t task) (m measurement, err error) {
	cfg, _, err := service.ReadConfig()
	if err != nil {
		return m, err
	}
	service.LimitMemory(cfg)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	f := &fetching{begun: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx, cfg, service.NewLogger(os.Stderr, cfg.Service), kgo.WithHooks(f)) }()
	var meter *meter
	begun := f.begun
	var timer <-chan time.Time
	for {
		select {
		case err := <-ended:
			return m, errors.Join(errors.New("tidemark ended by itself"), err)
		case <-begun:
			begun, timer = nil, time.After(settling)
		case <-timer:
			if meter != nil {
				m = meter.end(0, 0)
				stop()
				return m, <-ended
			}
			meter, timer = begin(), time.After(t.Idle)
		}
	}
}

// fetching tells when the client asks for records, which means that it has partitions.
type fetching struct {
	once  sync.Once
	begun chan struct{}
}

// OnBrokerWrite implements kgo.HookBrokerWrite.
func (f *fetching) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	if key == int16(kmsg.Fetch) {
		f.once.Do(func() { close(f.begun) })
	}
}

// serve is tidemark's process as in production, except that it is asked to hand over by the end of its input.
func serve(ctx context.Context) error {
	cfg, _, err := service.ReadConfig()
	if err != nil {
		return err
	}
	service.LimitMemory(cfg)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent, however that ends
		stop()
	}()
	return service.Run(ctx, cfg, service.NewLogger(os.Stderr, cfg.Service))
}
