package gcs

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	"google.golang.org/api/option"
)

// apiPath is where the JSON API lives below the endpoint, as in production.
const apiPath = "/storage/v1/"

// Config describes a server. The zero value keeps everything in memory, on a
// free port, without a bucket.
type Config struct {
	// Dir keeps the objects as files, which survive Close; it is created when
	// missing. Empty means memory.
	Dir string

	// Bucket is created at the start; empty means none.
	Bucket string

	// Location is what every bucket says its location is; empty means "US".
	Location string

	// Port is the loopback port; 0 means a free one.
	Port int
}

// Server is a running fake. Its methods are safe for concurrent use.
type Server struct {
	faults   faults
	storage  *fakestorage.Server
	http     *http.Server
	endpoint string

	done   chan struct{} // closed when serving has ended
	closed sync.Once
	err    error // of serving; read after done
}

// Start starts the server and creates the bucket. The caller must Close it.
func Start(cfg Config) (*Server, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.Port)))
	if err != nil {
		return nil, fmt.Errorf("gcs: listen: %w", err)
	}
	host := listener.Addr().String()
	storage, err := open(cfg, host)
	if err != nil {
		_ = listener.Close() // the first error is the one to tell
		return nil, err
	}
	s := &Server{storage: storage, endpoint: "http://" + host, done: make(chan struct{})}
	s.http = &http.Server{
		Handler:           s.faults.wrap(storage.HTTPHandler()),
		ReadHeaderTimeout: time.Minute,
	}
	go func() {
		defer close(s.done)
		s.err = s.http.Serve(listener)
	}()
	return s, nil
}

// open makes the fake behind our own listener. Without PublicHost, the client's
// XML reads answer that the object does not exist; without ExternalURL, a
// resumable upload continues at an address nobody serves.
func open(cfg Config, host string) (*fakestorage.Server, error) {
	if cfg.Dir != "" {
		if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
			return nil, fmt.Errorf("gcs: create directory: %w", err)
		}
	}
	location := cfg.Location
	if location == "" {
		location = "US"
	}
	storage, err := fakestorage.NewServerWithOptions(fakestorage.Options{
		StorageRoot:     cfg.Dir,
		NoListener:      true,
		Scheme:          "http",
		PublicHost:      host,
		ExternalURL:     "http://" + host,
		BucketsLocation: location,
	})
	if err != nil {
		return nil, fmt.Errorf("gcs: start in %q: %w", cfg.Dir, err)
	}
	if cfg.Bucket != "" {
		if err := createBucket(storage, cfg.Bucket); err != nil {
			return nil, err
		}
	}
	return storage, nil
}

// createBucket turns the library's panic (a full disk, a read-only directory)
// into an error.
func createBucket(storage *fakestorage.Server, bucket string) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("gcs: create bucket %q: %v", bucket, cause)
		}
	}()
	storage.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	return nil
}

// Endpoint returns scheme://host:port without a path, the form in which
// production takes it.
func (s *Server) Endpoint() string { return s.endpoint }

// ClientOptions returns the options that point the real client at this server.
func (s *Server) ClientOptions() []option.ClientOption {
	return []option.ClientOption{
		option.WithEndpoint(s.endpoint + apiPath),
		option.WithoutAuthentication(),
	}
}

// Inject makes the server misbehave as f says, from the next request on. Faults
// are tried in the order injected; the first that matches applies.
func (s *Server) Inject(f Fault) *Injected { return s.faults.add(f) }

// Close cuts open connections and ends. It may be called more than once. Objects
// in Config.Dir stay.
func (s *Server) Close() error {
	s.closed.Do(func() {
		_ = s.http.Close() // of the listener; a server that is going away has no use for it
		<-s.done
		s.storage.Stop()
	})
	if !errors.Is(s.err, http.ErrServerClosed) {
		return fmt.Errorf("gcs: serve: %w", s.err)
	}
	return nil
}
