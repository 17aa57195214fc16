// Command local runs tidemark on one machine with nothing installed: it starts an embedded Kafka, Cloud Storage and
// BigQuery on loopback, produces PostHog-like events, and exports them with the same service.Run as production.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"tidemark/service"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == replicaCommand {
		os.Exit(runReplica())
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
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, opts, newConsole(os.Stderr)); err != nil {
		fmt.Fprintf(os.Stderr, "local: %v\n", err)
		stop()
		os.Exit(1)
	}
}

// runReplica is what a replica's process does: the same as "tidemark run".
func runReplica() int {
	cfg, _, err := service.ReadConfig()
	if err == nil {
		service.LimitMemory(cfg)
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		err = service.Run(ctx, cfg, service.NewLogger(os.Stderr, cfg.Service).With(slog.Int("pid", os.Getpid())))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "replica %d: %v\n", os.Getpid(), err)
		return 1
	}
	return 0
}
