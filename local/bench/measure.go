package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"tidemark/batch"
	"tidemark/local/bigquery"
	"tidemark/local/gcs"
)

const (
	project  = "local"
	dataset  = "posthog"
	bucket   = "bench"
	location = "US"
)

// measure fills a topic and has it read by the ceilings and by tidemark.
func measure(ctx context.Context, opts options, v variant) (r row, err error) {
	dir, err := os.MkdirTemp("", "tidemark-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	t := task{Variant: v, Records: opts.records, Partitions: opts.partitions, Dir: dir}
	b, err := startBroker(ctx, t)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	t.Brokers = b.addrs
	if err := fill(ctx, t); err != nil {
		return r, err
	}
	r.variant = v
	for n := range opts.count {
		if opts.profile != "" && n == 0 {
			t.Profile = filepath.Join(opts.profile, strings.ReplaceAll(v.String(), "/", "-"))
		}
		if opts.ceilings {
			if err := r.add(ctx, &r.a, rolePoll, t); err != nil {
				return r, err
			}
			if err := r.add(ctx, &r.b, roleCompress, t); err != nil {
				return r, err
			}
		}
		m, o, err := measureExport(ctx, opts, t, fmt.Sprintf("run-%d", n))
		if err != nil {
			return r, err
		}
		r.tidemark, r.objects = append(r.tidemark, m), o
	}
	return r, nil
}

func (r *row) add(ctx context.Context, list *[]measurement, role string, t task) error {
	m, err := play(ctx, role, t, nil)
	*list = append(*list, m)
	return err
}

// measureExport runs tidemark against fresh emulators and checks that its manifests hold every record.
func measureExport(ctx context.Context, opts options, t task, group string) (m measurement, o objects, err error) {
	store, err := gcs.Start(gcs.Config{Bucket: bucket, Location: location})
	if err != nil {
		return m, o, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	client, err := storage.NewClient(ctx, store.ClientOptions()...)
	if err != nil {
		return m, o, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	// A load job that tidemark submits in its last moments would only disturb the next measurement.
	house, err := bigquery.Start(ctx, bigquery.Config{Objects: bigquery.NewStorageObjects(client), Threads: 1, Pending: time.Hour})
	if err != nil {
		return m, o, err
	}
	defer func() { err = errors.Join(err, house.Close()) }()
	if err := house.CreateDataset(ctx, project, dataset, location); err != nil {
		return m, o, err
	}
	if m, err = play(ctx, roleTidemark, t, environment(opts, t, group, store, house)); err != nil {
		return m, o, err
	}
	if o, err = look(ctx, client); err == nil && o.records != int64(t.Records) {
		err = fmt.Errorf("manifests hold %d records; want %d", o.records, t.Records)
	}
	return m, o, err
}

// environment configures tidemark. The period is as long as can be: a run across midnight UTC has two batches.
func environment(opts options, t task, group string, store *gcs.Server, house *bigquery.Server) map[string]string {
	return map[string]string{
		"TIDEMARK_BROKERS":           strings.Join(t.Brokers, ","),
		"TIDEMARK_GROUP":             group,
		"TIDEMARK_EVENTS_TOPIC":      topic,
		"TIDEMARK_PERIOD":            "24h",
		"TIDEMARK_SHUTDOWN_TIMEOUT":  "5m",
		"TIDEMARK_BUFFER_MEMORY":     opts.memory,
		"TIDEMARK_BUCKET":            bucket,
		"TIDEMARK_PROJECT":           project,
		"TIDEMARK_DATASET":           dataset,
		"TIDEMARK_GCS_ENDPOINT":      store.Endpoint(),
		"TIDEMARK_BIGQUERY_ENDPOINT": house.Endpoint(),
		"TIDEMARK_HTTP_ADDR":         "127.0.0.1:0",
		"TIDEMARK_LOG_LEVEL":         "error",
		"TIDEMARK_LOG_FORMAT":        "text",
	}
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
			n, err := recordsOf(ctx, client, attrs.Name)
			if err != nil {
				return o, fmt.Errorf("read %s: %w", attrs.Name, err)
			}
			o.records += n
		}
	}
}

// recordsOf counts the records of a manifest's ranges.
func recordsOf(ctx context.Context, client *storage.Client, name string) (n int64, err error) {
	r, err := client.Bucket(bucket).Object(name).NewReader(ctx)
	if err != nil {
		return 0, err
	}
	defer r.Close() // nothing is lost by a failing Close of a reader
	var m batch.Manifest
	if err := json.NewDecoder(r).Decode(&m); err != nil {
		return 0, err
	}
	for _, p := range m.Ranges {
		n += p.Records
	}
	return n, nil
}
