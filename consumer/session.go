package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tidemark/batch"
)

// Scope is what the whole service decides for a session.
type Scope struct {
	Streams     []Stream // to consume, at least one
	Memory      int64    // the budget that what is fetched counts in, in bytes
	MarksPrefix string   // of the marks' names in the bucket
}

// topics returns the topics of all streams.
func (s Scope) topics() (topics []string) {
	for _, st := range s.Streams {
		topics = append(topics, st.Topics...)
	}
	return topics
}

// Ports are what a session calls.
type Ports struct {
	Buffers Buffers
	Marks   Marks
	Pacer   Pacer
	// Driver builds the driver of a stream around the session's offset requests.
	Driver func(stream string, offsets batch.Offsets) *batch.Driver
}

// Session is one membership in the consumer group, with one Kafka client of its own.
type Session struct {
	cfg     Config
	scope   Scope
	log     *slog.Logger
	metrics *Metrics
	client  *kgo.Client
	streams []*stream
	buffers Buffers
	pacer   Pacer
	starter *starter
	fail    context.CancelCauseFunc // ends the session
	ended   context.Context         // a field because the client's callbacks come without a context of ours
	built   chan struct{}           // closed when what stands above is complete
	view    atomic.Pointer[View]
	arrived chan struct{} // capacity 1: partitions are to be taken over
	moved   chan struct{} // capacity 1: partitions were taken over, for the poll loop

	// mu guards what follows. The poll loop holds it while it appends, callbacks while they seal.
	mu         sync.Mutex
	partitions map[batch.TopicPartition]*partition // all that are assigned
	joined     bool                                // the group has given this member its assignment
	count      map[string]int                      // partitions of each topic, assigned or not
	absent     map[string]error                    // topics that are not there, or not to be seen
	told       map[string]time.Time                // when the stop of partitions for one cause was last told of
}

// NewSession builds a session. Its client joins the group in the background; nothing is consumed, and nobody's batches are
// finished, before [Session.Run]. cfg is validated.
func NewSession(cfg Config, scope Scope, ports Ports, metrics *Metrics, log *slog.Logger, extra ...kgo.Opt) (*Session, error) {
	s := &Session{
		cfg: cfg, scope: scope, log: log, metrics: metrics, buffers: ports.Buffers, pacer: ports.Pacer,
		partitions: make(map[batch.TopicPartition]*partition), count: make(map[string]int), told: make(map[string]time.Time), absent: make(map[string]error),
		built: make(chan struct{}), arrived: make(chan struct{}, 1), moved: make(chan struct{}, 1),
	}
	s.refresh(time.Now())
	s.ended, s.fail = context.WithCancelCause(context.Background())
	start, err := cfg.start()
	if err != nil {
		return nil, err
	}
	opts, err := cfg.ConnectionOptions(log)
	if err != nil {
		return nil, err
	}
	// The client joins the group at once, and calls back from goroutines of its own: they wait until all is in place.
	defer close(s.built)
	s.client, err = kgo.NewClient(append(append(opts, s.groupOptions()...), extra...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	offsets := &Offsets{GroupOffsets: GroupOffsets{Client: s.client, Group: cfg.Group}, ids: make(map[string]kadm.TopicID)}
	if cfg.InstanceID != "" {
		offsets.instance = &cfg.InstanceID
	}
	metrics.sessions.Inc()
	for _, of := range scope.Streams {
		metrics.full(of.Name, false)
		s.streams = append(s.streams, &stream{Stream: of, driver: ports.Driver(of.Name, offsets), lastSeal: time.Now(),
			decided: func(context.Context) error { return nil }})
	}
	s.starter = &starter{group: cfg.Group, prefix: scope.MarksPrefix, name: cfg.Start, start: start, admin: kadm.NewClient(s.client),
		marks: ports.Marks, offsets: offsets, log: log}
	return s, nil
}

// Run consumes until stop ends, then hands over: what is in memory is sealed, uploaded and prepared within
// ShutdownTimeout, and the group is left. It returns nil after such a hand-over. An error that wraps [batch.ErrRejoin]
// means that this session is over and a new one should begin; nothing decided is lost and nothing undecided was kept.
// Run is called once.
func (s *Session) Run(stop context.Context) error {
	g, ctx := errgroup.WithContext(s.ended)
	for _, st := range s.streams {
		g.Go(func() error {
			err := st.driver.Run(ctx)
			s.fail(err) // callbacks look at ended
			return err
		})
	}
	g.Go(func() error { return s.takeOvers(ctx) })
	g.Go(func() error { return s.watchEnds(ctx) })
	g.Go(func() error {
		err := s.poll(ctx, stop)
		s.fail(errors.Join(err, errHandedOver)) // the others end with the poll loop
		return err
	})
	err := g.Wait()
	if cause := context.Cause(s.ended); cause != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = cause
	}
	s.fail(errHandedOver)
	s.leave()
	s.discard()
	if errors.Is(err, errHandedOver) && !errors.Is(err, batch.ErrRejoin) {
		return nil
	}
	return err
}

// leaveTimeout bounds how long leaving the group is waited for. The client first waits for a join that is in flight,
// and that can take the group's whole rebalance timeout. The group notices a silent member by itself.
const leaveTimeout = 5 * time.Second

// leave closes the client. Callbacks that still come find the session ended and do nothing.
func (s *Session) leave() {
	left := make(chan struct{})
	go func() {
		defer close(left)
		s.client.CloseAllowingRebalance()
	}()
	select {
	case <-left:
	case <-time.After(leaveTimeout):
		s.log.Warn("consumer group not left in time; it will notice", "waited", leaveTimeout, "session_timeout", s.cfg.SessionTimeout)
	}
}

// errHandedOver ends a session that has nothing left to do.
var errHandedOver = errors.New("session handed over")

// shutDown seals what is open and waits until it is decided. Loading is left to whoever gets the partitions.
func (s *Session) shutDown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ShutdownTimeout)
	defer cancel()
	s.mu.Lock()
	wait := s.sealAll("shutdown", time.Now())
	s.mu.Unlock()
	if err := wait(ctx); err != nil {
		return fmt.Errorf("shut down within %s (TIDEMARK_SHUTDOWN_TIMEOUT): %w", s.cfg.ShutdownTimeout, err)
	}
	return nil
}

// discard frees the batches that were never sealed.
func (s *Session) discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.streams {
		for _, b := range []*open{st.current, st.next} {
			if b != nil {
				b.rows.Discard()
			}
		}
		st.current, st.next = nil, nil
	}
	for tp := range s.partitions {
		s.metrics.forget(tp)
	}
	s.metrics.assigned(nil)
}

// streamOf returns the stream of a topic.
func (s *Session) streamOf(topic string) *stream {
	for _, st := range s.streams {
		if slices.Contains(st.Topics, topic) {
			return st
		}
	}
	return nil
}

// warnEvery bounds how often a fault that passes by itself, or does not, is told of.
const warnEvery = time.Minute

// warnSometimes logs a fault that may pass, unless one was logged a moment ago.
func (s *Session) warnSometimes(message string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mayTell(message) {
		s.log.Warn(message, args...)
	}
}

// mayTell says whether nothing was told of under the key a moment ago. s.mu is held.
func (s *Session) mayTell(key string) bool {
	now := time.Now()
	if now.Sub(s.told[key]) < warnEvery {
		return false
	}
	s.told[key] = now
	return true
}
