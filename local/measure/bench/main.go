package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) == 2 && isRole(os.Args[1]) {
		os.Exit(playRole(os.Args[1]))
	}
	opts, err := parseOptions(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, opts); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		stop()
		os.Exit(1)
	}
}

// run does what the flags ask for.
func run(ctx context.Context, opts options) error {
	switch {
	case opts.cores:
		return measureCores(ctx, opts)
	case opts.idle > 0:
		return measureIdle(ctx, opts)
	case opts.boundary != "":
		return measureBoundary(ctx, opts)
	case opts.catchUp:
		return measureCatchUp(ctx, opts)
	case opts.merge:
		return measureMerge(ctx, opts)
	case opts.flames != "":
		return drawFlames(ctx, opts)
	}
	return measureVariants(ctx, opts)
}

// measureVariants prints the table of the variants, also that of those measured before an error.
func measureVariants(ctx context.Context, opts options) error {
	var rows []row
	for _, v := range opts.variants {
		r, err := measure(ctx, opts, v)
		if err != nil {
			return errors.Join(fmt.Errorf("variant %s: %w", v, err), tableOf(rows).text(os.Stdout))
		}
		rows = append(rows, r)
		fmt.Fprintln(os.Stderr, r.line())
	}
	return tableOf(rows).print(opts)
}
