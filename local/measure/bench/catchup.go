package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"tidemark/batch"
)

// measureCatchUp exports a topic that looks like production's, from its start, and compares the largest resident set with what the
// documentation promises: 1.25 times TIDEMARK_BUFFER_MEMORY and 128 MiB, whatever brokers and batches there are.
func measureCatchUp(ctx context.Context, opts options) error {
	var budget batch.Size
	if err := budget.Decode(opts.memory); err != nil {
		return fmt.Errorf("--memory: %w", err)
	}
	bound := uint64(budget) + uint64(budget)/4 + 128<<20
	var all []measurement
	err := withTopic(ctx, opts, opts.variants[0], func(t task) error {
		for n := range opts.count {
			m, _, err := measureExport(ctx, opts, t, fmt.Sprintf("catch-up-%d", n), nil)
			if err != nil {
				return err
			}
			all = append(all, m)
		}
		return nil
	})
	if err != nil {
		return err
	}
	t := table{header: []string{"records/s", "MB/s", "CPU µs/rec", "bytes/rec", "peak RSS MiB", "bound MiB"}}
	over := false
	for _, m := range all {
		over = over || m.PeakBytes > bound
		t.rows = append(t.rows, []string{
			fmt.Sprintf("%.0f", m.rate()), fmt.Sprintf("%.0f", m.rate()*m.perRecord(float64(m.ValueBytes))/1e6), fmt.Sprintf("%.2f", m.cpuMicros()),
			fmt.Sprintf("%.0f", m.perRecord(float64(m.ValueBytes))), fmt.Sprint(m.PeakBytes >> 20), fmt.Sprint(bound >> 20),
		})
	}
	fmt.Fprintf(os.Stdout, "%s, %d records, %d brokers, %d partitions, %s:\n", opts.variants[0], opts.records, opts.nodes, opts.partitions, opts.memory)
	if err := t.print(opts); err != nil || !over {
		return err
	}
	return errors.New("the process took more memory than the documentation promises")
}
