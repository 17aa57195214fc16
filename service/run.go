package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
	"golang.org/x/sync/errgroup"

	"tidemark/batch"
	"tidemark/buffer"
	"tidemark/consumer"
	"tidemark/destination"
	"tidemark/loader"
	"tidemark/warehouse"
)

const (
	// maxBatches is how many batches of a stream may be on their way: with 57 bytes each they fill half of the 4,096 that
	// Kafka allows for a partition's metadata, and a destination may refuse for that many periods before fetching pauses.
	maxBatches = 32
	// commitTimeout bounds one offset request, the client's retries included.
	commitTimeout = 30 * time.Second
	// retryMin and retryMax bound the pause between two attempts to apply a batch. Each attempt that reaches BigQuery
	// may use up one of the table's daily load jobs.
	retryMin, retryMax = time.Second, 5 * time.Minute
	// rejoinMin and rejoinMax bound the pause between two sessions.
	rejoinMin, rejoinMax = 500 * time.Millisecond, 30 * time.Second
)

// service is what outlives a session.
type service struct {
	cfg       Config
	log       *slog.Logger
	registry  *prometheus.Registry
	metrics   *metrics
	consumer  *consumer.Metrics
	store     *loader.GCS
	house     *warehouse.Client
	dest      *destination.Destination
	buffer    *buffer.Buffer
	applier   applier
	publish   *publisher
	pacer     *pacer
	creations *creations
	ready     atomic.Bool
	session   atomic.Pointer[consumer.Session]
	resolved  atomic.Pointer[destination.Resolved] // the destination as BigQuery last described it
	// kafka holds the Kafka client's metrics of the present session. Each session has a registry of its own: the client
	// of the one before may still be closing.
	kafka atomic.Pointer[prometheus.Registry]
	kopts []kgo.Opt
	// maxCommit is how many bytes the entries of one offset commit may take.
	maxCommit int
}

// Run exports until ctx ends and then hands over: what is in memory is uploaded and prepared, and the consumer group is
// left. It returns nil then, also if the group went on without this member meanwhile. An error means that start-up did
// not find what the configuration names, that storage refuses permanently, or that the hand-over was not finished in
// time; nothing is lost in any case. cfg is validated. kopts are passed to
// the Kafka client, after tidemark's own; production passes none.
func Run(ctx context.Context, cfg Config, log *slog.Logger, kopts ...kgo.Opt) error {
	s := &service{cfg: cfg, log: log, registry: prometheus.NewRegistry(), kopts: kopts}
	listener, err := s.listen()
	if err != nil {
		return err
	}
	if err := s.connect(ctx); err != nil {
		return errors.Join(err, listener.Close())
	}
	defer s.close()
	// What is open outlives ctx: the hand-over needs the bucket, BigQuery's clients and the encoders.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	g, work := errgroup.WithContext(work)
	g.Go(func() error { return s.serveHTTP(work, listener) })
	g.Go(func() error { return ended(work, s.buffer.Run(work)) })
	g.Go(func() error { return s.publish.run(work) })
	g.Go(func() error {
		defer cancel()
		if err := s.waitForEverything(ctx); err != nil {
			return ended(ctx, err)
		}
		s.ready.Store(true)
		stop, cancelStop := context.WithCancel(ctx)
		defer cancelStop()
		defer context.AfterFunc(work, cancelStop)() // without the rest of the service there is nothing to consume for
		return s.sessions(stop)
	})
	return g.Wait()
}

// ended drops the error of something that stopped because its context did.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// connect builds the clients. It sends no request.
func (s *service) connect(ctx context.Context) (err error) {
	s.metrics = newMetrics(s.registry, s)
	s.consumer = consumer.NewMetrics(s.registry)
	clients := context.WithoutCancel(ctx) // credentials are refreshed under it, also while handing over
	if s.store, err = loader.NewGCS(clients, s.cfg.Loader, loader.NewMetrics(s.registry), s.log); err != nil {
		return err
	}
	if s.house, err = warehouse.New(clients, s.cfg.Warehouse, s.log, warehouse.NewMetrics(s.registry)); err != nil {
		return err
	}
	s.creations = newCreations(s.cfg, s.store, s.house)
	if s.dest, err = destination.New(s.cfg.Destination, s.cfg.Warehouse.Project, s.house, s.creations); err != nil {
		return err
	}
	parts, err := loader.NewParts(s.cfg.Loader, s.store)
	if err != nil {
		return err
	}
	s.buffer = buffer.New(s.cfg.Buffer, parts, buffer.NewMetrics(s.registry), runtime.GOMAXPROCS(0))
	s.applier = newApplier(s.cfg, s.house, s.creations, s.dest, s.log)
	s.pacer = &pacer{Manifests: loader.NewManifests(s.cfg.Loader, s.store), log: s.log, partitions: s.partitionQuota}
	s.applier.failed = s.pacer.note
	s.publish = newPublisher(s)
	s.metrics.committed = s.publish.committed
	return nil
}

