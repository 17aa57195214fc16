package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/batch"
	"tidemark/consumer"
	"tidemark/destination"
	"tidemark/loader"
)

const (
	// findLimit bounds one look for each of the things that the configuration names. Each has its own, so that brokers that
	// do not answer do not make the bucket look broken.
	findLimit = 20 * time.Second
	// findMin and findMax bound the pause between two looks.
	findMin, findMax = time.Second, 15 * time.Second
)

// waitForEverything finds the topics, the bucket and the tables, and retries until StartTimeout: an orchestrator starts
// things in any order, and a process that ends after seconds only makes a crash loop. When ctx ends, its error is ctx's.
func (s *service) waitForEverything(ctx context.Context) error {
	deadline, cancel := context.WithTimeout(ctx, s.cfg.Service.StartTimeout)
	defer cancel()
	backoff := batch.Backoff{Min: findMin, Max: findMax}
	var last error
	for {
		err := s.findEverything(deadline)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			return nil
		case deadline.Err() != nil && last != nil:
			err = last // says more than that the last attempt was cut short
		}
		last = err
		wait := backoff.Next()
		var refused *secondGroup
		if errors.As(err, &refused) { // waiting does not help
			return batch.WithHint(err)
		}
		s.log.Error("not everything that the configuration names is there", "err", err, "hint", batch.HintOf(err), "retry_in", wait.Round(time.Millisecond))
		if !batch.Pause(deadline, wait) && ctx.Err() == nil {
			return fmt.Errorf("start within %s (TIDEMARK_START_TIMEOUT): %w", s.cfg.Service.StartTimeout, batch.WithHint(err))
		}
	}
}

// findEverything looks for all at the same time, and tells of everything that is missing.
func (s *service) findEverything(ctx context.Context) error {
	var bucket loader.BucketLocation
	looks := []func(context.Context) error{
		s.findTopics,
		func(ctx context.Context) (err error) { bucket, err = s.store.Location(ctx); return err },
		s.findTables,
	}
	errs := make([]error, len(looks))
	var g sync.WaitGroup
	for i, look := range looks {
		g.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, findLimit)
			defer cancel()
			errs[i] = look(ctx)
		})
	}
	g.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.pacer.refresh(ctx)
	s.warnOfTransfer(bucket, s.resolved.Load().Tables[0].Target.Location)
	s.warnOfBilling(ctx)
	if err := s.checkGroups(ctx); err != nil {
		return err
	}
	if err := s.markFilled(ctx); err != nil {
		return err
	}
	s.warnOfExpirations(ctx)
	return nil
}

// markFilled marks the tables of events that have rows, from before there were marks, as filled: no later than now, when it is known
// that this group may fill them.
func (s *service) markFilled(ctx context.Context) error {
	for _, t := range s.resolved.Load().Tables {
		if t.Target.Model != destination.EventsModel || t.Rows == 0 {
			continue
		}
		created, err := s.applier.present(ctx, t.Target, true)
		if errors.As(err, new(*destination.Lost)) { // told of when it was resolved
			continue
		}
		if err == nil {
			err = s.creations.remember(ctx, t.Target.String(), created, creationMark{Rows: true})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *service) findTables(ctx context.Context) error {
	res, err := s.dest.Resolve(ctx)
	if err != nil {
		return err
	}
	s.resolved.Store(&res)
	tell(s.log, res, nil)
	return nil
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
		errs = append(errs, s.checkTopic(ctx, variable, names[variable], topics[names[variable]].Err))
	}
	return errors.Join(errs...)
}

// checkTopic says what is wrong with a topic. One that the group has consumed before and that is not there now was deleted: that is
// told of and stops its own stream, and the others are exported meanwhile. One that was never consumed is more likely a name
// that is misspelt.
func (s *service) checkTopic(ctx context.Context, variable, topic string, err error) error {
	if err == nil {
		return nil
	}
	missing := &startError{variable, fmt.Errorf("find topic %q: %w", topic, err),
		"check " + variable + " (PostHog may use a prefix or suffix) and that the user may describe and read it, or leave the model out of TIDEMARK_MODELS"}
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return missing
	}
	name := consumer.StartMark(s.cfg.Loader.Prefix, s.cfg.Consumer.Group, topic)
	switch _, err := (marks{s.store}).Get(ctx, name); {
	case errors.Is(err, consumer.ErrNoMark):
		return missing
	case err != nil:
		return errors.Join(missing, err)
	}
	s.log.Error("a topic that was consumed before is not there; its stream waits for it, and the others go on", "err", missing, "hint", missing.hint)
	return nil
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
