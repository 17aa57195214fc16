package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// drawFlames profiles tidemark on one variant and draws its CPU time.
func drawFlames(ctx context.Context, opts options) (err error) {
	if opts.profile == "" {
		if opts.profile, err = os.MkdirTemp("", "tidemark-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(opts.profile)) }()
	}
	v := opts.variants[0]
	opts.ceilings = false
	r, err := measure(ctx, opts, v)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, r.line())
	f, err := os.Open(filepath.Join(opts.profile, strings.ReplaceAll(v.String(), "/", "-")+".cpu.pprof"))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	root, err := readFlames(f)
	if err != nil {
		return fmt.Errorf("read CPU profile: %w", err)
	}
	sub := fmt.Sprintf("%s, %d records, memory budget %s, %.1f CPU µs per record", v, opts.records, opts.memory, median(r.tidemark).cpuMicros())
	return writeFile(opts.flames, func(w io.Writer) error { return root.write(w, "Where tidemark's CPU time goes", sub) })
}

// flame is a function as called from those above it.
type flame struct {
	name    string
	nanos   int64 // with everything it calls
	callees []*flame
	shares  map[string]int64 // of the root: nanos by area
}

// readFlames builds the tree of a CPU profile.
func readFlames(r io.Reader) (*flame, error) {
	p, err := profile.Parse(r)
	if err != nil {
		return nil, err
	}
	value := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == "cpu" && t.Unit == "nanoseconds" })
	if value < 0 {
		return nil, errors.New("no samples of cpu in nanoseconds; want a CPU profile")
	}
	root := &flame{name: "all", shares: map[string]int64{}}
	for _, s := range p.Sample {
		stack := functions(s)
		root.add(stack, s.Value[value])
		root.shares[stackArea(stack)] += s.Value[value]
	}
	if root.nanos == 0 {
		return nil, errors.New("no samples; want some seconds of work")
	}
	root.sort()
	return root, nil
}

// functions lists a sample's functions, callers first, without what only says how Go works: the signal that took the
// sample, what every goroutine begins with, and what functions of the runtime call in turn.
func functions(s *profile.Sample) (stack []string) {
	inRuntime := false
	for _, location := range slices.Backward(s.Location) {
		for _, line := range slices.Backward(location.Line) {
			name := line.Function.Name
			if strings.HasPrefix(name, "runtime.asyncPreempt") || name == "runtime.goexit" {
				continue
			}
			runtime := strings.HasPrefix(name, "runtime.")
			if !runtime || !inRuntime {
				stack = append(stack, name)
			}
			inRuntime = runtime
		}
	}
	return stack
}

func (f *flame) add(stack []string, nanos int64) {
	f.nanos += nanos
	if len(stack) == 0 {
		return
	}
	at := slices.IndexFunc(f.callees, func(c *flame) bool { return c.name == stack[0] })
	if at < 0 {
		at = len(f.callees)
		f.callees = append(f.callees, &flame{name: stack[0]})
	}
	f.callees[at].add(stack[1:], nanos)
}

// sort puts the largest first, so that two pictures of nearly the same profile look alike.
func (f *flame) sort() {
	slices.SortFunc(f.callees, func(a, b *flame) int {
		if a.nanos != b.nanos {
			return int(b.nanos - a.nanos)
		}
		return strings.Compare(a.name, b.name)
	})
	for _, c := range f.callees {
		c.sort()
	}
}

// area is a part of the program by the package of its functions.
type area struct{ name, color, packages string }

// areas are tried in this order.
func areas() []area {
	return []area{
		{"compressing pages (zstd)", "#f4a582", "github.com/klauspost/compress/zstd. github.com/klauspost/compress/huff0. github.com/klauspost/compress/fse."},
		{"Parquet encoding", "#fddbae", "github.com/apache/arrow/go/v17/parquet tidemark/loader."},
		{"decoding messages, filling columns", "#92c5de", "tidemark/model."},
		{"Arrow buffers, finding duplicates", "#a6d9a5", "tidemark/buffer. github.com/apache/arrow/go/v17/arrow"},
		{"Kafka client, its decompression", "#c9b3dd", "github.com/twmb/franz-go github.com/pierrec/lz4 github.com/klauspost/compress/s2. tidemark/consumer."},
		{"uploads", "#e7c9e0", "net/http. cloud.google.com/go/storage"},
		{"garbage collection, scheduler, the rest", "#d9d9d9", ""},
	}
}

// areaOf finds the area of a function; ok is false for those that work for whoever calls them.
func areaOf(function string) (a area, ok bool) {
	all := areas()
	for _, a := range all {
		for _, prefix := range strings.Fields(a.packages) {
			if strings.HasPrefix(function, prefix) {
				return a, true
			}
		}
	}
	return all[len(all)-1], false
}

// stackArea is the area that a sample counts for: that of the innermost function that has one.
func stackArea(stack []string) string {
	for _, function := range slices.Backward(stack) {
		if a, ok := areaOf(function); ok {
			return a.name
		}
	}
	return areas()[len(areas())-1].name
}
