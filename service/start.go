package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/consumer"
)

// waitForEverything finds the topics, the bucket and the tables, and retries until StartTimeout: an orchestrator starts
// things in any order, and a process that ends after seconds only makes a crash loop.
func (s *service) waitForEverything(ctx context.Context) error {
	deadline, cancel := context.WithTimeout(ctx, s.cfg.Service.StartTimeout)
	defer cancel()
	var last error
	for wait := time.Second; ; wait = min(2*wait, 15*time.Second) {
		err := s.findEverything(deadline)
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if deadline.Err() != nil && last != nil {
			err = last // says more than that the last attempt was cut short
		}
		last = err
		s.log.Error("not everything that the configuration names is there", "err", err, "hint", batch.HintOf(err), "retry_in", wait)
		select {
		case <-deadline.Done():
			return fmt.Errorf("start within %s (TIDEMARK_START_TIMEOUT): %w", s.cfg.Service.StartTimeout, withHint(err))
		case <-time.After(wait):
		}
	}
}

// withHint puts what to do about it behind the message, for the last line a person sees.
func withHint(err error) error {
	if hint := batch.HintOf(err); hint != "" {
		return fmt.Errorf("%w (%s)", err, hint)
	}
	return err
}

func (s *service) findEverything(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return errors.Join(s.findTopics(ctx), s.findBucketAndTables(ctx))
}

func (s *service) findTopics(ctx context.Context) error {
	opts, err := s.cfg.Consumer.ConnectionOptions(s.log)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(opts, s.kopts...)...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	names := map[string]string{} // by variable
	for _, kinds := range s.cfg.kinds() {
		for topic, kind := range kinds {
			names["TIDEMARK_"+kind.String()+"_TOPIC"] = topic
		}
	}
	topics, err := kadm.NewClient(client).ListTopics(ctx, slices.Collect(maps.Values(names))...)
	if err != nil {
		return &startError{"TIDEMARK_BROKERS", fmt.Errorf("reach brokers %s: %w", strings.Join(s.cfg.Consumer.Brokers, ","), err),
			"check TIDEMARK_BROKERS, the network, and TIDEMARK_TLS and TIDEMARK_SASL_…, which must be those of the listener"}
	}
	s.maxCommit = consumer.GroupOffsets{Client: client, Group: s.cfg.Consumer.Group}.MaxCommit(ctx)
	var errs []error
	for _, variable := range slices.Sorted(maps.Keys(names)) {
		if err := topics[names[variable]].Err; err != nil {
			errs = append(errs, &startError{variable, fmt.Errorf("find topic %q: %w", names[variable], err),
				"check " + variable + " (PostHog may use a prefix or suffix) and that the user may describe and read it, or leave the model out of TIDEMARK_MODELS"})
		}
	}
	return errors.Join(errs...)
}

func (s *service) findBucketAndTables(ctx context.Context) error {
	location, err := s.store.Location(ctx)
	if err != nil {
		return err
	}
	res, err := s.dest.Resolve(ctx)
	if err != nil {
		return err
	}
	s.resolved.Store(&res)
	s.pacer.refresh(ctx)
	if dataset := res.Tables[0].Target.Location; !coLocated(location, dataset) {
		s.log.Warn("bucket and dataset are in different locations: loads may be refused, or charged as transfer",
			"bucket", s.cfg.Loader.Bucket, "bucket_location", location, "dataset", s.cfg.Destination.Dataset, "dataset_location", dataset)
	}
	return nil
}

// coLocated says whether BigQuery loads from a bucket into a dataset without a transfer between locations: the same
// location, or a dataset in the US multi-region, or a bucket in a region of the dataset's multi-region
// (cloud.google.com/bigquery/docs/batch-loading-data, data location considerations, 2026-08).
func coLocated(bucket, dataset string) bool {
	bucket, dataset = strings.ToLower(bucket), strings.ToLower(dataset)
	switch dataset {
	case bucket, "us":
		return true
	case "eu":
		return strings.HasPrefix(bucket, "europe-")
	default:
		return false
	}
}

// startError says which variable to look at and what to do.
type startError struct {
	variable string
	err      error
	hint     string
}

func (e *startError) Error() string { return e.variable + ": " + e.err.Error() }
func (e *startError) Unwrap() error { return e.err }

// Hint says what an operator can do.
func (e *startError) Hint() string { return e.hint }
