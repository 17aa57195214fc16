package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/service"
)

// export is tidemark's process: it exports the topic with service.Run, and is asked to hand over when everything was
// polled.
func export(ctx context.Context, t task) (measurement, error) {
	cfg, _, err := service.ReadConfig()
	if err != nil {
		return measurement{}, err
	}
	service.LimitMemory(cfg)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	o := &observer{left: t.Records, stop: stop, profile: t.Profile}
	err = service.Run(ctx, cfg, service.NewLogger(os.Stderr, cfg.Service), kgo.WithHooks(o))
	switch {
	case err != nil:
		return measurement{}, err
	case o.left > 0:
		return measurement{}, fmt.Errorf("ended with %d records to go", o.left)
	}
	m := o.meter.end(t.Records, o.valueBytes)
	return m, o.end()
}

// observer sees what the client reads. Its two hooks are all that this process has and the command has not.
type observer struct {
	left       uint64 // records to be polled
	valueBytes uint64
	stop       func()
	profile    string
	first      sync.Once // batch that is read
	meter      *meter
	cpu        *os.File
	err        error
}

// OnFetchBatchRead implements kgo.HookFetchBatchRead; one goroutine per broker calls it.
func (o *observer) OnFetchBatchRead(kgo.BrokerMetadata, string, int32, kgo.FetchBatchMetrics) {
	o.first.Do(o.start)
}

func (o *observer) start() {
	o.meter = begin()
	if o.profile != "" {
		o.cpu, o.err = os.Create(o.profile + ".cpu.pprof")
		if o.err == nil {
			o.err = pprof.StartCPUProfile(o.cpu)
		}
	}
}

// OnFetchRecordUnbuffered implements kgo.HookFetchRecordUnbuffered; the goroutine that polls calls it, and appends what
// it has polled before it looks whether to stop.
func (o *observer) OnFetchRecordUnbuffered(r *kgo.Record, polled bool) {
	if !polled || o.left == 0 {
		return
	}
	o.valueBytes += uint64(len(r.Value))
	if o.left--; o.left == 0 {
		o.stop()
	}
}

// end writes the profiles.
func (o *observer) end() error {
	if o.profile == "" || o.err != nil {
		return o.err
	}
	pprof.StopCPUProfile()
	allocs, err := os.Create(o.profile + ".allocs.pprof")
	if err != nil {
		return errors.Join(err, o.cpu.Close())
	}
	runtime.GC() // the profile is that of the last garbage collection
	return errors.Join(pprof.Lookup("allocs").WriteTo(allocs, 0), allocs.Close(), o.cpu.Close())
}
