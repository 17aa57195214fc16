package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"syscall"
	"time"
)

// options are the command's flags.
type options struct {
	records    uint64
	partitions int
	kills      int
	seed       uint64
	only       *regexp.Regexp
	markdown   string
	logs       string
	published  bool
}

const usage = `Usage: go run ./local/measure/peers [flags]

Compares tidemark with other ways to get events from Kafka into BigQuery; go doc ./local/measure/peers says how.

Flags:
`

func main() {
	opts, err := parseOptions(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	case runtime.GOOS != "linux":
		fmt.Fprintln(os.Stderr, "peers: skipped: CPU time and memory of other processes are read from /proc, which only Linux has")
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, opts); err != nil {
		fmt.Fprintf(os.Stderr, "peers: %v\n", err)
		stop()
		os.Exit(1)
	}
}

// parseOptions reads the flags. An error is for the user and already printed.
func parseOptions(args []string, out io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("peers", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() {
		fmt.Fprint(out, usage)
		fs.PrintDefaults()
	}
	fs.Uint64Var(&o.records, "records", 200_000, "messages in the topic")
	fs.IntVar(&o.partitions, "partitions", 8, "partitions of the topic")
	fs.IntVar(&o.kills, "kills", 3, "how often each peer is killed in its second run; 0 leaves it and the third run out")
	fs.Uint64Var(&o.seed, "seed", 0, "of the moments of the kills; 0 chooses one, which is printed")
	fs.StringVar(&o.markdown, "markdown", "", "also write the table as markdown to this file")
	fs.StringVar(&o.logs, "logs", "", "existing directory for the peers' logs; without it they are thrown away")
	fs.BoolVar(&o.published, "published", false, "run kafka-connect-bigquery's task as it is published, which asks for the table before every record")
	only := fs.String("only", "", "regular expression of the peers to run, for example tidemark|baseline")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if err := o.complete(*only, fs.Args()); err != nil {
		fmt.Fprintf(out, "%v\n\n--help lists all flags\n", err)
		return o, err
	}
	return o, nil
}

func (o *options) complete(only string, rest []string) (err error) {
	if o.only, err = regexp.Compile(only); err != nil {
		return fmt.Errorf("--only: %w", err)
	}
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	var errs []error
	fault := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(len(rest) == 0, "found %q behind the flags; want flags only", rest)
	fault(o.records >= 1000, "--records is %d; want 1000 or more", o.records)
	fault(o.partitions >= 1 && o.partitions <= 1000, "--partitions is %d; want 1 to 1000", o.partitions)
	fault(o.kills >= 0, "--kills is %d; want 0 or more", o.kills)
	return errors.Join(errs...)
}

// run measures the peers and prints their table, also that of those measured before an error.
func run(ctx context.Context, opts options) (err error) {
	s, err := openStage(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	peers, err := choosePeers(ctx, s)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "seed %d, %d records in %d partitions\n", opts.seed, opts.records, opts.partitions)
	var rows []row
	for _, p := range peers {
		r, err := measurePeer(ctx, s, p)
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", p.name, err), writeText(os.Stdout, rows))
		}
		rows = append(rows, r)
	}
	if err := writeText(os.Stdout, rows); err != nil || opts.markdown == "" {
		return err
	}
	return os.WriteFile(opts.markdown, []byte(markdown(rows)), 0o644)
}

// measurePeer runs a peer three times: left alone, killed at random, and killed between load and commit.
func measurePeer(ctx context.Context, s *stage, p peer) (r row, err error) {
	r.name = p.name
	if r.alone, err = s.play(ctx, p, "alone", nil); err != nil {
		return r, err
	}
	fmt.Fprintf(os.Stderr, "%s: %s\n", p.name, r.alone)
	if s.opts.kills == 0 {
		return r, nil
	}
	k := &killer{random: rand.New(rand.NewPCG(s.opts.seed, 0)), left: s.opts.kills, work: max(r.alone.wall, time.Second)}
	if r.killed, err = s.play(ctx, p, "killed", k); err != nil {
		return r, err
	}
	fmt.Fprintf(os.Stderr, "%s, killed: %s\n", p.name, r.killed)
	if r.worst, err = s.play(ctx, p, "worst", &killer{worst: true}); err != nil {
		return r, err
	}
	fmt.Fprintf(os.Stderr, "%s, killed between load and commit: %s\n", p.name, r.worst)
	return r, nil
}
