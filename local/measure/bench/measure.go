package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"tidemark/batch"
)

const (
	project  = "local"
	dataset  = "posthog"
	bucket   = "bench"
	location = "US"
)

// withTopic calls f with a broker that holds as many of the variant's messages as opts has records.
func withTopic(ctx context.Context, opts options, v variant, f func(task) error) (err error) {
	dir, err := os.MkdirTemp("", "tidemark-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	t := task{Variant: v, Records: opts.records, Partitions: opts.partitions, Nodes: opts.nodes, Dir: dir}
	b, err := startBroker(ctx, t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	t.Brokers = b.addrs
	if _, err := fill(ctx, t, 0); err != nil {
		return err
	}
	return f(t)
}

// measure fills a topic and has it read by the ceilings and by tidemark.
func measure(ctx context.Context, opts options, v variant) (r row, err error) {
	r.variant = v
	return r, withTopic(ctx, opts, v, func(t task) error {
		for n := range opts.count {
			if opts.profile != "" && n == 0 {
				t.Profile = filepath.Join(opts.profile, strings.ReplaceAll(v.String(), "/", "-"))
			}
			if opts.ceilings {
				if err := r.add(ctx, &r.a, rolePoll, t); err != nil {
					return err
				}
				if err := r.add(ctx, &r.b, roleCompress, t); err != nil {
					return err
				}
			}
			m, o, err := measureExport(ctx, opts, t, fmt.Sprintf("run-%d", n), nil)
			if err != nil {
				return err
			}
			r.tidemark, r.objects = append(r.tidemark, m), o
		}
		return nil
	})
}

func (r *row) add(ctx context.Context, list *[]measurement, role string, t task) error {
	m, err := play(ctx, role, t, nil)
	*list = append(*list, m)
	return err
}

// measureExport runs tidemark against fresh emulators and checks that its manifests hold every record. more is added to
// its environment.
func measureExport(ctx context.Context, opts options, t task, group string, more map[string]string) (m measurement, o objects, err error) {
	// A load job that tidemark submits in its last moments would only disturb the next measurement.
	e, err := startEmulators(ctx, time.Hour)
	if err != nil {
		return m, o, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	env := e.environment(opts, t, group)
	maps.Copy(env, more)
	if m, err = play(ctx, roleTidemark, t, env); err != nil {
		return m, o, err
	}
	if o, err = look(ctx, e.client); err == nil && o.records != int64(t.Records) {
		err = fmt.Errorf("manifests hold %d records; want %d", o.records, t.Records)
	}
	return m, o, err
}

// objects is what tidemark left in the bucket.
type objects struct {
	parts   int
	bytes   int64 // of the parts
	records int64 // of the manifests' ranges
}

func look(ctx context.Context, client *storage.Client) (o objects, err error) {
	all := client.Bucket(bucket).Objects(ctx, nil)
	for {
		attrs, err := all.Next()
		if errors.Is(err, iterator.Done) {
			return o, nil
		}
		if err != nil {
			return o, fmt.Errorf("list objects: %w", err)
		}
		switch {
		case strings.Contains(attrs.Name, "/parts/"):
			o.parts++
			o.bytes += attrs.Size
		case strings.Contains(attrs.Name, "/batches/"):
			m, err := readManifest(ctx, client, attrs.Name)
			if err != nil {
				return o, fmt.Errorf("read %s: %w", attrs.Name, err)
			}
			o.records += recordsOf(m)
		}
	}
}

func readManifest(ctx context.Context, client *storage.Client, name string) (m batch.Manifest, err error) {
	r, err := client.Bucket(bucket).Object(name).NewReader(ctx)
	if err != nil {
		return m, err
	}
	defer r.Close() // nothing is lost by a failing Close of a reader
	return m, json.NewDecoder(r).Decode(&m)
}

// recordsOf counts the records of a manifest's ranges.
func recordsOf(m batch.Manifest) (n int64) {
	for _, r := range m.Ranges {
		n += r.Records
	}
	return n
}
