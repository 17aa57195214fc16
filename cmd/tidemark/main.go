// Command tidemark exports PostHog's events and persons from Kafka to BigQuery, exactly once.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"tidemark/service"
)

const usage = `tidemark streams PostHog's events and persons from Kafka into BigQuery, exactly once.

Usage:
  tidemark run        export until SIGTERM or SIGINT, then hand over and exit
  tidemark version    print version, commit and Go
  tidemark docs       print docs/configuration.md

"tidemark run --help" lists every environment variable.
`

const runUsage = `Usage: tidemark run

Exports until SIGTERM or SIGINT, then uploads and prepares what is in memory and exits; another replica, or the next
start, finishes it and reads nothing again. A second signal ends the process at once; nothing is lost then either, but
what was in memory is read again. Exit code 1: the configuration is wrong, or something it names was not found.

Environment variables:

`

func main() { os.Exit(command(os.Args[1:], os.Stdout, os.Stderr)) }

// command returns the exit code: 0 done, 1 failed, 2 called wrongly.
func command(args []string, stdout, stderr io.Writer) int {
	var name string
	if len(args) > 0 {
		name = args[0]
	}
	help := len(args) > 1 && (args[1] == "--help" || args[1] == "-h" || args[1] == "help")
	switch {
	case len(args) > 2 || len(args) == 2 && !help:
		fmt.Fprintf(stderr, "tidemark %s takes no arguments, found %q\n\n%s", name, args[1], usage)
		return 2
	case name == "run" && help:
		fmt.Fprint(stdout, runUsage)
		return report(stderr, service.WriteHelp(stdout))
	case name == "run":
		return report(stderr, run(stderr))
	case name == "version" || name == "--version":
		fmt.Fprintln(stdout, version())
		return 0
	case name == "docs":
		return report(stderr, service.WriteMarkdown(stdout))
	case name == "--help" || name == "-h" || name == "help":
		fmt.Fprint(stdout, usage)
		return 0
	default:
		fmt.Fprintf(stderr, "tidemark has no command %q\n\n%s", name, usage)
		return 2
	}
}

func report(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "tidemark: %v\n", err)
	return 1
}

func run(stderr io.Writer) error {
	cfg, warnings, err := service.ReadConfig()
	if err != nil {
		for _, w := range warnings { // a misspelt name is often why another is not set
			err = fmt.Errorf("%w\n%s", err, w)
		}
		return fmt.Errorf("configuration:\n%w", err)
	}
	service.LimitMemory(cfg)
	log := service.NewLogger(stderr, cfg.Service)
	for _, w := range warnings {
		log.Warn(w)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	log.Info("tidemark starts", "version", version(), "group", cfg.Consumer.Group, "models", cfg.Destination.Models, "period", cfg.Consumer.Period)
	if err := service.Run(ctx, cfg, log); err != nil {
		return err
	}
	log.Info("handed over")
	return nil
}

// version reads what the Go linker recorded: module version, commit and toolchain.
func version() string {
	v, commit, modified := "(devel)", "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = " with local changes"
			}
		}
	}
	return fmt.Sprintf("tidemark %s commit %s%s %s", v, commit, modified, runtime.Version())
}
