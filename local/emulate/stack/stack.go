// Package stack starts the other end of tidemark on loopback: a Kafka broker, an object store and a BigQuery, all
// embedded, with topics, a bucket, a dataset and the tables. tidemark itself only gets their addresses.
package stack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/gcs"
	"tidemark/local/emulate/kafka"
)

// Names of what the stack creates.
const (
	Project          = "local"
	Dataset          = "posthog"
	Table            = "events"
	PersonsTable     = "persons"
	StatusTable      = "tidemark_status"
	Bucket           = "tidemark-local"
	Topic            = "clickhouse_events_json"
	PersonsTopic     = "clickhouse_person"
	DistinctIDsTopic = "clickhouse_person_distinct_id"
	Location         = "US"
)

// Config describes a stack. The zero value is usable.
type Config struct {
	// Models that tidemark is to export; empty means all.
	Models string
	// Brokers are those of a Kafka that runs elsewhere: none is started, and the topics are the caller's to create.
	Brokers    []string
	Partitions int32  // of each topic; 0 means 8
	Dir        string // keeps everything on disk, to go on with later; empty means temporary
	JSON       bool   // the tables' document columns are JSON instead of STRING
	// BigQuery is passed on to the embedded BigQuery, for faults, timing and limits; Objects and Dir are set here.
	BigQuery bigquery.Config
	// MinSessionTimeout is passed on to the embedded Kafka; 0 means Kafka's default.
	MinSessionTimeout time.Duration
	// Memory keeps Kafka's log in memory, for short tests.
	Memory bool
	// NoTable leaves creating the tables to tidemark.
	NoTable bool
}

// Stack is everything running. Close it.
type Stack struct {
	Kafka    *kafka.Broker // nil where the caller named brokers
	GCS      *gcs.Server
	BigQuery *bigquery.Server
	Client   *gbq.Client     // a real client of the embedded BigQuery
	Storage  *storage.Client // a real client of the embedded object store
	brokers  []string
	models   string
}

// Start starts all servers and creates what tidemark expects to find.
func Start(ctx context.Context, cfg Config) (s *Stack, err error) {
	s = &Stack{models: cfg.Models}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start local stack: %w", err), s.Close())
		}
	}()
	if s.brokers = cfg.Brokers; len(s.brokers) == 0 {
		if s.Kafka, err = kafka.Start(kafka.Config{Topics: []string{Topic, PersonsTopic, DistinctIDsTopic}, Partitions: partitions(cfg), DataDir: sub(cfg.Dir, "kafka"), Memory: cfg.Memory,
			MinSessionTimeout: cfg.MinSessionTimeout}); err != nil {
			return s, err
		}
		s.brokers = s.Kafka.Addrs()
	}
	if s.GCS, err = gcs.Start(gcs.Config{Dir: sub(cfg.Dir, "gcs"), Bucket: Bucket, Location: Location}); err != nil {
		return s, err
	}
	if s.Storage, err = storage.NewClient(ctx, s.GCS.ClientOptions()...); err != nil {
		return s, err
	}
	cfg.BigQuery.Objects, cfg.BigQuery.Dir = bigquery.NewStorageObjects(s.Storage), sub(cfg.Dir, "bigquery")
	if s.BigQuery, err = bigquery.Start(ctx, cfg.BigQuery); err != nil {
		return s, err
	}
	if err = s.BigQuery.CreateDataset(ctx, Project, Dataset, Location); err != nil {
		return s, err
	}
	s.Client, err = gbq.NewClient(ctx, Project, option.WithEndpoint(s.BigQuery.Endpoint()+"/bigquery/v2/"), option.WithoutAuthentication())
	if err != nil {
		return s, err
	}
	s.Client.Location = Location
	if !cfg.NoTable {
		err = s.createTables(ctx, cfg.JSON)
	}
	return s, err
}

func sub(dir, name string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

// Env returns the environment of a tidemark that exports this stack, as production would be configured.
func (s *Stack) Env(period time.Duration) map[string]string {
	env := map[string]string{
		"TIDEMARK_BROKERS":           s.brokers[0],
		"TIDEMARK_EVENTS_TOPIC":      Topic,
		"TIDEMARK_PERIOD":            period.String(),
		"TIDEMARK_FLUSH_DELAY":       (period / 10).String(),
		"TIDEMARK_BUCKET":            Bucket,
		"TIDEMARK_PROJECT":           Project,
		"TIDEMARK_DATASET":           Dataset,
		"TIDEMARK_EVENTS_TABLE":      Table,
		"TIDEMARK_GCS_ENDPOINT":      s.GCS.Endpoint(),
		"TIDEMARK_BIGQUERY_ENDPOINT": s.BigQuery.Endpoint(),
		"TIDEMARK_HTTP_ADDR":         "127.0.0.1:0",
		"TIDEMARK_LOG_FORMAT":        "text",
		"TIDEMARK_SESSION_TIMEOUT":   "6s",
		"TIDEMARK_REBALANCE_TIMEOUT": "10s", // a replica that is killed while the group rebalances holds the others up so long
	}
	if s.models != "" {
		env["TIDEMARK_MODELS"] = s.models
	}
	return env
}

// EventsTable is the events table's full name.
func EventsTable() string { return fmt.Sprintf("%s.%s.%s", Project, Dataset, Table) }

// PersonsFullName is the persons table's full name.
func PersonsFullName() string { return fmt.Sprintf("%s.%s.%s", Project, Dataset, PersonsTable) }

// Close stops what was started, clients first.
func (s *Stack) Close() error {
	var errs []error
	if s.Client != nil {
		errs = append(errs, s.Client.Close())
	}
	if s.BigQuery != nil {
		errs = append(errs, s.BigQuery.Close())
	}
	if s.Storage != nil {
		errs = append(errs, s.Storage.Close())
	}
	if s.GCS != nil {
		errs = append(errs, s.GCS.Close())
	}
	if s.Kafka != nil {
		errs = append(errs, s.Kafka.Close())
	}
	return errors.Join(errs...)
}

func partitions(cfg Config) int32 {
	if cfg.Partitions == 0 {
		return 8
	}
	return cfg.Partitions
}
