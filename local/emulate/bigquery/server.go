package bigquery

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// Server is a running BigQuery. Its methods are safe for concurrent use.
type Server struct {
	cfg        Config
	store      *store
	catalog    *catalog
	jobs       *jobs
	quota      *quota
	queue      *dmlQueue
	conflicts  *conflicts
	partitions *partitions
	locks      *locks
	slots      chan struct{} // of jobs that DuckDB works on
	http       *http.Server
	endpoint   string

	ctx     context.Context //nolint:containedctx // of the jobs, which outlive the requests that insert them
	cancel  context.CancelCauseFunc
	running sync.WaitGroup // jobs, requests and the listener

	closing  sync.RWMutex // guards ended, and running.Add against running.Wait
	ended    bool
	closed   sync.Once
	closeErr error
}

// maxSlots bounds the memory of jobs that read Parquet at the same time. A job takes
// its slot after its locks and waits for nothing while it has it.
const maxSlots = 16

// Start opens the database, runs jobs that an earlier server accepted and did not
// finish, and serves. The context bounds the start only. The caller must Close it.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	phrases, err := loadPhrases(cfg.Fixtures)
	if err != nil {
		return nil, err
	}
	store, err := openStore(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:        cfg,
		store:      store,
		catalog:    newCatalog(cfg, phrases),
		jobs:       newJobs(),
		quota:      newQuota(phrases, cfg.LoadsPerTable, cfg.Limits),
		queue:      newDMLQueue(phrases),
		conflicts:  newConflicts(),
		partitions: newPartitions(),
		locks:      newLocks(),
		slots:      make(chan struct{}, maxSlots),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := s.serve(ctx); err != nil {
		_ = s.Close() // the first error is the one to tell
		return nil, err
	}
	return s, nil
}

// serve restores the state, and listens before it runs anything, so that a job is
// not run by a server that then fails to start.
func (s *Server) serve(ctx context.Context) error {
	if err := s.catalog.restore(ctx, s.store); err != nil {
		return fmt.Errorf("bigquery: restore tables: %w", err)
	}
	if err := s.restoreModifications(ctx); err != nil {
		return fmt.Errorf("bigquery: restore quotas: %w", err)
	}
	unfinished, err := s.restoreJobs(ctx)
	if err != nil {
		return fmt.Errorf("bigquery: restore jobs: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.cfg.Port)))
	if err != nil {
		return fmt.Errorf("bigquery: listen: %w", err)
	}
	s.endpoint = "http://" + listener.Addr().String()
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: time.Minute}
	for _, j := range unfinished {
		jobCtx, cancel := s.jobContext()
		j.cancel = cancel
		s.start(jobCtx, j)
	}
	s.running.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.cancel(fmt.Errorf("bigquery: serve: %w", err))
		}
	})
	return nil
}

// Endpoint is scheme://host:port. The client takes it as it is, or with
// /bigquery/v2/ behind it.
func (s *Server) Endpoint() string { return s.endpoint }

// Close drops connections, interrupts jobs and closes the database. Jobs that were
// accepted and are not DONE are run anew by the next server on the same directory.
// It may be called more than once.
func (s *Server) Close() error {
	s.closed.Do(func() {
		s.closing.Lock()
		s.ended = true
		s.closing.Unlock()
		s.cancel(errClosing)
		if s.http != nil {
			s.closeErr = s.http.Close()
		}
		s.running.Wait()
		s.closeErr = errors.Join(s.closeErr, s.store.close())
	})
	return s.closeErr
}

// enter has Close wait for a request, unless it is too late for it.
func (s *Server) enter() (leave func(), ok bool) {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.ended {
		return nil, false
	}
	s.running.Add(1)
	return s.running.Done, true
}

// CreateDataset creates a dataset with the properties of Config.Dataset unless it is
// there; an existing one keeps its own and its location, and another location is an
// error.
func (s *Server) CreateDataset(ctx context.Context, project, dataset, location string) error {
	ref := datasetRef{project, dataset}
	existing, err := s.catalog.dataset(ref)
	if err != nil {
		d := bq.Dataset{}
		if s.cfg.Dataset != nil {
			d = *s.cfg.Dataset
		}
		d.Location = location
		_, err = s.insertDataset(ctx, ref, &d)
		return err
	}
	if existing.Location != sameLocation(location) {
		return fmt.Errorf("bigquery: dataset %s is in %s, not in %s", ref, existing.Location, sameLocation(location))
	}
	return nil
}

// restoreJobs reads all jobs and returns those that are not DONE.
func (s *Server) restoreJobs(ctx context.Context) ([]*job, error) {
	latest, order := map[int64]string{}, []int64{}
	err := s.store.transact(ctx, func(t *txn) error {
		return t.query(ctx, `SELECT seq, record FROM "$catalog".jobs ORDER BY seq, done`, func(rows *sql.Rows) error {
			var seq int64
			var record string
			err := rows.Scan(&seq, &record)
			if _, seen := latest[seq]; !seen {
				order = append(order, seq)
			}
			latest[seq] = record
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	var unfinished []*job
	for _, seq := range order {
		j, err := s.restoreJob(seq, latest[seq])
		if err != nil {
			return nil, err
		}
		if j.work != nil {
			unfinished = append(unfinished, j)
		}
	}
	return unfinished, nil
}

// restoreJob registers a job and counts it; it has work if it is not DONE.
func (s *Server) restoreJob(seq int64, encoded string) (*job, error) {
	s.jobs.seq = max(s.jobs.seq, seq)
	var record bq.Job
	if err := json.Unmarshal([]byte(encoded), &record); err != nil {
		return nil, err
	}
	if q := record.Configuration.Query; q != nil {
		markValues(rawParams([]byte(encoded)), q.QueryParameters)
	}
	var w work
	if record.Status.State != stateDone {
		w = s.workAgain(&record)
	}
	j := restoredJob(seq, record, w)
	if load := record.Configuration.Load; load != nil {
		created := time.UnixMilli(record.Statistics.CreationTime)
		j.denied = !s.quota.admit(refOf(load.DestinationTable), created)
	}
	return j, s.jobs.add(j)
}