// partitionQuota is how often a day the partitions of the events table may be changed by loads.
func (s *service) partitionQuota() int {
	if res := s.resolved.Load(); res != nil {
		for _, t := range res.Tables {
			if p := t.Target.Partitions; t.Target.Model == destination.EventsModel && p != nil {
				return p.Quota()
			}
		}
	}
	return batch.DailyPartitions
}

func (s *service) close() {
	if err := errors.Join(s.house.Close(), s.store.Close()); err != nil {
		s.log.Warn("clients not closed", "err", err)
	}
}

// sessions runs one session after the other until ctx ends. A session that ends in doubt is replaced by a new member of
// the group, which finds everything decided in Kafka.
//
// A group that refuses this member for good ends the process at start, when the configuration is most likely at fault. Later
// it may be the brokers' that was changed, and the replica goes on trying.
func (s *service) sessions(ctx context.Context) error {
	begun, member := time.Now(), false
	backoff := batch.Backoff{Min: rejoinMin, Max: rejoinMax}
	for {
		started := time.Now()
		err := s.runSession(ctx)
		member = member || s.joined()
		var refused *consumer.JoinError
		switch {
		case err == nil:
			s.log.Info("handed over")
			return nil
		case !errors.Is(err, batch.ErrRejoin):
			return err
		case errors.As(err, &refused) && !member && time.Since(begun) > s.cfg.Service.StartTimeout:
			return fmt.Errorf("start within %s (TIDEMARK_START_TIMEOUT): %w", s.cfg.Service.StartTimeout, batch.WithHint(refused))
		case ctx.Err() != nil:
			s.log.Warn("not everything was handed over; what was in memory is read again", "err", err)
			return nil //nolint:nilerr // the process was asked to stop, and nothing is lost
		case time.Since(started) > rejoinMax:
			backoff.Reset()
		}
		wait := backoff.Next()
		s.log.Warn("session ended in doubt; joining the group again", "err", err, "hint", batch.HintOf(err), "retry_in", wait.Round(time.Millisecond))
		if !batch.Pause(ctx, wait) {
			return nil
		}
	}
}

// joined says whether the last session became a member of the group.
func (s *service) joined() bool {
	session := s.session.Load()
	if session == nil {
		return false
	}
	view, _ := session.View()
	return view.Joined
}

func (s *service) runSession(ctx context.Context) error {
	scope := consumer.Scope{
		Streams:     s.cfg.streams(),
		Memory:      int64(s.cfg.Buffer.Memory),
		MarksPrefix: s.cfg.Loader.Prefix,
	}
	ports := consumer.Ports{
		Buffers: &opener{buffer: s.buffer, prefix: s.cfg.Loader.Prefix, kinds: s.cfg.kinds(), dest: s.dest, log: s.log, last: &s.resolved},
		Marks:   marks{s.store},
		Pacer:   s.pacer,
		Driver: func(stream string, offsets batch.Offsets) *batch.Driver {
			return batch.NewDriver(batch.Config{Stream: stream, Group: s.cfg.Consumer.Group, MaxBatches: maxBatches,
				MaxCommit: s.maxCommit, CommitTimeout: commitTimeout, RetryMin: retryMin, RetryMax: retryMax},
				batch.Ports{Offsets: offsets, Manifests: s.pacer, Applier: s.applier, Observer: s.metrics}, s.log)
		},
	}
	registry := prometheus.NewRegistry()
	s.kafka.Store(registry)
	hook := kgo.WithHooks(kprom.NewMetrics("tidemark_kafka", kprom.Registry(registry)))
	session, err := consumer.NewSession(s.cfg.Consumer, scope, ports, s.consumer, s.log, append([]kgo.Opt{hook}, s.kopts...)...)
	if err != nil {
		return err
	}
	s.session.Store(session)
	s.buffer.CountFetched(session.FetchedBytes)
	if err := session.Run(ctx); err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	return nil
}
