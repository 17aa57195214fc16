package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/storage"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/gcs"
)

// emulators are the other end of tidemark, in this process.
type emulators struct {
	store  *gcs.Server
	client *storage.Client
	house  *bigquery.Server
}

// startEmulators starts them; jobs wait for as long as pending before they run.
func startEmulators(ctx context.Context, pending time.Duration) (e *emulators, err error) {
	e = new(emulators)
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start emulators: %w", err), e.close())
		}
	}()
	if e.store, err = gcs.Start(gcs.Config{Bucket: bucket, Location: location}); err != nil {
		return e, err
	}
	if e.client, err = storage.NewClient(ctx, e.store.ClientOptions()...); err != nil {
		return e, err
	}
	e.house, err = bigquery.Start(ctx, bigquery.Config{Objects: bigquery.NewStorageObjects(e.client), Threads: 1, Pending: pending, Async: true})
	if err != nil {
		return e, err
	}
	return e, e.house.CreateDataset(ctx, project, dataset, location)
}

// close stops what was started, clients first.
func (e *emulators) close() error {
	var errs []error
	if e.house != nil {
		errs = append(errs, e.house.Close())
	}
	if e.client != nil {
		errs = append(errs, e.client.Close())
	}
	if e.store != nil {
		errs = append(errs, e.store.Close())
	}
	return errors.Join(errs...)
}

// environment configures tidemark. The period is as long as can be: a run across midnight UTC has two batches.
func (e *emulators) environment(opts options, t task, group string) map[string]string {
	return map[string]string{
		"TIDEMARK_BROKERS":           strings.Join(t.Brokers, ","),
		"TIDEMARK_GROUP":             group,
		"TIDEMARK_MODELS":            "events",
		"TIDEMARK_EVENTS_TOPIC":      topic,
		"TIDEMARK_PERIOD":            "24h",
		"TIDEMARK_SHUTDOWN_TIMEOUT":  "5m",
		"TIDEMARK_BUFFER_MEMORY":     opts.memory,
		"TIDEMARK_BUCKET":            bucket,
		"TIDEMARK_PROJECT":           project,
		"TIDEMARK_DATASET":           dataset,
		"TIDEMARK_GCS_ENDPOINT":      e.store.Endpoint(),
		"TIDEMARK_BIGQUERY_ENDPOINT": e.house.Endpoint(),
		"TIDEMARK_HTTP_ADDR":         "127.0.0.1:0",
		"TIDEMARK_LOG_LEVEL":         "error",
		"TIDEMARK_LOG_FORMAT":        "text",
	}
}
