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

// run measures the variants and prints their table, also that of those measured before an error.
func run(ctx context.Context, opts options) (err error) {
	var rows []row
	for _, v := range opts.variants {
		r, err := measure(ctx, opts, v)
		if err != nil {
			return errors.Join(fmt.Errorf("variant %s: %w", v, err), writeText(os.Stdout, rows))
		}
		rows = append(rows, r)
		fmt.Fprintln(os.Stderr, r.line())
	}
	if opts.markdown == "" {
		return writeText(os.Stdout, rows)
	}
	f, err := os.Create(opts.markdown)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return errors.Join(writeText(os.Stdout, rows), writeMarkdown(f, rows))
}
