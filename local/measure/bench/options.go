package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/local/generator"
)

// variant is one kind of topic.
type variant struct {
	Size  string // of an event, as sizes has it
	Codec string // of a record batch, as codecs has it
	Teams int
}

// String returns the name that --only matches.
func (v variant) String() string { return v.Size + "/" + v.Codec + "/" + strconv.Itoa(v.Teams) }

// allVariants lists every combination, one kind of event after the other.
func allVariants() (all []variant) {
	for _, size := range []string{"1KB", "2.6KB"} {
		for _, codec := range []string{"snappy", "lz4"} {
			for _, teams := range []int{1, 100, 1000} {
				all = append(all, variant{size, codec, teams})
			}
		}
	}
	return append(all, variant{"9KB", "lz4", 100}, variant{"9KB", "zstd", 100})
}

// generator makes the variant's messages. There are none too large for tidemark: one alone would outweigh a thousand.
func (v variant) generator() (*generator.Generator, error) {
	cfg := generator.Config{Seed: 1, Teams: v.Teams, Oversized: -1}
	switch v.Size {
	case "2.6KB":
		cfg.Profile = generator.ProfileLarge
	case "9KB":
		cfg.Profile = generator.ProfileProduction
	}
	return generator.New(cfg)
}

func (v variant) codec() kgo.CompressionCodec {
	switch v.Codec {
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	return kgo.SnappyCompression()
}

// options are the command's flags.
type options struct {
	records    uint64
	count      int
	partitions int
	nodes      int
	memory     string
	markdown   string
	profile    string
	ceilings   bool
	variants   []variant

	// What is measured instead of the variants.
	cores    bool
	idle     time.Duration
	boundary string
	flames   string
	merge    bool
	catchUp  bool

	rows, changes int // with merge

	period  time.Duration // with boundary
	volumes []uint64      // with boundary
}

// typical is the variant that the other measurements are of.
const typical = "^2.6KB/lz4/100$"

// production is the variant that looks like production: local/measure/bench/catchup.go.
const production = "^9KB/zstd/100$"

const usage = `Usage: go run ./local/measure/bench [flags]

Measures tidemark from Kafka to uploaded Parquet parts next to two ceilings; go doc ./local/measure/bench says how.

Flags:
`

// parseOptions reads the flags. An error is for the user and already printed.
func parseOptions(args []string, out io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() {
		fmt.Fprint(out, usage)
		fs.PrintDefaults()
	}
	fs.Uint64Var(&o.records, "records", 200_000, "messages in each topic")
	fs.IntVar(&o.count, "count", 1, "measurements of each variant, of which the median counts")
	fs.IntVar(&o.partitions, "partitions", 8, "partitions of the topic")
	fs.IntVar(&o.nodes, "brokers", 1, "nodes of the embedded Kafka")
	fs.StringVar(&o.memory, "memory", "256MiB", "TIDEMARK_BUFFER_MEMORY; small, so that the budget matters during the run")
	fs.StringVar(&o.markdown, "markdown", "", "also write the table as markdown to this file")
	fs.StringVar(&o.profile, "profile", "", "existing directory for pprof profiles of tidemark (cpu and allocs) by variant")
	fs.BoolVar(&o.ceilings, "ceilings", true, "measure the ceilings A and B")
	only := fs.String("only", "", "regular expression of the variants to measure, for example "+typical+"; the flags below take one and this by default")
	fs.BoolVar(&o.cores, "cores", false, "measure tidemark with GOMAXPROCS of 1, 2, 4 and so on, instead")
	fs.DurationVar(&o.idle, "idle", 0, "measure tidemark for so long with an empty topic, instead; for example 10s")
	fs.StringVar(&o.boundary, "boundary", "", "measure the time from a period's seal to the load job, instead, and draw it into this SVG file")
	fs.DurationVar(&o.period, "period", 20*time.Second, "with --boundary: TIDEMARK_PERIOD")
	volumes := fs.String("volumes", "25000,50000,100000,200000,400000", "with --boundary: messages in each of the periods")
	fs.StringVar(&o.flames, "flamegraph", "", "profile tidemark, instead, and draw its CPU time into this SVG file")
	fs.BoolVar(&o.catchUp, "catch-up", false, "measure the memory that catching up takes, instead: 12 brokers, 512 partitions, events of 9 KB in zstd batches")
	fs.BoolVar(&o.merge, "merge", false, "measure a merge of persons, instead, and what BigQuery would bill for it")
	fs.IntVar(&o.rows, "rows", 10_000_000, "with --merge: rows in the persons table, of half as many persons")
	fs.IntVar(&o.changes, "changes", 1_000_000, "with --merge: keys that are changed")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if o.catchUp {
		*only, o.nodes, o.partitions, o.ceilings = production, 12, 512, false
	}
	if *only == "" && (o.cores || o.idle > 0 || o.boundary != "" || o.flames != "") {
		*only = typical
	}
	if err := errors.Join(o.parseVolumes(*volumes), o.complete(*only, fs.Args())); err != nil {
		fmt.Fprintf(out, "%v\n\n--help lists all flags\n", err)
		return o, err
	}
	return o, nil
}

// parseVolumes reads numbers with commas in between.
func (o *options) parseVolumes(list string) error {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || n == 0 {
			return fmt.Errorf("--volumes has %q; want numbers from 1 on with commas in between", text)
		}
		o.volumes = append(o.volumes, n)
	}
	return nil
}

// complete chooses the variants and checks the rest.
func (o *options) complete(only string, rest []string) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("--only: %w", err)
	}
	var names []string
	for _, v := range allVariants() {
		names = append(names, v.String())
		if pattern.MatchString(v.String()) {
			o.variants = append(o.variants, v)
		}
	}
	var errs []error
	fault := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(len(rest) == 0, "found %q behind the flags; want flags only", rest)
	fault(len(o.variants) > 0, "--only %s matches nothing; want one of %s", only, strings.Join(names, ", "))
	fault(o.records >= 1000, "--records is %d; want 1000 or more", o.records)
	fault(o.count >= 1, "--count is %d; want 1 or more", o.count)
	fault(o.rows >= 100 && o.rows%(2*mergeTeams) == 0, "--rows is %d; want a multiple of %d", o.rows, 2*mergeTeams)
	fault(o.changes >= 10 && o.changes <= o.rows/2, "--changes is %d; want 10 up to half of --rows", o.changes)
	fault(o.period >= 2*time.Second && 24*time.Hour%max(o.period, 1) == 0, "--period is %s; want a divisor of 24h from 2s on", o.period)
	fault(o.nodes >= 1 && o.nodes <= 64, "--brokers is %d; want 1 to 64", o.nodes)
	fault(o.partitions >= 1 && o.partitions <= 1000, "--partitions is %d; want 1 to 1000", o.partitions)
	return errors.Join(errs...)
}
