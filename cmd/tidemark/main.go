// Command tidemark exports PostHog's events and persons from Kafka to BigQuery, exactly once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"tidemark/service"
)

func main() { os.Exit(command(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// failure is an error of the work itself, not of how the command was called.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// failed tells the work's errors from those of the call.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return failure{err}
}

// command returns the exit code: 0 done, 1 failed or refused, 2 called wrongly.
func command(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	called, err := root.ExecuteC()
	var f failure
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &f):
		fmt.Fprintf(stderr, "tidemark: %v\n", f.error)
		return exitFailed
	}
	fmt.Fprintf(stderr, "tidemark: %v\n\n%s", err, called.UsageString())
	return exitUsage
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "tidemark",
		Short: "Stream PostHog's events and persons from Kafka into BigQuery, exactly once",
		Long: `tidemark streams PostHog's events and persons from Kafka into BigQuery, exactly once.

It is configured by environment variables, which "tidemark run --help" lists; the operator's commands use the same ones.
They work with Kafka, Cloud Storage and BigQuery alone, and those that change something want no replica to run.`,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return errors.New("want a command, such as: tidemark run") },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(runCommand(), probeCommand(), batchesCommand(), offsetsCommand(), tablesCommand(), versionCommand(), docsCommand())
	return root
}

const runLong = `Exports until SIGTERM or SIGINT, then uploads and prepares what is in memory and exits; another replica, or the next
start, finishes it and reads nothing again. A second signal ends the process at once; nothing is lost then either, but
what was in memory is read again. Exit code 1: the configuration is wrong, or something it names was not found.`

func runCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "run", Short: "Export until SIGTERM or SIGINT, then hand over and exit", Long: runLong, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return failed(run(c.ErrOrStderr())) },
	}
	help := c.HelpFunc()
	c.SetHelpFunc(func(c *cobra.Command, args []string) {
		help(c, args)
		fmt.Fprint(c.OutOrStdout(), "\nEnvironment variables:\n\n")
		_ = service.WriteHelp(c.OutOrStdout()) // nobody reads on
	})
	return c
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print version, commit and Go", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			fmt.Fprintln(c.OutOrStdout(), version())
			return nil
		},
	}
}

func docsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "docs", Short: "Print docs/configuration.md", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return failed(service.WriteMarkdown(c.OutOrStdout())) },
	}
}

// readConfig reads the configuration from the environment.
func readConfig[T any](read func() (T, []string, error)) (T, []string, error) {
	cfg, warnings, err := read()
	if err != nil {
		for _, w := range warnings { // a misspelt name is often why another is not set
			err = fmt.Errorf("%w\n%s", err, w)
		}
		return cfg, nil, fmt.Errorf("configuration:\n%w", err)
	}
	return cfg, warnings, nil
}

func run(stderr io.Writer) error {
	cfg, warnings, err := readConfig(service.ReadRunConfig)
	if err != nil {
		return err
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
	return service.Run(ctx, cfg, log)
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
