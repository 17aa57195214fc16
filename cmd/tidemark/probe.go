package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"tidemark/probe"
	"tidemark/service"
)

const probeLong = `Asks BigQuery and Cloud Storage what tidemark assumes about them, and says for each assumption whether it is CONFIRMED,
DIFFERENT, or COULD NOT RUN. It takes about five minutes and about one cent, needs no Kafka, and touches none of your tables:
it works on tables tidemark_probe_… that expire after an hour, and on objects below TIDEMARK_PREFIX/probe/, and removes them at its
end, also after Ctrl-C. It may be repeated, and run beside replicas.

Set TIDEMARK_PROJECT, TIDEMARK_DATASET and TIDEMARK_BUCKET as for "tidemark run". The probes:

  P0  the environment: expirations, collation, locations, billing, lifecycle rules, permissions
  P1  transactions that overlap: the fence that keeps two replicas from inserting one person
  P2  files of the real encoder, loaded into a table as people make them
  P3  JSON documents and dates at the limits
  P4  P1 and P2 as an account with exactly README's permissions (needs --impersonate)
  P5  an upload whose name is taken
  P6  what a merge is billed
  P7  errors of jobs
  P8  collation and expiration of datasets (needs the right to create datasets)

docs/probe.md explains every question and answer. Exit code 0: everything was confirmed or could not be asked, for the
reason that is given; 1: something is DIFFERENT, or nothing could be asked; 2: called wrongly.`

func probeCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "probe", Short: "Ask BigQuery and Cloud Storage what tidemark assumes about them", Long: probeLong, Args: cobra.NoArgs,
		Example: "  tidemark probe\n  tidemark probe --dataset scratch --out probe.json\n  tidemark probe --only P1,P2 --max-cost 0.01",
	}
	var flags probe.Config
	f := c.Flags()
	f.StringVar(&flags.Scratch, "dataset", "", "existing dataset for the scratch tables (default TIDEMARK_DATASET)")
	f.Float64Var(&flags.MaxCost, "max-cost", probe.DefaultMaxCost, "most that all queries together may be billed, in US dollars on demand")
	f.StringSliceVar(&flags.Only, "only", nil, "probes to run, such as P1,P2 (default all)")
	f.StringVar(&flags.Account, "impersonate", "", "service account that P4 and P5 act as")
	f.Int64Var(&flags.MergeBytes, "merge-bytes", probe.DefaultMergeBytes, "bytes of the table that P6 merges into")
	f.DurationVar(&flags.Overlap, "overlap", probe.DefaultOverlap, "how long P1 keeps a transaction open while another one runs")
	out := f.String("out", "", "file for the raw job resources, a JSON array")
	f.Bool("json", false, "print one JSON document instead of the table")
	c.RunE = func(c *cobra.Command, _ []string) error { return failed(runProbe(c, flags, *out)) }
	return c
}

func runProbe(c *cobra.Command, flags probe.Config, out string) error {
	cfg, _, err := readConfig(service.ReadProbeConfig)
	if err != nil {
		return err
	}
	cfg.Scratch, cfg.MaxCost, cfg.Only, cfg.Account = flags.Scratch, flags.MaxCost, flags.Only, flags.Account
	cfg.MergeBytes, cfg.Overlap = flags.MergeBytes, flags.Overlap
	if err := cfg.Validate(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once; what is left expires
	return probeInto(ctx, c, cfg, out)
}

// probeInto runs the probes and prints what they found, also of a run that was interrupted.
func probeInto(ctx context.Context, c *cobra.Command, cfg probe.Config, out string) (err error) {
	var file *os.File
	if out != "" { // before five minutes are spent for a name that cannot be written
		if file, err = os.Create(out); err != nil {
			return fmt.Errorf("file of --out: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
	}
	say := func(format string, args ...any) { fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...) }
	report, err := probe.Run(ctx, cfg, probe.Connect(cfg), say)
	if len(report.Answers) > 0 {
		table := func(w io.Writer, r *probe.Report) { r.WriteTable(w) }
		err = errors.Join(err, print(c, report, table))
	}
	if file != nil {
		err = errors.Join(err, report.WriteRecords(file))
	}
	if n := report.Count(probe.Different); err == nil && n > 0 {
		return fmt.Errorf("%d answers are DIFFERENT from what the code assumes; the table says what each means", n)
	}
	return err
}
