package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
)

// measureCores exports one topic with 1, 2, 4 and so on of the machine's cores. Whether a core's CPU time buys the same
// number of records however many there are is what tells whether tidemark scales; records per second also depend on
// what broker and emulators leave it.
func measureCores(ctx context.Context, opts options) error {
	t := table{header: []string{"GOMAXPROCS", "records/s", "MB/s", "CPU µs/rec", "records per CPU second", "cores busy", "peak RSS MiB"}}
	err := withTopic(ctx, opts, opts.variants[0], func(task task) error {
		for n := 1; n <= runtime.NumCPU(); n *= 2 {
			var all []measurement
			for i := range opts.count {
				m, _, err := measureExport(ctx, opts, task, fmt.Sprintf("cores-%d-%d", n, i), map[string]string{"GOMAXPROCS": strconv.Itoa(n)})
				if err != nil {
					return fmt.Errorf("%d cores: %w", n, err)
				}
				all = append(all, m)
			}
			t.rows = append(t.rows, coresCells(n, all))
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%s, %d records, %s:\n", opts.variants[0], opts.records, opts.memory)
	return t.print(opts)
}

func coresCells(n int, all []measurement) []string {
	m := median(all)
	return []string{
		strconv.Itoa(n),
		fmt.Sprintf("%.0f", m.rate()),
		fmt.Sprintf("%.0f", m.rate()*m.perRecord(float64(m.ValueBytes))/1e6),
		fmt.Sprintf("%.2f%s", m.cpuMicros(), spread(all)),
		fmt.Sprintf("%.0f", 1e6/m.cpuMicros()),
		fmt.Sprintf("%.2f", m.CPU.Seconds()/m.Wall.Seconds()),
		fmt.Sprintf("%d", m.PeakBytes>>20),
	}
}
