package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// options are the command's flags.
type options struct {
	records    uint64
	rate       float64
	teams      int
	partitions int
	period     time.Duration
	replicas   int
	seed       uint64
	json       bool
	verify     bool
	chaos      bool
	large      bool
	data       string
}

const (
	// demoRate is how fast an endless demo produces unless told otherwise.
	demoRate = 1000
	// chaosPeriods is over how many periods a number of messages is spread under chaos, so that there is something to hit:
	// 200,000 messages are produced in two seconds otherwise.
	chaosPeriods = 5
)

const usage = `Usage: go run ./local [flags]

Starts an embedded Kafka, Cloud Storage and BigQuery on loopback, produces PostHog-like events and persons, and exports
them with the same service that production runs. Without --records it goes on until Ctrl-C.

  go run ./local
  go run ./local --records 200000 --teams 50 --period 3s --replicas 3 --chaos --verify

Flags:
`

// parseOptions reads the flags. An error is for the user and already printed.
func parseOptions(args []string, out io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("local", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() {
		fmt.Fprint(out, usage)
		fs.PrintDefaults()
	}
	fs.Uint64Var(&o.records, "records", 0, "produce this many messages and exit when all are visible; 0 = endless")
	fs.Float64Var(&o.rate, "rate", 0, "messages per second; 0 = 1,000 when endless, with --records as fast as possible, or over five periods with --chaos")
	fs.IntVar(&o.teams, "teams", 20, "number of teams, of Zipf-like size")
	fs.IntVar(&o.partitions, "partitions", 8, "partitions of the topic")
	fs.DurationVar(&o.period, "period", 10*time.Second, "length of a flush period; must divide 24h")
	fs.IntVar(&o.replicas, "replicas", 1, "tidemark replicas in one consumer group")
	fs.Uint64Var(&o.seed, "seed", 0, "seed of the messages and of the chaos; 0 = a random one, printed")
	fs.BoolVar(&o.json, "json-columns", false, "give the table JSON instead of STRING columns for documents")
	fs.BoolVar(&o.verify, "verify", false, "at the end compare BigQuery with a plain fold of the topic; exit code 1 if they differ")
	fs.BoolVar(&o.chaos, "chaos", false, "run the replicas as processes and kill, stop and freeze them at random")
	fs.BoolVar(&o.large, "large", false, "events of 2.6 KB instead of 1 KB")
	fs.StringVar(&o.data, "data", "", "directory that keeps everything for the next run; empty = temporary")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if err := o.validate(fs.Args()); err != nil {
		fmt.Fprintf(out, "%v\n\n--help lists all flags\n", err)
		return o, err
	}
	if o.seed == 0 {
		o.seed = rand.Uint64()>>32 + 1
	}
	switch {
	case o.rate > 0:
	case o.records == 0:
		o.rate = demoRate
	case o.chaos:
		o.rate = float64(o.records) / (chaosPeriods * o.period.Seconds())
	}
	return o, nil
}

func (o *options) validate(rest []string) error {
	var errs []error
	fault := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(len(rest) == 0, "found %q behind the flags; want flags only", rest)
	fault(o.rate >= 0, "--rate is %g; want 0 or more", o.rate)
	fault(o.teams >= 1, "--teams is %d; want 1 or more", o.teams)
	fault(o.partitions >= 1 && o.partitions <= 1000, "--partitions is %d; want 1 to 1000", o.partitions)
	fault(o.replicas >= 1 && o.replicas <= 20, "--replicas is %d; want 1 to 20", o.replicas)
	fault(o.period >= time.Second && 24*time.Hour%max(o.period, 1) == 0, "--period is %s; want a divisor of 24h from 1s on", o.period)
	return errors.Join(errs...)
}
